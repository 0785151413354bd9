//! The operator's end: takes the connections of media pods, tells who is there and what they do, and sends them what
//! they are to run.

mod connection;
mod outbox;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time,
};
use tokio_rustls::TlsAcceptor;

use self::outbox::{Outbox, Waiting};
use crate::{
    link::Members,
    message::{Beat, Configuration, Directory, Edges, Fence, Hello, Ownership, Vouched},
    tls::{self, CertificateAndKey, TlsError},
};

/// Connections of whom nobody knows yet.
const STRANGERS: usize = 256;
/// Events that wait for who takes them; then connections wait, too.
const EVENTS: usize = 1024;
/// After an accept that failed (no descriptors, mostly).
const BREATH: Duration = Duration::from_millis(100);

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 for any.
    pub listen: SocketAddr,
    /// The name of this replica of the operator, for media pods' logs.
    pub replica: String,
    /// The most connections at a time; further ones are closed at once.
    pub max_connections: usize,
    /// Within this a connection must have said who it is, and proved it.
    pub hello_within: Duration,
    /// Who says nothing for this long, or for four of the intervals that it announced, is gone.
    pub silence: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 9443)),
            replica: String::new(),
            max_connections: 20_000,
            hello_within: Duration::from_secs(5),
            silence: Duration::from_secs(5),
        }
    }
}

/// Whether who says this hello is who it says; otherwise a sentence that says what is wrong (it is sent and logged).
/// Must not block. See [`token::same`](crate::token::same).
pub type Authenticate = dyn Fn(&Hello) -> Result<(), String> + Send + Sync;

/// What happens at media pods, in the order in which it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// One is there. If one of the same UID was there before, that connection is closed, and what is known by it is old;
    /// there is no [`Event::Gone`] between the two.
    Joined {
        /// Who it is.
        hello: Hello,
        /// Counts the connections of this server as they are accepted.
        connection: u64,
    },
    /// It beats. The first beat after [`Event::Joined`] has feeds and streams; in later ones nothing means: as before.
    Beat {
        /// The pod's UID.
        uid: String,
        /// What it said.
        beat: Beat,
    },
    /// Its connection ended, or it was silent for too long.
    Gone {
        /// The pod's UID.
        uid: String,
        /// Whether the pod itself has closed or reset it; otherwise it was silent, or the network or this end ended it.
        by_peer: bool,
    },
}

/// Why it cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("{address}: {source}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why it cannot.
        source: io::Error,
    },
}

/// The operator's end. Dropping it closes all connections.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinSet<()>,
}

