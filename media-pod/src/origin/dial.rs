//! One link to each balancer, made again whenever it is lost.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millrace_link::{
    Role, Side,
    net::{Backoff, Link, accept_tcp},
};
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::{self, timeout},
};

use super::{Origin, serve};

/// Between two looks at who the balancers are.
const RESOLVE: Duration = Duration::from_secs(2);
/// A balancer of the same cluster that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(6);

type Wanted = Arc<Mutex<HashSet<SocketAddr>>>;

/// Keeps a link to each address of `to`, for ever.
pub(super) async fn keep(origin: Arc<Origin>, to: String) {
    let (wanted, mut tasks) = (Wanted::default(), JoinSet::new());
    let mut running: HashMap<SocketAddr, tokio::task::AbortHandle> = HashMap::new();
    let mut was_wrong = String::new();
    loop {
        match lookup_host(to.as_str()).await {
            Ok(addresses) => {
                let addresses: HashSet<SocketAddr> = addresses.collect();
                wanted.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&addresses);
                running.retain(|_, task| !task.is_finished());
                for address in addresses {
                    running
                        .entry(address)
                        .or_insert_with(|| tasks.spawn(one(origin.clone(), address, wanted.clone())));
                }
                was_wrong.clear();
            }
            Err(e) => {
                let wrong = e.to_string();
                if wrong != was_wrong {
                    tracing::warn!(%to, error = %wrong, "the balancers are not found");
                    was_wrong = wrong;
                }
            }
        }
        while tasks.try_join_next().is_some() {}
        time::sleep(RESOLVE).await;
    }
}

/// Keeps a link to `address` while there should be one. A link that is up stays up, whatever names say.
async fn one(origin: Arc<Origin>, address: SocketAddr, wanted: Wanted) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    let is_wanted = || wanted.lock().unwrap_or_else(PoisonError::into_inner).contains(&address);
    let mut said = false;
    while is_wanted() {
        match dial(&origin, address).await {
            Ok((link, local)) => {
                tracing::info!(%address, "link to a balancer");
                (backoff, said) = (Backoff::new(Duration::from_millis(100), Duration::from_secs(2)), false);
                let why = serve::serve(&origin, link, local).await;
                tracing::info!(%address, %why, "the link to a balancer is over");
            }
            Err(e) if !said => {
                tracing::warn!(%address, error = %e, "no link to this balancer");
                said = true;
            }
            Err(e) => tracing::debug!(%address, error = %e, "still no link to this balancer"),
        }
        time::sleep(backoff.failed()).await;
    }
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
