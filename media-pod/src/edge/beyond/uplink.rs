//! One upstream: the link to it, kept up for as long as the Cluster names it, and more of them where one does not carry
//! all that is watched.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use millrace_link::{
    avrs::{Join, Way},
    client::{ClientError, connect_known},
    net::{Link, SessionClient, SessionError, Wish},
    wire::Notice,
};
use tokio::{
    sync::{Mutex as Turn, watch},
    task::AbortHandle,
    time::{self, timeout},
};

use super::{
    super::{count, session::target},
    choice::{Said, short},
    config::Config,
    pulled::Pulled,
};
use crate::linking::{Lines, Listed, Peer};

/// For a connection and both handshakes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// An answer of an upstream is waited for so long.
const ANSWER: Duration = Duration::from_secs(4);
/// The first try to reach it is waited for so long.
const FIRST: Duration = Duration::from_secs(2);
/// Streams on one link: a media pod allows 64 sessions, of which some are left for questions.
const MOST_PULLS: usize = 48;
/// Links to one upstream at most.
const MOST_LINKS: usize = 32;
/// Different complaints that are logged at most; each is logged once.
const MOST_COMPLAINTS: usize = 100;

/// Whether it can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is dialled for the first time.
    Dialling,
    /// There is a link.
    Up,
    /// There is none, and why.
    Away(String),
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub sessions: AtomicU64,
    pub failures: AtomicU64,
    pub bytes: AtomicU64,
    pub loops: AtomicU64,
    pub lost: AtomicU64,
}

/// One link, open as long as somebody holds this.
pub(super) struct Line {
    pub client: Arc<SessionClient>,
    pub link: Link,
    listed: Listed,
    taken: Arc<()>,
}

/// A place for one session on a link.
pub(super) struct Seat {
    pub line: Arc<Line>,
    _taken: Arc<()>,
}

impl Line {
    /// Its number in the list of links.
    pub fn id(&self) -> u64 {
        self.listed.id()
    }

    fn is_up(&self) -> bool {
        self.link.close_reason().is_none()
    }

    fn sessions(&self) -> usize {
        Arc::strong_count(&self.taken) - 1
    }

    fn seat(self: &Arc<Self>) -> Seat {
        Seat { line: self.clone(), _taken: self.taken.clone() }
    }
}

/// See the module.
pub(super) struct Uplink {
    pub config: Config,
    pub counts: Counts,
    reach: watch::Sender<Reach>,
    /// Counts all that have come up, of all upstreams.
    risen: watch::Sender<u64>,
    lines: Mutex<Vec<Weak<Line>>>,
    /// One more link at a time.
    turn: Turn<()>,
    all: Arc<Lines>,
    complaints: Mutex<HashSet<String>>,
    task: Mutex<Option<AbortHandle>>,
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.end();
    }
}

impl Uplink {
    /// Keeps a link from now on.
    pub fn start(config: Config, all: Arc<Lines>, risen: watch::Sender<u64>) -> Arc<Self> {
        let uplink = Arc::new(Self {
            config,
            counts: Counts::default(),
            reach: watch::Sender::new(Reach::Dialling),
            risen,
            lines: Mutex::default(),
            turn: Turn::new(()),
            all,
            complaints: Mutex::default(),
            task: Mutex::default(),
        });
        let task = tokio::spawn(keep(Arc::downgrade(&uplink))).abort_handle();
        *lock(&uplink.task) = Some(task);
        uplink
    }

    /// The Cluster does not name it any more, or in another way: who watches what it has asks anew.
    pub fn end(&self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        for line in self.lines() {
            line.link.close(&Notice::done());
        }
    }

    /// Whether it can be asked.
    pub fn reach(&self) -> Reach {
        self.reach.borrow().clone()
    }

    /// Links that are up.
    fn lines(&self) -> Vec<Arc<Line>> {
        let mut lines = lock(&self.lines);
        lines.retain(|line| line.strong_count() > 0);
        lines.iter().filter_map(Weak::upgrade).filter(|line| line.is_up()).collect()
    }

    /// Whether it has `path`, for a request that went this way.
    pub async fn has(&self, path: &str, way: &Way) -> Said {
        let mut reach = self.reach.subscribe();
        // Who has just started knows in a moment.
        let _ = timeout(FIRST, reach.wait_for(|reach| *reach != Reach::Dialling)).await;
        let Some(line) = self.lines().first().cloned() else {
            return Said::Away(match self.reach() {
                Reach::Away(why) => why,
                _ => "it does not answer".to_owned(),
            });
        };
        let (path, way, credentials) = (target(path), way.clone(), self.config.credentials());
        // In a task of its own: a session is not left half-begun where who asked hangs up.
        let asking = tokio::spawn(async move { line.client.may_by(&path, &credentials, &way).await });
        let said = match timeout(ANSWER, asking).await {
            Ok(Ok(Ok(()))) => return Said::Yes,
            Ok(Ok(Err(error))) => Said::by(&error),
            Ok(Err(_)) | Err(_) => Said::Away(format!("it gave no answer in {} s", ANSWER.as_secs())),
        };
        self.complain(&said);
        said
    }

