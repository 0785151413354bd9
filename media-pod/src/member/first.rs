//! A member without a configuration that can be read: it waits for one, and says so.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, StatusCode};
use millrace_crds::Loaded;
use millrace_http::{PageRequest, Site, Source};
use millrace_report::message::Beat;
use tokio::time;

use super::{FROM, Member, gather, texts};
use crate::config::{self, ConfigError, Texts};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// The first configuration.
pub struct First {
    /// Where it is from.
    pub from: String,
    /// What it says.
    pub texts: Texts,
    /// What that means.
    pub loaded: Loaded,
    /// The highest revision that was looked at before.
    pub highest: u64,
}

/// What is answered while there is no configuration.
#[derive(Debug, Default)]
pub struct Waiting(RwLock<String>);

impl Waiting {
    /// Because of this.
    pub fn because(why: &ConfigError) -> Self {
        let waiting = Self::default();
        waiting.say(why.lines().first().map_or("", String::as_str));
        waiting
    }

    fn say(&self, why: &str) {
        why.clone_into(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Site for Waiting {
    fn stream(&self, _: &str) -> Option<Arc<dyn Source>> {
        None
    }

    fn page(&self, request: PageRequest) -> millrace_http::BoxFuture<'static, Response<Bytes>> {
        let (status, body) = if request.path == "/healthz" {
            (StatusCode::OK, "ok\n".to_owned())
        } else {
            let why = self.0.read().unwrap_or_else(PoisonError::into_inner);
            (StatusCode::SERVICE_UNAVAILABLE, format!("no configuration yet: {why}\n"))
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        Box::pin(std::future::ready(response))
    }
}

impl Member {
    /// Until `files` or the operator give a configuration that is right. `texts` and `why`: what the files say, and what
    /// is wrong with that.
    pub async fn first(
        &self,
        files: &[PathBuf],
        texts_now: Option<Texts>,
        why: ConfigError,
        waiting: &Waiting,
    ) -> First {
        let mut heard = None;
        let mut highest = 0;
        let mut before = texts_now;
        let (mut from, mut failed) =
            (config::named(files), Some((before.as_ref().and_then(|t| t.number), why)));
        loop {
            if let Some((number, why)) = failed.take() {
                highest = highest.max(number.unwrap_or_default());
                self.not_yet(&from, number.unwrap_or_default(), &why, waiting);
            }
            let heard = heard.get_or_insert_with(|| self.client().heard().configuration);
            let texts = tokio::select! {
                Ok(()) = heard.changed() => {
                    FROM.clone_into(&mut from);
                    heard.borrow_and_update().as_deref().map(texts)
                }
                () = time::sleep(LOOK) => {
                    from = config::named(files);
                    let now = Texts::read(files).ok().filter(|now| before.as_ref() != Some(now));
                    before = now.clone().or(before);
                    now
                }
            };
            let Some(texts) = texts else { continue };
            match texts.understand_by(self.rule()) {
                Ok(loaded) => return First { from, texts, loaded, highest },
                Err(e) => failed = Some((texts.number, e)),
            }
        }
    }

    fn not_yet(&self, from: &str, number: u64, why: &ConfigError, waiting: &Waiting) {
        tracing::error!(%from, "no configuration can be taken from here, the operator is waited for");
        let lines = why.lines();
        for line in &lines {
            tracing::error!("{line}");
        }
        waiting.say(lines.first().map_or("", String::as_str));
        let refused = Some(gather::refused(number, &lines));
        self.tell(Beat { refused, ..Beat::default() });
    }
}
