//! The sessions that the other side of a link has made here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::kind::{ContentKind, Direction, Join};
use super::message::{Request, Return};
use super::session::{Command, Stage, step};
use super::statistics::SessionStats;
use super::verifier::{Opinion, Verifier};
use super::way::Way;
use crate::secure::Claim;
use crate::wire::{ChannelId, ChannelType, Code, Sections, TsdWriter, tag};

/// Requests of one session that may wait for the one before them.
pub const MAX_QUEUED: usize = 8;
/// Bytes of a content id at most.
pub const MAX_CONTENT_ID: usize = 1024;

/// What a session is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Content id: the path of a stream.
    pub content: String,
    /// Which way content flows.
    pub direction: Direction,
    /// What kind of content is wanted.
    pub kind: ContentKind,
    /// Wanted rendition; none: automatic.
    pub quality: Option<String>,
}

/// What the user has to do, or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// The verifier said [`Opinion::Later`] to an authentication: answer.
    Authenticate {
        /// Session.
        session: u32,
        /// What the other side shows.
        credentials: Bytes,
    },
    /// Is there such content? Answer, with [`tag::STREAM`] if so.
    Select {
        /// Session.
        session: u32,
        /// What is wanted.
        target: Target,
        /// Whether the verifier left it open whether this is allowed.
        undecided: bool,
        /// Through which clusters the request went.
        way: Way,
    },
    /// The session has a content channel.
    Opened {
        /// Session.
        session: u32,
        /// Its channel.
        channel: ChannelId,
        /// What it is for.
        target: Target,
    },
    /// Begin (or, while streaming, go on) here: answer.
    Synchronise {
        /// Session.
        session: u32,
        /// Where in live content.
        join: Join,
        /// Where in other content.
        position: Option<Duration>,
    },
    /// Let content flow.
    Stream {
        /// Session.
        session: u32,
    },
    /// The other side closed the session.
    Closed {
        /// Session.
        session: u32,
    },
}

struct Session {
    stage: Stage,
    target: Option<Target>,
    channel: Option<ChannelId>,
    /// The request that the user has not answered: number and command.
    waiting: Option<(u32, Command)>,
    /// Requests that came while it waited.
    queued: VecDeque<Request>,
    stats: SessionStats,
}

/// One side's sessions. Each wrong step gets its code on channel `r`; nothing ends the link.
pub struct ServerSessions {
    member: Claim,
    verifier: Arc<dyn Verifier>,
    max: usize,
    sessions: HashMap<u32, Session>,
    events: VecDeque<ServerEvent>,
    returns: VecDeque<Bytes>,
    /// Sessions that wait no more and have queued requests.
    resumed: VecDeque<u32>,
}

