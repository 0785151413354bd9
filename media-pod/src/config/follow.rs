//! Follows the files: every edit is taken or refused.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::Watcher as _;
use tokio::{sync::mpsc, time};

use super::{ConfigError, Taker, Texts};

/// An editor writes a file in several steps: an edit is what stays the same for this long.
const SETTLE: Duration = Duration::from_millis(30);
/// The same for one that leaves nothing: that is mostly the first of two steps.
const SETTLE_EMPTY: Duration = Duration::from_secs(1);
/// An edit that does not settle is looked at after so many times.
const UNSETTLED: u32 = 20;
/// Where no event comes (some network file systems), the files are looked at this often.
const LOOK: Duration = Duration::from_secs(2);

/// See the module.
pub struct Follower {
    files: Vec<PathBuf>,
    /// As they were read last, right or wrong; none where they could not be.
    texts: Option<Texts>,
}

impl Follower {
    /// Follows `files`, which said `texts` when they were read first.
    pub fn new(files: Vec<PathBuf>, texts: Option<Texts>) -> Self {
        Self { files, texts }
    }

    /// Gives every edit to `taker`, for ever.
    pub async fn follow(mut self, taker: Arc<Taker>) {
        let (tell, mut changed) = mpsc::channel(1);
        let _watcher = watch(&self.files, &tell);
        let from = super::named(&self.files);
        loop {
            let _ = time::timeout(LOOK, changed.recv()).await;
            while changed.try_recv().is_ok() {}
            match self.settled().await {
                Some(Ok(texts)) => taker.take(&from, self.texts.insert(texts)),
                Some(Err(e)) => {
                    // Whatever can be read next is news.
                    self.texts = None;
                    taker.refuse(&from, None, &e);
                }
                None => {}
            }
        }
    }

    /// What the files say now, if that is news, once nobody is at writing them.
    async fn settled(&self) -> Option<Result<Texts, ConfigError>> {
        let mut before = Texts::read(&self.files);
        for _ in 0..UNSETTLED {
            if before.as_ref().is_ok_and(|texts| self.texts.as_ref() == Some(texts)) {
                return None;
            }
            let empty = before.as_ref().map_or(true, Texts::is_empty);
            time::sleep(if empty { SETTLE_EMPTY } else { SETTLE }).await;
            let now = Texts::read(&self.files);
            let same = match (&before, &now) {
                (Ok(before), Ok(now)) => before == now,
                (Err(before), Err(now)) => before.to_string() == now.to_string(),
                _ => false,
            };
            if same {
                return Some(now);
            }
            before = now;
        }
        Some(before)
    }
}

/// Watches the directories: a file that is replaced (by an editor, or a `ConfigMap`'s link) is another file.
fn watch(files: &[PathBuf], tell: &mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let tell = tell.clone();
    let handler = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = tell.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(handler).ok()?;
    let directory = |file: &PathBuf| {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    };
    for directory in files.iter().map(directory).collect::<BTreeSet<_>>() {
        if let Err(e) = watcher.watch(&directory, notify::RecursiveMode::NonRecursive) {
            tracing::warn!(directory = %directory.display(), error = %e, "edits are noticed by looking every 2 s only");
        }
    }
    Some(watcher)
}
