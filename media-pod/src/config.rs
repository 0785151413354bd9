//! The configuration file: read, watched, taken or refused.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use millrace_crds::{Diagnostic, Loaded, Resolved, load_with_warnings};
use notify::Watcher as _;
use tokio::{sync::mpsc, time};

use crate::{not_yet, plan::Plan, pod::Pod};

/// Where the file is looked for if nobody says.
pub const DEFAULT: &str = "/etc/millrace/millrace.yaml";
/// Larger files are refused before they are read, in bytes.
const LARGEST: u64 = 16 << 20;
/// An editor writes a file in several steps: an edit is what stays the same for this long.
const SETTLE: Duration = Duration::from_millis(30);
/// The same for one that leaves nothing: that is mostly the first of two steps.
const SETTLE_EMPTY: Duration = Duration::from_secs(1);
/// An edit that does not settle is looked at after so many times.
const UNSETTLED: u32 = 20;
/// Where no event comes (some network file systems), the file is looked at this often.
const LOOK: Duration = Duration::from_secs(2);

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error("{}: is larger than 16 MiB, and so no configuration", .0.display())]
    Size(PathBuf),
    /// It is wrong: all that is.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Diagnostic>),
}

/// A configuration that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Names its content.
    pub revision: String,
    /// When.
    pub at: SystemTime,
}

/// An edit that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: SystemTime,
    /// All that is wrong.
    pub diagnostics: Vec<String>,
}

/// How reading the configuration went, for whoever asks.
#[derive(Debug)]
pub struct Reports(Mutex<(Report, Option<Refused>)>);

impl Reports {
    /// The configuration that runs.
    pub fn loaded(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Why the newest edit does not run, if it does not.
    pub fn last_error(&self) -> Option<Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

/// The text of a configuration file.
pub fn read(file: &Path) -> Result<String, ConfigError> {
    let failed = |e| ConfigError::Read { file: file.to_owned(), source: e };
    if fs::metadata(file).map_err(failed)?.len() > LARGEST {
        return Err(ConfigError::Size(file.to_owned()));
    }
    fs::read_to_string(file).map_err(failed)
}

/// What the text of `file` says.
pub fn understand(file: &Path, text: &str) -> Result<Loaded, ConfigError> {
    load_with_warnings(&file.display().to_string(), text).map_err(ConfigError::Wrong)
}

/// What a person should know of it, though it is right.
pub fn warnings(loaded: &Loaded) -> Vec<String> {
    let written = loaded.warnings.iter().map(ToString::to_string);
    written.chain(not_yet::without_effect(&loaded.resolved)).collect()
}

/// Follows a file: what it says now, and what becomes of it.
pub struct Follower {
    file: PathBuf,
    /// As it was read last, right or wrong; none where it could not be.
    text: Option<String>,
    reports: Arc<Reports>,
}

impl Follower {
    /// Reads `file` for the first time.
    pub fn begin(file: PathBuf) -> Result<(Self, Loaded), ConfigError> {
        let text = read(&file)?;
        let loaded = understand(&file, &text)?;
        let report = Report { file: file.clone(), revision: revision(&text), at: SystemTime::now() };
        let reports = Arc::new(Reports(Mutex::new((report, None))));
        Ok((Self { file, text: Some(text), reports }, loaded))
    }

    /// How it goes.
    pub fn reports(&self) -> Arc<Reports> {
        self.reports.clone()
    }

    /// Takes every edit that is right, and says what is wrong with the others, for ever.
    /// `taken` is told of each one that runs.
    pub async fn follow(mut self, pod: Arc<Pod>, taken: impl Fn(&Resolved)) {
        let (tell, mut changed) = mpsc::channel(1);
        let _watcher = watch(&self.file, tell);
        loop {
            let _ = time::timeout(LOOK, changed.recv()).await;
            while changed.try_recv().is_ok() {}
            if let Some(text) = self.settled().await {
                self.look(text, &pod, &taken);
            }
        }
    }

    /// What the file says now, if that is news, once nobody is at writing it.
    async fn settled(&self) -> Option<Result<String, ConfigError>> {
        let mut before = read(&self.file);
        for _ in 0..UNSETTLED {
            if before.as_ref().is_ok_and(|text| self.text.as_ref() == Some(text)) {
                return None;
            }
            let empty = before.as_ref().map_or(true, |text| text.trim().is_empty());
            time::sleep(if empty { SETTLE_EMPTY } else { SETTLE }).await;
            let now = read(&self.file);
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

    fn look(&mut self, text: Result<String, ConfigError>, pod: &Pod, taken: &impl Fn(&Resolved)) {
        let text = match text {
            Ok(text) => self.text.insert(text),
            Err(e) => {
                // Whatever can be read next is news.
                self.text = None;
                return self.refuse(vec![e.to_string()]);
            }
        };
        let revision = revision(text);
        match understand(&self.file, text) {
            Ok(loaded) => {
                for warning in warnings(&loaded) {
                    tracing::warn!("{warning}");
                }
                let plan = pod.apply(loaded.resolved);
                taken(&pod.resolved());
                let report = Report { file: self.file.clone(), revision, at: SystemTime::now() };
                tracing::info!(revision = %report.revision, changes = %describe(&plan), "configuration taken");
                *self.reports.0.lock().unwrap_or_else(PoisonError::into_inner) = (report, None);
            }
            Err(ConfigError::Wrong(diagnostics)) => {
                self.refuse(diagnostics.iter().map(ToString::to_string).collect());
            }
            Err(e) => self.refuse(vec![e.to_string()]),
        }
    }

    fn refuse(&self, diagnostics: Vec<String>) {
        let mut reports = self.reports.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reports.1.as_ref().is_some_and(|before| before.diagnostics == diagnostics) {
            return;
        }
        tracing::error!(file = %self.file.display(), "the edit was refused, the configuration before it goes on");
        for diagnostic in &diagnostics {
            tracing::error!("{diagnostic}");
        }
        reports.1 = Some(Refused { at: SystemTime::now(), diagnostics });
    }
}

/// Watches the directory: a file that is replaced (by an editor, or a `ConfigMap`'s link) is another file.
fn watch(file: &Path, tell: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let handler = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = tell.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(handler).ok()?;
    let watching = watcher.watch(directory, notify::RecursiveMode::NonRecursive);
    if let Err(e) = &watching {
        tracing::warn!(directory = %directory.display(), error = %e, "edits are noticed by looking every 2 s only");
    }
    watching.ok().map(|()| watcher)
}

fn describe(plan: &Plan) -> String {
    let all = plan.feeds.iter().map(|(name, change)| format!("feed {name}: {change:?}"));
    let all: Vec<_> =
        all.chain(plan.streams.iter().map(|(name, change)| format!("stream {name}: {change:?}"))).collect();
    match all.len() {
        0 => "none of feeds and streams".to_owned(),
        1..=20 => all.join(", "),
        many => format!("{many} feeds and streams"),
    }
}

fn revision(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let number = digest.as_ref().iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:012x}")
}
