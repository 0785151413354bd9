//! Serves one balancer: what it is told, and the sessions that it makes.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use http::Method;
use millrace_http::{Access, AccessRequest};
use millrace_link::{
    CloseReason, Code, Role,
    avrs::{Direction, Opinion, ServerEvent, Target, Verifier},
    net::{Channel, Link, Served, SessionServer},
    secure::Claim,
    wire::{ChannelType, TsdWriter, tag},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::{
    Origin,
    announce::announce,
    catalog::Entry,
    pump::{Over, pump},
};
use crate::{
    linking::{Client, MAX_SESSIONS},
    site::decide_access,
};

/// Balancers may watch, for themselves; what they ask for their viewers is looked at.
struct Balancers;

impl Verifier for Balancers {
    fn authenticate(&self, member: &Claim, credentials: &Bytes) -> Opinion {
        match member.role.has(Role::BALANCER) {
            true if credentials.is_empty() => Opinion::Allow,
            true => Opinion::Later,
            false => Opinion::Deny(Code::MEMBER_SECURITY_ISSUE),
        }
    }

    fn select(&self, _: &Claim, _: &str, direction: Direction) -> Opinion {
        match direction {
            Direction::Watch => Opinion::Allow,
            Direction::Publish => Opinion::Deny(Code::CONTENT_UNAVAILABLE),
        }
    }
}

#[derive(Default)]
struct Session {
    /// The viewer that it is asked for.
    client: Option<Client>,
    entry: Option<Entry>,
    channel: Option<Channel>,
    pump: Option<AbortHandle>,
}

struct Serving<'a> {
    origin: &'a Arc<Origin>,
    peer: IpAddr,
    server: SessionServer,
    sessions: HashMap<u32, Session>,
    pumps: JoinSet<()>,
    over: mpsc::UnboundedSender<(u32, Over)>,
}

/// Until the link is over, and why it is. `local` is this end's address.
pub(super) async fn serve(origin: &Arc<Origin>, link: Link, local: IpAddr) -> CloseReason {
    let server = match SessionServer::new(link.clone(), Arc::new(Balancers), MAX_SESSIONS).await {
        Ok(server) => server,
        Err(why) => return why,
    };
    let (over, mut ended) = mpsc::unbounded_channel();
    let (returns, returned) = mpsc::channel(64 << 10);
    let mut pumps = JoinSet::new();
    let telling = announce(link, origin.catalog.watch(), returned, origin.inside(local));
    pumps.spawn(async move {
        if let Err(e) = telling.await {
            tracing::debug!(error = %e, "a balancer is told nothing more");
        }
    });
    let mut serving = Serving { origin, peer: local, server, sessions: HashMap::new(), pumps, over };
    loop {
        tokio::select! {
            event = serving.server.next() => match event {
                Ok(Served::Session(event)) => serving.on(event),
                Ok(Served::Cluster { request, .. }) => {
                    serving.server.answer_cluster(&request, Code::CLUSTER_WRONG_REQUEST, TsdWriter::new());
                }
                Ok(Served::Return(returned)) if returned.channel == ChannelType::CLUSTER => {
                    let _ = returns.try_send(returned);
                }
                Ok(Served::Return(_) | Served::Signal(..)) => {}
                Err(why) => return why,
            },
            Some((session, (code, text))) = ended.recv() => {
                serving.sessions.remove(&session);
                serving.server.sessions().end(session, code, &text);
            }
            Some(_) = serving.pumps.join_next() => {}
        }
    }
}

impl Serving<'_> {
    fn on(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Authenticate { session, credentials } => {
                let client = Client::decode(&credentials);
                let known = client.is_some();
                self.sessions.entry(session).or_default().client = client;
                let answer =
                    if known { Ok(TsdWriter::new()) } else { Err((Code::ARG_INCORRECT, "no client")) };
                self.server.sessions().answer(session, answer);
            }
            ServerEvent::Select { session, target, .. } => {
                let answer = self.select(session, &target);
                self.server.sessions().answer(session, answer);
            }
            ServerEvent::Opened { session, channel, .. } => {
                let channel = self.server.take_channel(channel);
                self.sessions.entry(session).or_default().channel = channel;
            }
            ServerEvent::Synchronise { session, .. } => {
                let now = self.origin.catalog.clock.micros(Instant::now()).to_le_bytes();
                self.server.sessions().answer(session, Ok(TsdWriter::new().with(tag::TIMESTAMP, &now)));
            }
            ServerEvent::Stream { session } => self.stream(session),
            ServerEvent::Closed { session } => {
                if let Some(pump) = self.sessions.remove(&session).and_then(|session| session.pump) {
                    pump.abort();
                }
            }
        }
    }

    fn select(&mut self, session: u32, target: &Target) -> Result<TsdWriter, (Code, &'static str)> {
        let entry = self.origin.catalog.at(&target.content);
        let entry = entry.ok_or((Code::SESSION_CONTENT_ID_WRONG, "no such stream here"))?;
        let selected = self.sessions.entry(session).or_default();
        if let Some(Client(credentials)) = &selected.client {
            let request = AccessRequest {
                peer: SocketAddr::new(self.peer, 0),
                method: &Method::GET,
                path: &target.content,
                query: None,
                stream: true,
                secure: false,
                credentials: credentials.as_ref(),
                relay: None,
            };
            let name = &entry.outlet.stream.spec().name;
            match decide_access(&self.origin.catalog.resolved(), Some(name), &request) {
                Access::Granted => {}
                Access::Challenge { .. } => {
                    return Err((Code::MEMBER_INFO_PROBLEM, "a name and a password, or others"));
                }
                Access::Forbidden | Access::Unknown(_) => {
                    return Err((Code::MEMBER_SECURITY_ISSUE, "not with any password"));
                }
            }
        }
        let stream = entry.outlet.id.to_le_bytes();
        selected.entry = Some(entry);
        Ok(TsdWriter::new().with(tag::STREAM, &stream))
    }

    fn stream(&mut self, id: u32) {
        let session = self.sessions.entry(id).or_default();
        // A session that is for a viewer only asks.
        let Some((entry, channel)) = session.entry.clone().zip(session.channel.take()) else {
            self.server.sessions().end(id, Code::SESSION_WRONG_REQUEST, "nothing to stream");
            return;
        };
        let (origin, over) = (self.origin.clone(), self.over.clone());
        let pumping = self.pumps.spawn(async move {
            let (code, text) = pump(&origin, &entry.outlet, entry.epoch, &channel).await;
            channel.close(code, &text);
            let _ = over.send((id, (code, text)));
        });
        session.pump = Some(pumping);
    }
}

impl Origin {
    /// Where a balancer reaches the internal listener, if this end of the link is at `local`.
    fn inside(&self, local: IpAddr) -> Option<SocketAddr> {
        let mut inside = self.inside?;
        if inside.ip().is_unspecified() {
            inside.set_ip(local);
        }
        Some(inside)
    }
}
