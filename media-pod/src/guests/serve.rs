//! The link of one client: its sessions, and what it may not ask.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Method, StatusCode};
use millrace_bus::{Join as Place, Start};
use millrace_http::{Access, AccessRequest, Credentials, Refusal, Site as _, Source, Taking};
use millrace_link::{
    CloseReason, Code,
    avrs::{ContentKind, Direction, Join, Opinion, ServerEvent, Target, Verifier, Way},
    net::{Channel, Link, Served, SessionServer},
    secure::Claim,
    wire::{TsdWriter, tag},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::{
    MOST_SESSIONS, publish,
    pump::{Playing, pump},
};
use crate::site::Front;

/// Who is sent to another balancer over HTTP is served here: a link has no such answer.
const NOT_ELSEWHERE: &str = "millrace-sent";

/// Everybody is asked who it is and looked at when it selects: the password belongs to the stream.
struct Clients;

impl Verifier for Clients {
    fn authenticate(&self, _: &Claim, _: &Bytes) -> Opinion {
        Opinion::Later
    }

    fn select(&self, _: &Claim, _: &str, _: Direction) -> Opinion {
        Opinion::Later
    }
}

/// What a session may have.
struct Selected {
    path: String,
    source: Arc<dyn Source>,
    /// The stream id on the link.
    stream: u64,
    /// Through which clusters it comes, this one first.
    from: Way,
}

#[derive(Default)]
struct Session {
    /// Tells this one from an earlier one of the same number.
    serial: u64,
    login: Option<Credentials>,
    target: Option<Selected>,
    /// Where it may publish.
    publishing: Option<Box<dyn Taking>>,
    join: Join,
    channel: Option<Channel>,
    task: Option<Task>,
}

/// What a session waits for; ends with it.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a task of a session has found out.
enum News {
    /// May it have what it selected?
    Selected(Result<Selected, (Code, String)>),
    /// May it publish?
    Admitted(Result<Box<dyn Taking>, (Code, String)>),
    /// Nothing more comes.
    Over(Code, String),
}

struct Serving<'a> {
    front: &'a Arc<Front>,
    peer: SocketAddr,
    secure: bool,
    server: SessionServer,
    sessions: HashMap<u32, Session>,
    tasks: JoinSet<()>,
    news: mpsc::UnboundedSender<(u32, u64, News)>,
}

/// Until the link is over, and why it is.
pub(super) async fn serve(front: &Arc<Front>, link: Link, peer: SocketAddr, secure: bool) -> CloseReason {
    let server = match SessionServer::new(link, Arc::new(Clients), MOST_SESSIONS).await {
        Ok(server) => server,
        Err(why) => return why,
    };
    let (news, mut told) = mpsc::unbounded_channel();
    let (sessions, tasks) = (HashMap::new(), JoinSet::new());
    let mut serving = Serving { front, peer, secure, server, sessions, tasks, news };
    loop {
        tokio::select! {
            event = serving.server.next() => match event {
                Ok(Served::Session(event)) => serving.on(event),
                // Whatever its role allows it, it is not for this end.
                Ok(Served::Cluster { request, .. }) => {
                    serving.server.answer_cluster(&request, Code::CLUSTER_WRONG_REQUEST, TsdWriter::new());
                }
                Ok(Served::Return(_) | Served::Signal(..)) => {}
                Err(why) => return why,
            },
            Some((session, serial, news)) = told.recv() => serving.hear(session, serial, news),
            Some(_) = serving.tasks.join_next() => {}
        }
    }
}

