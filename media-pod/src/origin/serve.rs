//! Serves one balancer: what it is told, and the sessions that it makes.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use bytes::Bytes;
use http::Method;
use millrace_http::{Access, AccessRequest, Denial, Sender, Taking as _};
use millrace_link::{
    CloseReason, Code, Role,
    avrs::{Direction, Opinion, ServerEvent, Signal, Target, Verifier},
    net::{Channel, ChannelError, Link, Served, SessionServer},
    secure::{Claim, Trust as _},
    wire::{ChannelType, Notice, TsdWriter, tag},
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
    feed::Joined,
    hold::Hold,
    linking::{self, Client, MAX_SESSIONS, publishing},
    site::{decide_access, point_at},
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

    fn select(&self, _: &Claim, _: &str, _: Direction) -> Opinion {
        Opinion::Allow
    }
}

#[derive(Default)]
struct Session {
    /// The viewer that it is asked for.
    client: Option<Client>,
    entry: Option<Entry>,
    /// What it publishes, until it does.
    publishing: Option<Joined>,
    /// What it was announced as.
    announced: String,
    channel: Option<Channel>,
    pump: Option<AbortHandle>,
    /// A stream begins to run when it is selected, not only when all the rest of a session is said.
    needed: Option<(Hold, Option<Hold>)>,
}

/// What a balancer is told that comes to the wrong pod.
const ELSEWHERE: &str = "another media pod has it";

/// A session through which content flows.
struct Counted(Arc<Origin>);

impl Counted {
    fn new(origin: &Arc<Origin>) -> Self {
        origin.sessions.fetch_add(1, Ordering::Relaxed);
        Self(origin.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Serving<'a> {
    origin: &'a Arc<Origin>,
    peer: IpAddr,
    server: SessionServer,
    sessions: HashMap<u32, Session>,
    pumps: JoinSet<()>,
    over: mpsc::UnboundedSender<(u32, Over)>,
    /// The number of the link in the list of links.
    line: u64,
    /// The balancer.
    address: SocketAddr,
}

/// Until the link is over, and why it is. `local` is this end's address.
pub(super) async fn serve(
    origin: &Arc<Origin>,
    link: Link,
    local: IpAddr,
    address: SocketAddr,
) -> CloseReason {
    let server = match SessionServer::new(link.clone(), Arc::new(Balancers), MAX_SESSIONS).await {
        Ok(server) => server,
        Err(why) => return why,
    };
    let (over, mut ended) = mpsc::unbounded_channel();
    let (returns, returned) = mpsc::channel(64 << 10);
    let mut pumps = JoinSet::new();
    let (let_go, mut moved) = mpsc::unbounded_channel();
    let telling = announce(link.clone(), origin.catalog.watch(), returned, origin.inside(local), let_go);
    pumps.spawn(async move {
        if let Err(e) = telling.await {
            tracing::debug!(error = %e, "a balancer is told nothing more");
        }
    });
    pumps.spawn(going_away(origin.clone(), link.clone()));
    let mut trust = origin.identity.trust().watch();
    let name = link.peer().and_then(|claim| claim.id).map_or_else(String::new, |key| key.to_string());
    let listed = origin.pod.shop().lines.list(&link, linking::Peer::Balancer, name, address);
    let mut serving = Serving {
        origin,
        peer: local,
        server,
        sessions: HashMap::new(),
        pumps,
        over,
        line: listed.id(),
        address,
    };
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
            Some(path) = moved.recv() => serving.let_go(&path),
            Ok(()) = trust.changed() => {
                if let Some(Err(code)) = link.peer().map(|claim| origin.identity.trust().admit(&claim)) {
                    link.close(&Notice::new(code, "no member any more"));
                }
            }
            Some((session, (code, text))) = ended.recv() => {
                serving.sessions.remove(&session);
                serving.server.sessions().end(session, code, &text);
            }
            Some(_) = serving.pumps.join_next() => {}
        }
    }
}

/// Tells the other end that this one takes nothing new, once that is so.
async fn going_away(origin: Arc<Origin>, link: Link) {
    origin.pod.shop().draining.begun().await;
    let said = async {
        let signals = link.open_channel(ChannelType::SIGNAL).await?;
        signals.send(Signal::GoingAway.encode(0)).await?;
        Ok::<_, ChannelError>(signals.closed().await)
    };
    if let Err(e) = said.await {
        tracing::debug!(error = %e, "a balancer was not told of the end");
    }
}