/// What all connections share.
struct Shared {
    options: Options,
    tls: TlsAcceptor,
    authenticate: Box<Authenticate>,
    events: mpsc::Sender<Event>,
    /// By UID.
    pods: Mutex<HashMap<String, Arc<Outbox>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens, and accepts from now on. Events are to be taken without long pauses: connections wait for that.
    ///
    /// # Errors
    /// Where the certificate cannot be used, or nobody can listen there.
    pub async fn start(
        options: Options,
        shown: &CertificateAndKey,
        authenticate: impl Fn(&Hello) -> Result<(), String> + Send + Sync + 'static,
    ) -> Result<(Self, mpsc::Receiver<Event>), ServerError> {
        let tls = tls::server(&shown.certificate, &shown.key)?.into();
        let named = |source| ServerError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(named)?;
        let address = listener.local_addr().map_err(named)?;
        let (events, receiver) = mpsc::channel(EVENTS);
        let authenticate = Box::new(authenticate);
        let shared = Arc::new(Shared { options, tls, authenticate, events, pods: Mutex::default() });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, shared.clone()));
        Ok((Self { shared, address, accepting }, receiver))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a configuration to the media pod of this UID, unless it was the last one sent on its connection; one that
    /// still waits is replaced. Whether there is one.
    pub fn configure(&self, uid: &str, configuration: Arc<Configuration>) -> bool {
        self.put(uid, |waiting| waiting.configuration = Some(configuration))
    }

    /// Sends a directory to the media pod of this UID, unless it was the last one sent on its connection; one that still
    /// waits is replaced. Whether there is one.
    pub fn direct(&self, uid: &str, directory: Arc<Directory>) -> bool {
        self.put(uid, |waiting| waiting.directory = Some(directory))
    }

    /// Tells the server pod of this UID what it owns, unless it was the last that was said on its connection. Whether
    /// there is one.
    pub fn own(&self, uid: &str, ownership: Arc<Ownership>) -> bool {
        self.put(uid, |waiting| waiting.ownership = Some(ownership))
    }

    /// Tells the media pod of this UID whose word counts, unless it was the last that was said on its connection. Whether
    /// there is one.
    pub fn introduce(&self, uid: &str, members: Arc<Members>) -> bool {
        self.put(uid, |waiting| waiting.members = Some(members))
    }

    /// Tells the balancer of this UID of all balancers, unless it was the last that was said on its connection. Whether
    /// there is one.
    pub fn edges(&self, uid: &str, edges: Arc<Edges>) -> bool {
        self.put(uid, |waiting| waiting.edges = Some(edges))
    }

    /// Tells the balancer of this UID of epochs; those of a feed that still wait are replaced. Whether there is one.
    pub fn fence(&self, uid: &str, fences: Vec<Fence>) -> bool {
        self.put(uid, |waiting| {
            waiting.fences.extend(fences.into_iter().map(|fence| (fence.feed.clone(), fence)));
        })
    }

    /// Answers a beat of the server pod of this UID. Whether there is one.
    pub fn vouch(&self, uid: &str, vouched: Vouched) -> bool {
        self.put(uid, |waiting| waiting.vouched = Some(vouched))
    }

    /// Ends the connection of the media pod of this UID, which is told why. Whether there was one.
    pub fn disconnect(&self, uid: &str, why: &str) -> bool {
        self.put(uid, |waiting| waiting.refused = Some(why.to_owned()))
    }

    /// How many media pods are there.
    pub fn connected(&self) -> usize {
        self.shared.pods().len()
    }

    /// Closes all connections, and comes back when nobody listens any more.
    pub async fn stop(mut self) {
        self.accepting.shutdown().await;
    }

    fn put(&self, uid: &str, what: impl FnOnce(&mut Waiting)) -> bool {
        self.shared.pods().get(uid).map(|outbox| outbox.put(what)).is_some()
    }
}

impl Shared {
    fn pods(&self) -> MutexGuard<'_, HashMap<String, Arc<Outbox>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: nobody takes events any more.
    async fn join(&self, hello: Hello, connection: u64, outbox: &Arc<Outbox>) -> bool {
        let Ok(place) = self.events.reserve().await else { return false };
        let mut pods = self.pods();
        if let Some(before) = pods.insert(hello.uid.clone(), outbox.clone()) {
            before.refuse("the same media pod has connected again".to_owned());
        }
        place.send(Event::Joined { hello, connection });
        true
    }

    /// Tells `event` of `uid`; false where another connection has taken its place.
    async fn tell(&self, uid: &str, outbox: &Arc<Outbox>, event: Event) -> bool {
        let Ok(place) = self.events.reserve().await else { return false };
        let pods = self.pods();
        let is_current = pods.get(uid).is_some_and(|current| Arc::ptr_eq(current, outbox));
        if is_current {
            place.send(event);
        }
        is_current
    }

    async fn leave(&self, uid: &str, outbox: &Arc<Outbox>, by_peer: bool) {
        let place = self.events.reserve().await;
        let mut pods = self.pods();
        if pods.get(uid).is_some_and(|current| Arc::ptr_eq(current, outbox)) {
            pods.remove(uid);
            if let Ok(place) = place {
                place.send(Event::Gone { uid: uid.to_owned(), by_peer });
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    let mut connections = JoinSet::new();
    let mut accepted = 0;
    loop {
        while connections.try_join_next().is_some() {}
        // Who cannot be looked at yet waits in the listener's queue.
        let Ok(stranger) = strangers.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((tcp, peer)) if connections.len() < shared.options.max_connections => {
                accepted += 1;
                connections.spawn(connection::run(tcp, (peer, accepted), shared.clone(), stranger));
            }
            Ok((_, peer)) => tracing::warn!(%peer, "refused: as many connections as are allowed"),
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                time::sleep(BREATH).await;
            }
        }
    }
}