impl Serving<'_> {
    fn on(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Authenticate { session, credentials } => {
                let answer = login(&credentials).map(|login| {
                    let serial = self.front.guests.next();
                    self.sessions.insert(session, Session { serial, login, ..Session::default() });
                    TsdWriter::new()
                });
                self.server.sessions().answer(session, answer);
            }
            ServerEvent::Select { session, target, way, .. } => self.select(session, target, way),
            ServerEvent::Opened { session, channel, .. } => {
                let channel = self.server.take_channel(channel);
                self.sessions.entry(session).or_default().channel = channel;
            }
            ServerEvent::Synchronise { session, join, .. } => {
                self.sessions.entry(session).or_default().join = join;
                let now = self.front.guests.clock.micros(std::time::Instant::now()).to_le_bytes();
                self.server.sessions().answer(session, Ok(TsdWriter::new().with(tag::TIMESTAMP, &now)));
            }
            ServerEvent::Stream { session } => self.stream(session),
            ServerEvent::Closed { session } => drop(self.sessions.remove(&session)),
        }
    }

    fn select(&mut self, id: u32, target: Target, way: Way) {
        let session = self.sessions.entry(id).or_default();
        let no = match (target.direction, target.kind) {
            (_, ContentKind::Live) => None,
            (_, ContentKind::Vod { .. }) => Some("there is nothing on demand here yet"),
            (_, ContentKind::Interactive { .. }) => Some("there is nothing interactive here yet"),
        };
        if let Some(no) = no {
            self.server.sessions().answer(id, Err((Code::CONTENT_UNAVAILABLE, no)));
            return;
        }
        let (front, news, serial) = (self.front.clone(), self.news.clone(), session.serial);
        let (peer, secure, login) = (self.peer, self.secure, session.login.clone());
        if target.direction == Direction::Publish {
            session.task = Some(Task(self.tasks.spawn(async move {
                let admitted = publish::admit(&front, peer, login, &target.content).await;
                let _ = news.send((id, serial, News::Admitted(admitted)));
            })));
            return;
        }
        let asking = self.tasks.spawn(async move {
            let found = find(&front, peer, secure, login.as_ref(), target.content, &way).await;
            let _ = news.send((id, serial, News::Selected(found)));
        });
        session.task = Some(Task(asking));
    }

    fn hear(&mut self, id: u32, serial: u64, news: News) {
        // Of a session that is no more there is nothing to be said.
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.serial == serial) else {
            return;
        };
        match news {
            News::Selected(Ok(target)) => {
                let stream = target.stream.to_le_bytes();
                let results =
                    TsdWriter::new().with(tag::STREAM, &stream).with(tag::WAY, &target.from.encode());
                session.target = Some(target);
                self.server.sessions().answer(id, Ok(results));
            }
            News::Admitted(Ok(taking)) => {
                session.publishing = Some(taking);
                let (news, stream) = (self.news.clone(), serial.to_le_bytes());
                // Until it sends: others want to publish, too.
                session.task = Some(Task(self.tasks.spawn(async move {
                    let (code, text) = publish::late().await;
                    let _ = news.send((id, serial, News::Over(code, text)));
                })));
                self.server.sessions().answer(id, Ok(TsdWriter::new().with(tag::STREAM, &stream)));
            }
            News::Admitted(Err((code, text))) | News::Selected(Err((code, text))) => {
                self.server.sessions().answer(id, Err((code, &text)));
            }
            News::Over(code, text) => {
                self.sessions.remove(&id);
                self.server.sessions().end(id, code, &text);
            }
        }
    }

    fn stream(&mut self, id: u32) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.publishing.is_some()
            && let Some((taking, channel)) = session.publishing.take().zip(session.channel.take())
        {
            let (news, serial) = (self.news.clone(), session.serial);
            session.task = Some(Task(self.tasks.spawn(async move {
                // Who asked for the session closes it, if all is well.
                if let Err((code, text)) = publish::take(taking, &channel).await {
                    let _ = news.send((id, serial, News::Over(code, text)));
                }
            })));
            return;
        }
        let Some((selected, channel)) = session.target.take().zip(session.channel.take()) else {
            self.server.sessions().end(id, Code::SESSION_WRONG_REQUEST, "nothing to stream");
            return;
        };
        let (news, serial, join) = (self.news.clone(), session.serial, place(session.join));
        let clock = self.front.guests.clock;
        let Selected { path, source, stream, .. } = selected;
        let viewing = self.front.guests.viewings.list(serial, path, self.peer);
        let playing = Playing { viewing, stream, clock };
        session.task = Some(Task(self.tasks.spawn(async move {
            let (code, text) = match source.open(join).await {
                Ok(opened) => pump(&playing, opened, &channel).await,
                Err(Refusal { reason, .. }) => {
                    let (peer, path) = (playing.viewing.peer, &playing.viewing.path);
                    tracing::info!(%peer, path, reason, "viewer refused");
                    (Code::CONTENT_UNAVAILABLE, reason)
                }
            };
            channel.close(code, &text);
            let _ = news.send((id, serial, News::Over(code, text)));
        })));
    }
}