impl ServerSessions {
    /// None yet; `member` is who makes them, `max` how many it may have at once.
    pub fn new(member: Claim, verifier: Arc<dyn Verifier>, max: usize) -> Self {
        Self {
            member,
            verifier,
            max,
            sessions: HashMap::new(),
            events: VecDeque::new(),
            returns: VecDeque::new(),
            resumed: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// The next message to send on `r`.
    pub fn poll_return(&mut self) -> Option<Bytes> {
        self.returns.pop_front()
    }

    /// How far a session is.
    pub fn stage(&self, session: u32) -> Stage {
        self.sessions.get(&session).map_or(Stage::None, |session| session.stage)
    }

    /// Sessions that are not closed.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Stage, Option<&Target>, Option<ChannelId>)> {
        self.sessions
            .iter()
            .map(|(id, session)| (*id, session.stage, session.target.as_ref(), session.channel))
    }

    /// The session that a content channel belongs to.
    pub fn by_channel(&self, channel: ChannelId) -> Option<u32> {
        self.sessions.iter().find(|(_, session)| session.channel == Some(channel)).map(|(id, _)| *id)
    }

    /// A message on `S`. `is_content` says whether a channel is open on this link and of type `c`.
    pub fn handle(&mut self, message: &Bytes, is_content: impl Fn(ChannelId) -> bool) {
        let Some(request) = Request::decode(message) else {
            let op = message.first().copied().unwrap_or(0);
            return self.fail((op, 0, 0), Code::ARG_INCORRECT, "not a request");
        };
        if request.op != Command::Close as u8
            && let Some(session) = self.sessions.get_mut(&request.session)
            && (session.waiting.is_some() || !session.queued.is_empty())
        {
            if session.queued.len() < MAX_QUEUED {
                session.queued.push_back(request);
                return;
            }
            let to = (request.op, request.request, request.session);
            return self.fail(to, Code::SESSION_WRONG_REQUEST, "too many requests wait for an answer");
        }
        self.take(&request, is_content);
    }

    /// Goes on with requests that had to wait, as far as that is possible now: to be called after answers. `is_content` as in
    /// [`ServerSessions::handle`].
    pub fn resume(&mut self, is_content: impl Fn(ChannelId) -> bool) {
        while let Some(id) = self.resumed.pop_front() {
            while let Some(session) = self.sessions.get_mut(&id)
                && session.waiting.is_none()
                && let Some(request) = session.queued.pop_front()
            {
                self.take(&request, &is_content);
            }
        }
    }

    fn take(&mut self, request: &Request, is_content: impl Fn(ChannelId) -> bool) {
        let to = (request.op, request.request, request.session);
        let Some(command) = Command::from_number(request.op) else {
            return self.fail(to, Code::SESSION_WRONG_REQUEST, "no such operation");
        };
        let outcome = match step(self.stage(request.session), command) {
            Err(code) => Err((code, "not in this state")),
            Ok(_) => self.act(command, request, is_content),
        };
        if let Err((code, text)) = outcome {
            self.fail(to, code, text);
        }
    }

    /// The session is no more: what waited gets the code of that.
    fn remove(&mut self, id: u32) -> bool {
        let Some(session) = self.sessions.remove(&id) else { return false };
        for request in session.queued {
            self.fail((request.op, request.request, id), Code::SESSION_NOT_OPENED, "the session is over");
        }
        true
    }

    fn act(
        &mut self,
        command: Command,
        request: &Request,
        is_content: impl Fn(ChannelId) -> bool,
    ) -> Result<(), (Code, &'static str)> {
        let (id, args) = (request.session, &request.args);
        match command {
            Command::Create => {
                if self.sessions.len() >= self.max {
                    return Err((Code::CONTENT_UNAVAILABLE, "too many sessions"));
                }
                let stats = SessionStats::default();
                let session = Session {
                    stage: Stage::None,
                    target: None,
                    channel: None,
                    waiting: None,
                    queued: VecDeque::new(),
                    stats,
                };
                self.sessions.insert(id, session);
                self.succeed(id, request.request, command, TsdWriter::new());
            }
            Command::Authenticate => {
                let credentials = args.get(tag::CREDENTIALS).cloned().unwrap_or_default();
                match self.verifier.authenticate(&self.member, &credentials) {
                    Opinion::Allow => self.succeed(id, request.request, command, TsdWriter::new()),
                    Opinion::Deny(code) => return Err((code, "not authenticated")),
                    Opinion::Later => {
                        self.ask(request, command, ServerEvent::Authenticate { session: id, credentials });
                    }
                }
            }
            Command::Select => {
                let target = target(args)?;
                let way = args.get(tag::WAY).map_or_else(|| Some(Way::default()), |way| Way::decode(way));
                let way =
                    way.ok_or((Code::ARG_INCORRECT, "a way through clusters that is none, or too long"))?;
                let undecided = match self.verifier.select(&self.member, &target.content, target.direction) {
                    Opinion::Allow => false,
                    Opinion::Deny(code) => return Err((code, "not allowed")),
                    Opinion::Later => true,
                };
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.target = Some(target.clone());
                }
                self.ask(request, command, ServerEvent::Select { session: id, target, undecided, way });
            }
            Command::Open => self.open(request, is_content)?,
            Command::Synchronise => {
                let join = match args.u8(tag::JOIN) {
                    None => Join::default(),
                    Some(number) => {
                        Join::from_number(number).ok_or((Code::ARG_INCORRECT, "no such place to join"))?
                    }
                };
                let position = args.u64(tag::POSITION).map(Duration::from_micros);
                self.ask(request, command, ServerEvent::Synchronise { session: id, join, position });
            }
            Command::Stream => {
                self.succeed(id, request.request, command, TsdWriter::new());
                self.events.push_back(ServerEvent::Stream { session: id });
            }
            Command::Monitor => {
                let stats = self.sessions.get(&id).map(|session| session.stats.encode()).unwrap_or_default();
                self.succeed(id, request.request, command, TsdWriter::new().with(tag::STATISTICS, &stats));
            }
            Command::Close => {
                self.succeed(id, request.request, command, TsdWriter::new());
                self.remove(id);
                self.events.push_back(ServerEvent::Closed { session: id });
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        request: &Request,
        is_content: impl Fn(ChannelId) -> bool,
    ) -> Result<(), (Code, &'static str)> {
        let id = request.session;
        let channel = request.args.u16(tag::CHANNEL).map(ChannelId);
        let channel = channel.ok_or((Code::ARG_INCORRECT, "no channel"))?;
        if !is_content(channel) {
            return Err((Code::CONTENT_FLOW_WRONG_ID, "not an open content channel"));
        }
        if self.by_channel(channel).is_some() {
            return Err((Code::CONTENT_FLOW_WRONG_ID, "the channel belongs to another session"));
        }
        let session = self.sessions.get_mut(&id).ok_or((Code::SESSION_NOT_OPENED, "no session"))?;
        session.channel = Some(channel);
        let target = session.target.clone().ok_or((Code::SESSION_CONTENT_ID_WRONG, "no content"))?;
        self.succeed(id, request.request, Command::Open, TsdWriter::new());
        self.events.push_back(ServerEvent::Opened { session: id, channel, target });
        Ok(())
    }

    fn ask(&mut self, request: &Request, command: Command, event: ServerEvent) {
        if let Some(session) = self.sessions.get_mut(&request.session) {
            session.waiting = Some((request.request, command));
            self.events.push_back(event);
        }
    }

    /// The user's answer to [`ServerEvent::Authenticate`], [`ServerEvent::Select`] or [`ServerEvent::Synchronise`].
    /// `false`: nobody waits for it (any more).
    pub fn answer(&mut self, session: u32, result: Result<TsdWriter, (Code, &str)>) -> bool {
        let waiting = self.sessions.get_mut(&session).and_then(|session| session.waiting.take());
        let Some((request, command)) = waiting else { return false };
        match result {
            Ok(results) => self.succeed(session, request, command, results),
            Err((code, text)) => self.fail((command as u8, request, session), code, text),
        }
        if self.sessions.get(&session).is_some_and(|session| !session.queued.is_empty()) {
            self.resumed.push_back(session);
        }
        true
    }

    /// The user ends a session: the other side gets a return that it did not ask for.
    pub fn end(&mut self, session: u32, code: Code, text: &str) {
        if self.remove(session) {
            self.fail((Command::Close as u8, 0, session), code, text);
        }
    }

    /// The numbers of a session, to be kept up to date.
    pub fn stats_mut(&mut self, session: u32) -> Option<&mut SessionStats> {
        self.sessions.get_mut(&session).map(|session| &mut session.stats)
    }

    fn succeed(&mut self, id: u32, request: u32, command: Command, results: TsdWriter) {
        if let Some(session) = self.sessions.get_mut(&id)
            && let Ok(next) = step(session.stage, command)
        {
            session.stage = next;
        }
        let to = (command as u8, request, id);
        self.returns.push_back(Return::encode(Code::SUCCESS, ChannelType::SESSION, to, results));
    }

    fn fail(&mut self, to: (u8, u32, u32), code: Code, text: &str) {
        self.returns.push_back(Return::failure(code, ChannelType::SESSION, to, text));
    }
}

fn target(args: &Sections) -> Result<Target, (Code, &'static str)> {
    let content = args.text(tag::CONTENT_ID).filter(|id| !id.is_empty() && id.len() <= MAX_CONTENT_ID);
    let content =
        content.ok_or((Code::SESSION_CONTENT_ID_WRONG, "a content id has 1 to 1024 bytes of UTF-8"))?;
    let kind = match args.get(tag::CONTENT_KIND) {
        None => ContentKind::Live,
        Some(kind) => ContentKind::decode(kind).ok_or((Code::ARG_INCORRECT, "no such kind of content"))?,
    };
    let direction = match args.u8(tag::DIRECTION) {
        None => Direction::Watch,
        Some(number) => Direction::from_number(number).ok_or((Code::ARG_INCORRECT, "no such direction"))?,
    };
    let quality = args.text(tag::QUALITY).map(str::to_owned);
    Ok(Target { content: content.to_owned(), direction, kind, quality })
}
