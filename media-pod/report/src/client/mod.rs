//! The media pod's end: one connection to each replica of the operator, for ever.

mod connection;
mod dial;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time,
};

use crate::{
    link::Members,
    message::{Beat, Configuration, Directory, Edges, Fence, Hello, Ownership, Vouched},
};

/// Between two looks at where the replicas are.
const LOOK: Duration = Duration::from_secs(2);
/// How long a look may take.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);
/// Words that wait for who takes them.
const WORDS: usize = 64;
/// More replicas than this are not talked to.
const MOST_REPLICAS: usize = 8;

/// How to reach the operator.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT`, or several with commas between; every address that a host has is a replica.
    pub address: String,
    /// The operator's certificate, in PEM; another one counts from the next connection on.
    pub certificate: watch::Receiver<String>,
    /// Between two beats while nothing changes.
    pub interval: watch::Receiver<Duration>,
}

/// What to tell the operator. Whoever keeps the senders says what is new; it is told at once, and at most every
/// 100 ms.
#[derive(Clone, Debug)]
pub struct Told {
    /// Who is there. A change is told by connecting again.
    pub hello: watch::Receiver<Hello>,
    /// All of what is, with all feeds and streams. What a replica knows already is left out on the wire.
    pub beat: watch::Receiver<Arc<Beat>>,
}

/// What the operator said last. Both are empty until it has said something.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The configuration with the highest revision so far.
    pub configuration: watch::Receiver<Option<Arc<Configuration>>>,
    /// The directory that came last.
    pub directory: watch::Receiver<Option<Arc<Directory>>>,
    /// What this server pod owns, as it was said last.
    pub ownership: watch::Receiver<Option<Arc<Ownership>>>,
    /// Whose word counts on links, as it was said last.
    pub members: watch::Receiver<Option<Arc<Members>>>,
    /// All balancers of the Cluster, as it was said last.
    pub edges: watch::Receiver<Option<Arc<Edges>>>,
    /// Replicas that are connected and have said welcome.
    pub connected: watch::Receiver<usize>,
}

/// What the operator says of which every word counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// Epochs that exist.
    Fences(Vec<Fence>),
    /// The leader vouches.
    Vouched(Vouched),
}

/// The connections. Dropping it ends them.
#[derive(Debug)]
pub struct Client {
    heard: Heard,
    words: Mutex<Option<mpsc::Receiver<Word>>>,
    _tasks: JoinSet<()>,
}

/// What every connection writes to.
#[derive(Debug)]
struct News {
    configuration: watch::Sender<Option<Arc<Configuration>>>,
    directory: watch::Sender<Option<Arc<Directory>>>,
    ownership: watch::Sender<Option<Arc<Ownership>>>,
    members: watch::Sender<Option<Arc<Members>>>,
    edges: watch::Sender<Option<Arc<Edges>>>,
    words: mpsc::Sender<Word>,
    connected: watch::Sender<usize>,
}

/// What every connection needs.
struct Context {
    name: String,
    certificate: watch::Receiver<String>,
    interval: watch::Receiver<Duration>,
    told: Told,
    news: News,
    /// Beats are stamped with the time since then.
    began: Instant,
}

impl Client {
    /// Begins to connect. To be called within a tokio runtime. A certificate that cannot be used is in the log, until there
    /// is another one. Beats are stamped with the time since `began`.
    pub fn start(options: Options, told: Told, began: Instant) -> Self {
        let (words, every_word) = mpsc::channel(WORDS);
        let news = News {
            configuration: watch::Sender::new(None),
            directory: watch::Sender::new(None),
            ownership: watch::Sender::new(None),
            members: watch::Sender::new(None),
            edges: watch::Sender::new(None),
            words,
            connected: watch::Sender::new(0),
        };
        let heard = Heard {
            configuration: news.configuration.subscribe(),
            directory: news.directory.subscribe(),
            ownership: news.ownership.subscribe(),
            members: news.members.subscribe(),
            edges: news.edges.subscribe(),
            connected: news.connected.subscribe(),
        };
        let Options { address: name, certificate, interval } = options;
        let context = Context { name, certificate, interval, told, news, began };
        let mut tasks = JoinSet::new();
        tasks.spawn(find(Arc::new(context)));
        Self { heard, words: Mutex::new(Some(every_word)), _tasks: tasks }
    }

    /// What the operator says.
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// What the operator says of which every word counts: for the first who asks. Connections wait for who took it.
    pub fn words(&self) -> Option<mpsc::Receiver<Word>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Looks where the replicas are, for ever, and keeps a connection to each.
async fn find(context: Arc<Context>) {
    let (there, wanted) = watch::channel(BTreeSet::new());
    let mut dialled: JoinSet<SocketAddr> = JoinSet::new();
    let mut dialling = BTreeSet::new();
    let mut tick = time::interval(LOOK);
    tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut failed = None;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            Some(ended) = dialled.join_next(), if !dialled.is_empty() => {
                if let Ok(address) = ended {
                    dialling.remove(&address);
                }
                continue;
            }
        }
        match look(&context.name).await {
            // Whom we talk to we go on talking to: names come and go while a replica starts.
            Ok(found) => {
                failed = None;
                there.send_replace(found);
            }
            Err(why) if failed.as_ref() != Some(&why) => {
                tracing::warn!(error = %why, "the operator's address is not known yet");
                failed = Some(why);
            }
            Err(_) => {}
        }
        let new: Vec<_> = there.borrow().difference(&dialling).copied().collect();
        for address in new {
            dialling.insert(address);
            let (context, wanted) = (context.clone(), wanted.clone());
            dialled.spawn(async move {
                dial::dial(address, &context, &wanted).await;
                address
            });
        }
    }
}

async fn look(names: &str) -> Result<BTreeSet<SocketAddr>, String> {
    let mut all = BTreeSet::new();
    for name in names.split(',').map(str::trim) {
        match time::timeout(LOOK_PATIENCE, tokio::net::lookup_host(name)).await {
            Ok(Ok(found)) => all.extend(found.take(MOST_REPLICAS)),
            Ok(Err(e)) => return Err(format!("{name}: {e}")),
            Err(_) => return Err(format!("{name}: no answer within {} s", LOOK_PATIENCE.as_secs())),
        }
    }
    Ok(all.into_iter().take(MOST_REPLICAS).collect())
}
