//! Links from server pods.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use millrace_fencing::{
    Holder,
    directory::{LinkId, Refused},
};
use millrace_link::{
    CloseReason, Code, Role, Side,
    avrs::{ClusterMessage, Request, Return, Signal},
    net::{Channel, Link, SessionClient, accept_tcp},
    secure::Trust as _,
    wire::{ChannelType, Notice, TsdWriter},
};
use millrace_report::message::LinkState;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{self, timeout},
};

use super::{Edge, count, handshakes::Handshakes, registry::Peer};
use crate::linking;

/// Handshakes under way at once.
const HANDSHAKES: usize = 256;
/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(6);
/// Between two looks whether a peer is still a member.
const LOOK: Duration = Duration::from_secs(2);
/// Refused announcements of one link that are logged; the rest is at level debug.
const MOST_COMPLAINTS: usize = 100;
/// After an error of the machine: no file descriptors, no memory.
const PAUSE: Duration = Duration::from_millis(200);

/// Accepts links, for ever.
pub(super) async fn accept(edge: Arc<Edge>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    let handshakes = Arc::new(Mutex::new(Handshakes::default()));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, address)) => {
                if !lock(&handshakes).begin(address.ip()) {
                    failed(
                        &edge,
                        &handshakes,
                        address,
                        &anyhow!("too many connections of this address are no links yet"),
                    );
                    continue;
                }
                let (edge, handshakes) = (edge.clone(), handshakes.clone());
                tokio::spawn(async move {
                    let shaken = shake(&edge, socket).await;
                    drop(permit);
                    lock(&handshakes).end(address.ip());
                    let outcome = match shaken {
                        Ok((link, holder)) => serve(&edge, link, holder, address).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = outcome {
                        failed(&edge, &handshakes, address, &error);
                    }
                });
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    tracing::warn!(%error, "cannot accept links");
                    time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn lock(handshakes: &Mutex<Handshakes>) -> MutexGuard<'_, Handshakes> {
    handshakes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection did not become a link.
fn failed(edge: &Edge, handshakes: &Mutex<Handshakes>, address: SocketAddr, error: &anyhow::Error) {
    count(&edge.counts.handshakes_failed);
    if lock(handshakes).may_say(address.ip(), Instant::now()) {
        tracing::warn!(%address, error = %format!("{error:#}"), "no link");
    } else {
        tracing::debug!(%address, error = %format!("{error:#}"), "no link");
    }
}

async fn shake(edge: &Edge, socket: TcpStream) -> anyhow::Result<(Link, Holder)> {
    let link = accept_tcp(socket, edge.identity.config(Side::Acceptor))?;
    let claim = timeout(HANDSHAKE, link.ready()).await.context("no handshake in 6 s")??;
    if !claim.role.has(Role::SERVER) {
        let only = Notice::new(Code::MEMBER_SECURITY_ISSUE, "only servers are taken here");
        link.close(&only);
        return Err(anyhow!("{:?}: {}", claim.role, only.text));
    }
    let holder = std::str::from_utf8(&claim.grant).ok().and_then(|text| text.parse().ok());
    let Some(holder) = holder else {
        link.close(&Notice::new(Code::MEMBER_INFO_PROBLEM, "POD-UID_BOOT-ID is missing"));
        return Err(anyhow!("it does not say which pod it is"));
    };
    Ok((link, holder))
}

async fn serve(edge: &Arc<Edge>, link: Link, holder: Holder, address: SocketAddr) -> anyhow::Result<()> {
    let client = SessionClient::new(&link).await?;
    let listed = edge.lines.list(&link, linking::Peer::Server, holder.to_string(), address);
    let peer = Peer {
        holder: holder.clone(),
        address,
        client: client.clone(),
        link: link.clone(),
        line: listed.id(),
    };
    let id = edge.registry.join(peer);
    let mut joined = Joined { edge: edge.clone(), id, ended: LinkState::Lost, complained: HashSet::new() };
    tracing::info!(%address, %holder, link = joined.id.0, "link to a server pod");
    let why = joined.listen(&link, &client).await;
    joined.ended = ended(&why);
    tracing::info!(%address, %holder, link = joined.id.0, %why, "the link to a server pod is over");
    Ok(())
}

/// A link that is known, until dropped.
struct Joined {
    edge: Arc<Edge>,
    id: LinkId,
    ended: LinkState,
    /// Announcements that were refused, so that each is logged once, however often it is repeated.
    complained: HashSet<(String, u64)>,
}

/// Who ended a link, as far as that can be told from here.
fn ended(why: &CloseReason) -> LinkState {
    match why {
        CloseReason::Peer(_) | CloseReason::TransportEnded => LinkState::ClosedByPeer,
        _ => LinkState::Lost,
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.edge.registry.lose(self.id, self.ended);
    }
}

impl Joined {
    /// Hears what the server pod says, until its link is over, and why it is.
    async fn listen(&mut self, link: &Link, client: &SessionClient) -> CloseReason {
        let (mut cluster, mut signals): (Option<Channel>, Option<Channel>) = (None, None);
        let mut look = time::interval(LOOK);
        loop {
            tokio::select! {
                incoming = link.accept() => match incoming {
                    Ok(incoming) if incoming.kind() == ChannelType::CLUSTER => {
                        // An old handle of the same id would close the new channel.
                        drop(cluster.take());
                        cluster = incoming.accept().ok();
                    }
                    Ok(incoming) if incoming.kind() == ChannelType::SIGNAL => {
                        drop(signals.take());
                        signals = incoming.accept().ok();
                    }
                    Ok(incoming) => incoming.refuse(Code::ARG_INCORRECT, "this side takes announcements and signals"),
                    Err(why) => return why,
                },
                message = next(cluster.as_ref()) => {
                    if client.answer(self.hear(&message)).await.is_err() {
                        return link.closed().await;
                    }
                }
                message = next(signals.as_ref()) => {
                    let signal = Request::decode(&message).and_then(|request| Signal::decode(&request).ok());
                    // What is to be done about it is for the operator to say.
                    tracing::debug!(link = self.id.0, ?signal, "a server pod gives a sign");
                }
                _ = look.tick() => {
                    let admitted = link.peer().map(|claim| self.edge.identity.trust().admit(&claim));
                    if let Some(Err(code)) = admitted {
                        link.close(&Notice::new(code, "no member any more"));
                    }
                }
            }
        }
    }

    fn hear(&mut self, message: &Bytes) -> Bytes {
        let Some(request) = Request::decode(message) else {
            let op = message.first().copied().unwrap_or(0);
            return Return::failure(
                Code::CLUSTER_WRONG_REQUEST,
                ChannelType::CLUSTER,
                (op, 0, 0),
                "not a request",
            );
        };
        let to = (request.op, request.request, request.session);
        let failure = |code, text: &str| Return::failure(code, ChannelType::CLUSTER, to, text);
        match ClusterMessage::decode(&request, Role::SERVER) {
            Ok(ClusterMessage::Announce(said)) => {
                let (path, epoch) = (said.path.clone(), said.epoch);
                if let Err(refused) = self.edge.registry.announce(self.id, said, self.edge.identity.trust()) {
                    count(&self.edge.counts.announcements_refused);
                    self.complain(&path, epoch, &refused);
                    return failure(Code(refused.code()), &refused.to_string());
                }
            }
            Ok(ClusterMessage::Withdraw { path, epoch }) => {
                self.edge.registry.withdraw(self.id, &path, epoch);
            }
            Ok(_) => return failure(Code::CLUSTER_WRONG_REQUEST, "this side takes announcements"),
            Err(code) => return failure(code, "refused"),
        }
        Return::encode(Code::SUCCESS, ChannelType::CLUSTER, to, TsdWriter::new())
    }

    fn complain(&mut self, path: &str, epoch: u64, refused: &Refused) {
        let link = self.id.0;
        if self.complained.len() < MOST_COMPLAINTS && self.complained.insert((path.to_owned(), epoch)) {
            tracing::warn!(path, epoch, link, %refused, "an announcement is refused");
        } else {
            tracing::debug!(path, epoch, link, %refused, "an announcement is refused");
        }
    }
}

/// The next message; never, while there is no channel.
async fn next(channel: Option<&Channel>) -> Bytes {
    if let Some(channel) = channel
        && let Ok(message) = channel.recv().await
    {
        return message;
    }
    std::future::pending().await
}
