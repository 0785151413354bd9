//! Links from server pods.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use millrace_fencing::{Holder, directory::LinkId};
use millrace_link::{
    Code, Role, Side,
    avrs::{ClusterMessage, Request, Return},
    net::{Channel, Link, SessionClient, accept_tcp},
    secure::Trust as _,
    wire::{ChannelType, Notice, TsdWriter},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{self, timeout},
};

use super::{Edge, count, registry::Peer};

/// Handshakes under way at once.
const HANDSHAKES: usize = 256;
/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(6);
/// Between two looks whether a peer is still a member.
const LOOK: Duration = Duration::from_secs(2);
/// After an error of the machine: no file descriptors, no memory.
const PAUSE: Duration = Duration::from_millis(200);

/// Accepts links, for ever.
pub(super) async fn accept(edge: Arc<Edge>, listener: TcpListener) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, address)) => {
                let edge = edge.clone();
                tokio::spawn(async move {
                    let shaken = shake(&edge, socket).await;
                    drop(permit);
                    let outcome = match shaken {
                        Ok((link, holder)) => serve(&edge, link, holder, address).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = outcome {
                        tracing::warn!(%address, error = %format!("{error:#}"), "no link");
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
    let peer = Peer { holder: holder.clone(), address, client: client.clone() };
    let joined = Joined { edge: edge.clone(), id: edge.registry.join(peer) };
    tracing::info!(%address, %holder, link = joined.id.0, "link to a server pod");
    let why = joined.listen(&link, &client).await;
    tracing::info!(%address, %holder, link = joined.id.0, %why, "the link to a server pod is over");
    Ok(())
}

/// A link that is known, until dropped.
struct Joined {
    edge: Arc<Edge>,
    id: LinkId,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.edge.registry.lose(self.id);
    }
}

impl Joined {
    /// Hears what the server pod says, until its link is over, and why it is.
    async fn listen(&self, link: &Link, client: &SessionClient) -> String {
        let mut cluster: Option<Channel> = None;
        let mut look = time::interval(LOOK);
        loop {
            tokio::select! {
                incoming = link.accept() => match incoming {
                    Ok(incoming) if incoming.kind() == ChannelType::CLUSTER => {
                        // An old handle of the same id would close the new channel.
                        drop(cluster.take());
                        cluster = incoming.accept().ok();
                    }
                    Ok(incoming) => incoming.refuse(Code::ARG_INCORRECT, "this side takes announcements"),
                    Err(why) => return why.to_string(),
                },
                message = next(cluster.as_ref()) => {
                    if client.answer(self.hear(&message)).await.is_err() {
                        return link.closed().await.to_string();
                    }
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

    fn hear(&self, message: &Bytes) -> Bytes {
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
                let path = said.path.clone();
                if let Err(refused) = self.edge.registry.announce(self.id, said, self.edge.identity.trust()) {
                    count(&self.edge.counts.announcements_refused);
                    tracing::warn!(path, link = self.id.0, %refused, "an announcement is refused");
                    return failure(Code(refused.code()), &refused.to_string());
                }
            }
            Ok(ClusterMessage::Withdraw { path, .. }) => self.edge.registry.withdraw(self.id, &path),
            Ok(_) => return failure(Code::CLUSTER_WRONG_REQUEST, "this side takes announcements"),
            Err(code) => return failure(code, "refused"),
        }
        Return::encode(Code::SUCCESS, ChannelType::CLUSTER, to, TsdWriter::new())
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