impl Serving<'_> {
    /// Another media pod has `path`: sessions that were made before are over.
    fn let_go(&mut self, path: &str) {
        if self.origin.catalog.at(path).is_some() {
            return;
        }
        let of_path = |session: &Session| session.announced == path;
        let over: Vec<u32> = self.sessions.iter().filter(|(_, it)| of_path(it)).map(|(id, _)| *id).collect();
        for id in over {
            if let Some(pump) = self.sessions.remove(&id).and_then(|session| session.pump) {
                pump.abort();
            }
            self.server.sessions().end(id, Code::CONTENT_NOT_FOUND, ELSEWHERE);
        }
    }

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
                match answer {
                    Ok(results) => self.server.sessions().answer(session, Ok(results)),
                    Err((code, text)) => self.server.sessions().answer(session, Err((code, &text))),
                };
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

    fn select(&mut self, session: u32, target: &Target) -> Result<TsdWriter, (Code, String)> {
        let publishes = target.direction == Direction::Publish;
        let announced =
            if publishes { publishing::announced(&target.content) } else { target.content.clone() };
        let entry = self.origin.catalog.at(&announced);
        let none = || {
            if self.origin.catalog.has_moved(&announced) {
                return (Code::CONTENT_NOT_FOUND, ELSEWHERE.to_owned());
            }
            (Code::SESSION_CONTENT_ID_WRONG, "no such stream here".to_owned())
        };
        let entry = entry.ok_or_else(none)?;
        let selected = self.sessions.entry(session).or_default();
        selected.announced.clone_from(&announced);
        if publishes {
            let point = point_at(&self.origin.pod, &target.content).ok_or_else(none)?;
            let sender = Sender {
                peer: self.address,
                protocol: "millrace",
                user_agent: "balancer".into(),
                credentials: selected.client.clone().and_then(|Client(credentials)| credentials),
            };
            selected.publishing = Some(point.let_in(sender).map_err(publishing::code)?);
            return Ok(TsdWriter::new().with(tag::STREAM, &1_u64.to_le_bytes()));
        }
        let Some(outlet) = &entry.outlet else { return Err(none()) };
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
            let name = &outlet.stream.spec().name;
            match decide_access(&self.origin.catalog.resolved(), Some(name), &request) {
                Access::Granted => {}
                Access::Challenge { .. } => {
                    return Err(publishing::code(Denial::Challenge));
                }
                Access::Forbidden | Access::Unknown(_) | Access::Elsewhere(_) => {
                    return Err(publishing::code(Denial::Forbidden("not with any password".to_owned())));
                }
            }
        }
        let stream = outlet.id.to_le_bytes();
        // Who asks for a viewer wants to know, and nothing more.
        selected.needed = selected.client.is_none().then(|| outlet.stream.hold());
        selected.entry = Some(entry);
        Ok(TsdWriter::new().with(tag::STREAM, &stream))
    }

    fn stream(&mut self, id: u32) {
        let session = self.sessions.entry(id).or_default();
        if session.publishing.is_some()
            && let Some((joined, channel)) = session.publishing.take().zip(session.channel.take())
        {
            let path = session.announced.as_str().into();
            let listed = self.origin.pod.shop().lines.session(self.line, channel.id(), path, None);
            let over = self.over.clone();
            session.pump = Some(self.pumps.spawn(async move {
                let _listed = listed;
                let outcome = Box::new(joined).take(&mut publishing::Sending::new(&channel)).await;
                match outcome.map_err(|refusal| publishing::code(Denial::Refused(refusal))) {
                    // Who asked for the session closes it.
                    Ok(()) => channel.close(Code::SUCCESS, ""),
                    Err((code, text)) => {
                        channel.close(code, &text);
                        let _ = over.send((id, (code, text)));
                    }
                }
            }));
            return;
        }
        // A session that is for a viewer only asks.
        let watched = |entry: &Entry| Some((entry.outlet.clone()?, entry.epoch));
        let watched = session.entry.as_ref().and_then(watched);
        let Some(((outlet, epoch), channel)) = watched.zip(session.channel.take()) else {
            self.server.sessions().end(id, Code::SESSION_WRONG_REQUEST, "nothing to stream");
            return;
        };
        let (origin, over) = (self.origin.clone(), self.over.clone());
        let counted = Counted::new(&origin);
        let path = outlet.stream.spec().path.as_str().into();
        let listed = origin.pod.shop().lines.session(self.line, channel.id(), path, None);
        let needed = session.needed.take();
        let pumping = self.pumps.spawn(async move {
            let _needed = needed.unwrap_or_else(|| outlet.stream.hold());
            let _listed = listed;
            let _counted = counted;
            let (code, text) = pump(&origin, &outlet, epoch, &channel).await;
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
