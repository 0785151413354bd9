//! One link to each balancer, made again whenever it is lost.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_link::{
    Role, Side,
    net::{Backoff, Link, accept_tcp},
};
use tokio::{
    net::{TcpStream, lookup_host},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{self, timeout},
};

use super::{Origin, serve};

/// Between two looks at who the balancers are.
const RESOLVE: Duration = Duration::from_secs(2);
/// What a name is does not take longer to be told.
const LOOKUP: Duration = Duration::from_secs(5);
/// A balancer of the same cluster that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(6);
/// A link that was up for so long was a good one: it is made again at once.
const GOOD: Duration = Duration::from_secs(1);

type Addresses = BTreeSet<SocketAddr>;

/// Keeps a link to each address of `to`, and of what `edges` say, for ever.
pub(super) async fn keep(origin: Arc<Origin>, to: Vec<String>, mut edges: watch::Receiver<Vec<String>>) {
    let wanted = watch::Sender::new(Addresses::new());
    let (mut names, mut links) = (Names::default(), Dialling::default());
    loop {
        let told = edges.borrow_and_update().clone();
        let known: Vec<&String> = to.iter().chain(&told).collect();
        // What needs no question is dialled before anything is asked.
        names.read(&known);
        links.dial(&origin, names.addresses(&known), &wanted);
        tokio::select! {
            biased;
            Ok(()) = edges.changed() => continue,
            () = names.ask(&known) => {}
        }
        links.dial(&origin, names.addresses(&known), &wanted);
        tokio::select! {
            Ok(()) = edges.changed() => {}
            () = time::sleep(RESOLVE) => {}
        }
    }
}

/// Where names were found last.
#[derive(Default)]
struct Names {
    found: BTreeMap<String, Addresses>,
    wrong: BTreeMap<String, String>,
}

impl Names {
    /// Takes those that are addresses, and forgets all that are none of `names`.
    fn read(&mut self, names: &[&String]) {
        self.found.retain(|name, _| names.contains(&name));
        for &name in names {
            if let Ok(address) = name.parse() {
                self.found.entry(name.clone()).or_insert_with(|| [address].into());
            }
        }
    }

    /// Asks where the others are. What cannot be found stays where it was.
    async fn ask(&mut self, names: &[&String]) {
        for &name in names {
            if name.parse::<SocketAddr>().is_ok() {
                continue;
            }
            let late = || io::Error::new(io::ErrorKind::TimedOut, "nobody answers what its address is");
            match timeout(LOOKUP, lookup_host(name.as_str())).await.unwrap_or_else(|_| Err(late())) {
                Ok(addresses) => {
                    self.found.insert(name.clone(), addresses.collect());
                    self.wrong.remove(name);
                }
                Err(e) => {
                    let wrong = e.to_string();
                    if self.wrong.insert(name.clone(), wrong.clone()).as_ref() != Some(&wrong) {
                        tracing::warn!(to = %name, error = %wrong, "the balancers are not found");
                    }
                }
            }
        }
    }

    fn addresses(&self, names: &[&String]) -> Addresses {
        names.iter().filter_map(|name| self.found.get(*name)).flatten().copied().collect()
    }
}

/// A task for each address.
#[derive(Default)]
struct Dialling {
    tasks: JoinSet<()>,
    running: HashMap<SocketAddr, AbortHandle>,
}

impl Dialling {
    fn dial(&mut self, origin: &Arc<Origin>, addresses: Addresses, wanted: &watch::Sender<Addresses>) {
        while self.tasks.try_join_next().is_some() {}
        self.running.retain(|_, task| !task.is_finished());
        wanted.send_if_modified(|before| {
            let another = *before != addresses;
            before.clone_from(&addresses);
            another
        });
        for address in addresses {
            let tasks = &mut self.tasks;
            self.running
                .entry(address)
                .or_insert_with(|| tasks.spawn(one(origin.clone(), address, wanted.subscribe())));
        }
    }
}

/// Keeps a link to `address` while there should be one. A link that is up stays up, whatever names say.
async fn one(origin: Arc<Origin>, address: SocketAddr, mut wanted: watch::Receiver<Addresses>) {
    let fresh = || Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    let (mut backoff, mut said) = (fresh(), false);
    while wanted.borrow().contains(&address) {
        match dial(&origin, address).await {
            Ok((link, local)) => {
                tracing::info!(%address, "link to a balancer");
                let began = Instant::now();
                let why = serve::serve(&origin, link, local, address).await;
                tracing::info!(%address, %why, "the link to a balancer is over");
                if began.elapsed() >= GOOD {
                    (backoff, said) = (fresh(), false);
                    continue;
                }
            }
            Err(e) if !said => {
                tracing::warn!(%address, error = %e, "no link to this balancer");
                said = true;
            }
            Err(e) => tracing::debug!(%address, error = %e, "still no link to this balancer"),
        }
        tokio::select! {
            () = time::sleep(backoff.failed()) => {}
            _ = wanted.wait_for(|wanted| !wanted.contains(&address)) => {}
        }
    }
    tracing::info!(%address, "this balancer is not there any more");
}

async fn dial(origin: &Origin, address: SocketAddr) -> io::Result<(Link, IpAddr)> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it does not take connections");
    let socket = timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| late())??;
    let local = socket.local_addr()?.ip();
    let link = accept_tcp(socket, origin.identity.config(Side::Dialer))?;
    let silent = || io::Error::new(io::ErrorKind::TimedOut, "it does not shake hands");
    let peer = timeout(HANDSHAKE, link.ready()).await.map_err(|_| silent())?;
    let peer = peer.map_err(|why| io::Error::other(why.to_string()))?;
    if !peer.role.has(Role::BALANCER) {
        return Err(io::Error::other(format!("it is {:?}, no balancer", peer.role)));
    }
    Ok((link, local))
}