    /// A session of `path`. None waits for another.
    pub async fn pull(self: &Arc<Self>, path: Arc<str>, way: Way) -> Result<Pulled, Said> {
        let beginning = tokio::spawn(self.clone().begin(path, way));
        let begun = timeout(ANSWER + PATIENCE, beginning).await;
        let late = || Err(Said::Away("it began no session in time".to_owned()));
        let begun = begun.map_or_else(|_| late(), |begun| begun.unwrap_or_else(|_| late()));
        match &begun {
            Ok(_) => count(&self.counts.sessions),
            Err(said) => {
                count(&self.counts.failures);
                self.complain(said);
            }
        }
        begun
    }

    async fn begin(self: Arc<Self>, path: Arc<str>, way: Way) -> Result<Pulled, Said> {
        let seat = self.seat().await.map_err(Said::Away)?;
        let wish = Wish {
            target: target(&path),
            credentials: Bytes::from(self.config.credentials()),
            join: Join::LastKeyframe,
            position: None,
        };
        let session = seat.line.client.begin_by(&wish, &way).await.map_err(|error| Said::by(&error))?;
        Ok(Pulled::new(session, seat, &self.all, path))
    }

    /// A place on a link with room for one more session.
    async fn seat(&self) -> Result<Seat, String> {
        let _turn = self.turn.lock().await;
        let lines = self.lines();
        if let Some(line) = lines.iter().find(|line| line.sessions() < MOST_PULLS) {
            return Ok(line.seat());
        }
        match lines.len() {
            0 => Err(match self.reach() {
                Reach::Away(why) => why,
                _ => "there is no link".to_owned(),
            }),
            MOST_LINKS.. => Err(format!("{} streams of it are watched: no room", MOST_LINKS * MOST_PULLS)),
            _ => Ok(self.dial().await?.seat()),
        }
    }

    async fn dial(&self) -> Result<Arc<Line>, String> {
        let address = self.config.address()?;
        let options = self.config.options(&address)?;
        let dialled = timeout(PATIENCE, async {
            let (link, peer) = connect_known(&address, &options).await.map_err(|e| match e {
                ClientError::Connect { cause, .. } => cause.to_string(),
                other => other.to_string(),
            })?;
            let client = SessionClient::new(&link).await.map_err(|e: SessionError| e.to_string())?;
            Ok::<_, String>((link, peer, client))
        });
        let late = |_| Err("it does not answer in time".to_owned());
        let (link, peer, client) = dialled.await.unwrap_or_else(late).map_err(|why| short(&why))?;
        let listed = self.all.list(&link, Peer::Upstream, self.config.name.to_string(), peer);
        let new = Arc::new(Line { client, link, listed, taken: Arc::default() });
        lock(&self.lines).push(Arc::downgrade(&new));
        Ok(new)
    }

    /// Says what is wrong, once.
    fn complain(&self, said: &Said) {
        let why = match said {
            Said::Loop(why) => {
                count(&self.counts.loops);
                why
            }
            Said::Refused(why) => why,
            Said::Yes | Said::No(_) | Said::Away(_) => return,
        };
        let mut known = lock(&self.complaints);
        if known.len() < MOST_COMPLAINTS && known.insert(why.clone()) {
            tracing::warn!(upstream = %self.config.name, %why, "an upstream refuses");
        }
    }

    /// What it has comes from here: that is of no use.
    pub fn comes_from_here(&self, from: &Way) -> Said {
        let said = Said::Loop(short(&format!("what it has comes from here: {from}")));
        self.complain(&said);
        said
    }

    fn rose(&self, line: &Line) {
        tracing::info!(upstream = %self.config.name, url = self.config.url, link = line.id(), "link to an upstream");
        self.reach.send_replace(Reach::Up);
        self.risen.send_modify(|count| *count += 1);
    }

    fn fell(&self, why: &str) {
        let before = self.reach.send_replace(Reach::Away(why.to_owned()));
        match before {
            Reach::Up => {
                count(&self.counts.lost);
                tracing::warn!(upstream = %self.config.name, %why, "the link to an upstream is over");
            }
            Reach::Away(before) if before == why => {}
            _ => tracing::warn!(upstream = %self.config.name, %why, "no link to an upstream"),
        }
    }

    /// Streams that flow.
    pub fn sessions(&self) -> usize {
        self.lines().iter().map(|line| line.sessions()).sum()
    }

    /// Counts bytes that came.
    pub fn received(&self, bytes: usize) {
        self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Keeps the first link of an upstream, for as long as that is there.
async fn keep(uplink: Weak<Uplink>) {
    let mut backoff = Config::backoff();
    loop {
        let Some(this) = uplink.upgrade() else { return };
        let dialled = this.dial().await;
        match dialled {
            Ok(line) => {
                this.rose(&line);
                drop(this);
                let began = time::Instant::now();
                let why = line.link.closed().await;
                drop(line);
                let Some(this) = uplink.upgrade() else { return };
                this.fell(&short(&why.to_string()));
                // One that breaks at once is a failure, too.
                if began.elapsed() > PATIENCE {
                    backoff.succeeded();
                }
            }
            Err(why) => this.fell(&why),
        }
        time::sleep(backoff.failed()).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
