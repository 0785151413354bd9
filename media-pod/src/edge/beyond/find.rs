//! Who has a path: upstreams are asked one after the other, and everybody who asks the same meanwhile gets one answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use http::StatusCode;
use millrace_http::Refusal;
use millrace_link::avrs::{Way, WayError};
use millrace_report::upstream::cut;

use super::{
    super::{count, source::AGAIN},
    Beyond, Nowhere,
    answers::Question,
    choice::{LONGEST_OF_ALL, NO_STREAM, Said, Verdict, verdict},
    uplink::Uplink,
};

/// Questions under way at most.
const MOST: usize = 1024;

type Answer = Result<Arc<Uplink>, Nowhere>;

/// Questions under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Question, Shared<BoxFuture<'static, Answer>>>>);

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Question, Shared<BoxFuture<'static, Answer>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<WayError> for Nowhere {
    fn from(wrong: WayError) -> Self {
        Self::Loop(cut(&wrong.to_string(), LONGEST_OF_ALL))
    }
}

impl From<Nowhere> for Refusal {
    fn from(nowhere: Nowhere) -> Self {
        match nowhere {
            Nowhere::No(reason) | Nowhere::Loop(reason) => {
                Self { status: StatusCode::NOT_FOUND, reason, retry_after: None }
            }
            Nowhere::Away(reason) => Self::unavailable(reason, AGAIN),
        }
    }
}

impl Beyond {
    /// The upstream that has `path`, for a request that came this way. `again`: what was answered a moment ago does not
    /// count.
    pub(super) async fn find(self: &Arc<Self>, path: &str, way: &Way, again: bool) -> Answer {
        let way = way.through(&self.own).map_err(|wrong| self.refuse(wrong))?;
        let question = Question { path: path.to_owned(), way };
        if !again && let Some(why) = self.answers.no(&question, Instant::now()) {
            return Err(Nowhere::No(why));
        }
        let asking = {
            let mut flights = self.flights.lock();
            match flights.get(&question) {
                Some(asking) => asking.clone(),
                None if flights.len() >= MOST => {
                    return Err(Nowhere::Away("too many streams are asked for at once".to_owned()));
                }
                None => {
                    let asking = tokio::spawn(self.clone().ask(question.clone()));
                    let gone = |_| Err(Nowhere::Away("nobody could be asked".to_owned()));
                    let asking = asking.map(move |answer| answer.unwrap_or_else(gone)).boxed().shared();
                    flights.insert(question, asking.clone());
                    asking
                }
            }
        };
        asking.await
    }

    /// A request came here that was here before, or went too far.
    pub fn refuse(&self, wrong: WayError) -> Nowhere {
        count(&self.refused);
        wrong.into()
    }

    async fn ask(self: Arc<Self>, question: Question) -> Answer {
        let uplinks = self.uplinks.load_full();
        let mut said: Vec<(Arc<str>, Said)> = Vec::new();
        for uplink in &*uplinks {
            let one = uplink.has(&question.path, &question.way).await;
            let has = one == Said::Yes;
            said.push((uplink.config.name.clone(), one));
            if has {
                break;
            }
        }
        let no = format!("{NO_STREAM}{}", question.path);
        let answer = match verdict(&said) {
            Verdict::Yes(at) => uplinks.get(at).cloned().ok_or(Nowhere::No(no)),
            Verdict::No(reasons) => Err(Nowhere::No(cut(&format!("{no}; {reasons}"), LONGEST_OF_ALL))),
            Verdict::Away(reasons) => {
                let why =
                    format!("{} may be at an upstream that cannot say so now; {reasons}", question.path);
                Err(Nowhere::Away(cut(&why, LONGEST_OF_ALL)))
            }
        };
        if let Err(Nowhere::No(why)) = &answer {
            self.answers.remember(question.clone(), why.clone(), Instant::now());
        }
        self.flights.lock().remove(&question);
        answer
    }
}