/// `NAME:PASSWORD`, or nothing.
fn login(credentials: &[u8]) -> Result<Option<Credentials>, (Code, &'static str)> {
    if credentials.is_empty() {
        return Ok(None);
    }
    let pair = std::str::from_utf8(credentials).ok().and_then(|text| text.split_once(':'));
    let (user, password) = pair.ok_or((Code::ARG_INCORRECT, "no NAME:PASSWORD"))?;
    Ok(Some(Credentials { user: user.to_owned(), password: password.to_owned() }))
}

fn place(join: Join) -> Place {
    let start = match join {
        Join::LiveEdge => Start::Live,
        Join::LastKeyframe => Start::Last,
        Join::NextKeyframe => Start::Next,
    };
    // Over a link nobody has seen the header before.
    Place { header: true, start }
}

/// The stream at `path`, if who asks may watch it.
async fn find(
    front: &Arc<Front>,
    peer: SocketAddr,
    secure: bool,
    login: Option<&Credentials>,
    path: String,
    way: &Way,
) -> Result<Selected, (Code, String)> {
    let from = |front: &Front| front.on_the_way(&path, way).map_err(|why| (Code::CLUSTER_WRONG_REQUEST, why));
    from(front)?;
    let source =
        front.stream(&path).ok_or((Code::SESSION_CONTENT_ID_WRONG, format!("no stream at {path}")))?;
    let request = AccessRequest {
        peer,
        method: &Method::GET,
        path: &path,
        query: Some(NOT_ELSEWHERE),
        stream: true,
        secure,
        credentials: login,
        relay: None,
    };
    let access = match front.ask_by(&request, way) {
        Some(asking) => asking.await,
        None => front.authorize(&request),
    };
    match access {
        Access::Granted => {
            // Of another Cluster it is there only now.
            let source = front.stream(&path).unwrap_or(source);
            let (stream, from) = (front.guests.streams.id(&source), from(front)?);
            Ok(Selected { path, source, stream, from })
        }
        Access::Challenge { .. } => {
            Err((Code::MEMBER_INFO_PROBLEM, "a name and a password, or others".to_owned()))
        }
        Access::Forbidden => Err((Code::MEMBER_SECURITY_ISSUE, "not with any password".to_owned())),
        Access::Elsewhere(url) => Err((Code::CONTENT_UNAVAILABLE, format!("it is at {url}"))),
        Access::Unknown(refusal) if refusal.status == StatusCode::NOT_FOUND => {
            Err((Code::SESSION_CONTENT_ID_WRONG, refusal.reason))
        }
        Access::Unknown(refusal) => Err((Code::CONTENT_UNAVAILABLE, refusal.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_a_name_and_a_password_or_nothing() {
        assert_eq!(login(b"").unwrap(), None);
        let both = login(b"ann:a:b").unwrap().unwrap();
        assert_eq!((both.user.as_str(), both.password.as_str()), ("ann", "a:b"));
        for wrong in [&b"ann"[..], b"\xff:x"] {
            assert_eq!(login(wrong).unwrap_err().0, Code::ARG_INCORRECT);
        }
    }
}
