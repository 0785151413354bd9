//! The sessions that this side has made on the other side of a link.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::kind::Join;
use super::message::{Request, Return};
use super::server::{MAX_QUEUED, Target};
use super::session::{Command, Stage, step};
use super::way::Way;
use crate::wire::{ChannelId, ChannelType, Code, Sections, TsdWriter, tag};

/// What a return means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// A step succeeded.
    Done {
        /// Session.
        session: u32,
        /// Which step.
        command: Command,
        /// What it gave.
        results: Sections,
    },
    /// A step failed; the session is where it was.
    Failed {
        /// Session.
        session: u32,
        /// Which step.
        command: Command,
        /// Why.
        code: Code,
        /// The same for people.
        text: String,
    },
    /// The other side ended the session.
    Ended {
        /// Session.
        session: u32,
        /// Why.
        code: Code,
        /// The same for people.
        text: String,
    },
    /// Not about any request of these sessions.
    Stray(Return),
}

#[derive(Clone, Debug)]
struct Session {
    stage: Stage,
    /// What was asked and is not answered yet, the oldest first.
    waiting: VecDeque<(u32, Command)>,
}

impl Session {
    /// The stage after all that was asked, if all of it succeeds.
    fn ahead(&self) -> Stage {
        self.waiting.iter().fold(self.stage, |stage, (_, command)| step(stage, *command).unwrap_or(stage))
    }
}

/// One side's own sessions. Requests need not wait for the answers to those before them: up to
/// [`MAX_QUEUED`] of a session may be under way. Each call checks the step by the same table that the other side uses, and gives the
/// message to send on `S`.
#[derive(Debug, Default)]
pub struct ClientSessions {
    sessions: HashMap<u32, Session>,
    next_session: u32,
    next_request: u32,
}

impl ClientSessions {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far a session is.
    pub fn stage(&self, session: u32) -> Stage {
        self.sessions.get(&session).map_or(Stage::None, |session| session.stage)
    }

    /// Makes a session: its id, and what to send.
    pub fn create(&mut self) -> (u32, Bytes) {
        loop {
            self.next_session = self.next_session.wrapping_add(1);
            let id = self.next_session;
            if let Ok(message) = self.ask(id, Command::Create, TsdWriter::new()) {
                return (id, message);
            }
        }
    }

    /// Says who asks, with what shows it (a token, or nothing where the key is enough).
    pub fn authenticate(&mut self, session: u32, credentials: &[u8]) -> Result<Bytes, Code> {
        self.ask(session, Command::Authenticate, TsdWriter::new().with(tag::CREDENTIALS, credentials))
    }

    /// Says what for.
    pub fn select(&mut self, session: u32, target: &Target) -> Result<Bytes, Code> {
        self.select_by(session, target, &Way::default())
    }

    /// As [`ClientSessions::select`], for who asks on behalf of others: through which clusters the request went.
    pub fn select_by(&mut self, session: u32, target: &Target, way: &Way) -> Result<Bytes, Code> {
        let way = Some(way).filter(|way| !way.is_empty()).map(Way::encode);
        let args = TsdWriter::new()
            .with(tag::CONTENT_ID, target.content.as_bytes())
            .with(tag::CONTENT_KIND, &target.kind.encode())
            .with(tag::DIRECTION, &[target.direction as u8])
            .with_some(tag::QUALITY, target.quality.as_deref())
            .with_some(tag::WAY, way);
        self.ask(session, Command::Select, args)
    }

    /// Gives it a content channel that is open.
    pub fn open(&mut self, session: u32, channel: ChannelId) -> Result<Bytes, Code> {
        self.ask(session, Command::Open, TsdWriter::new().with(tag::CHANNEL, &channel.0.to_le_bytes()))
    }

    /// Says where to begin or go on.
    pub fn synchronise(
        &mut self,
        session: u32,
        join: Join,
        position: Option<Duration>,
    ) -> Result<Bytes, Code> {
        let position = position.map(|position| (position.as_micros() as u64).to_le_bytes());
        let args = TsdWriter::new().with(tag::JOIN, &[join as u8]).with_some(tag::POSITION, position);
        self.ask(session, Command::Synchronise, args)
    }

    /// Lets content flow.
    pub fn stream(&mut self, session: u32) -> Result<Bytes, Code> {
        self.ask(session, Command::Stream, TsdWriter::new())
    }

    /// Asks for statistics: [`tag::STATISTICS`] in the results.
    pub fn monitor(&mut self, session: u32) -> Result<Bytes, Code> {
        self.ask(session, Command::Monitor, TsdWriter::new())
    }

    /// Ends it.
    pub fn close(&mut self, session: u32) -> Result<Bytes, Code> {
        self.ask(session, Command::Close, TsdWriter::new())
    }

    /// Any step; a wrong one gives its code without asking the other side.
    pub fn ask(&mut self, id: u32, command: Command, args: TsdWriter) -> Result<Bytes, Code> {
        step(self.sessions.get(&id).map_or(Stage::None, Session::ahead), command)?;
        let session =
            self.sessions.entry(id).or_insert(Session { stage: Stage::None, waiting: VecDeque::new() });
        if session.waiting.len() >= MAX_QUEUED && command != Command::Close {
            return Err(Code::SESSION_WRONG_REQUEST);
        }
        self.next_request = self.next_request.wrapping_add(1).max(1);
        session.waiting.push_back((self.next_request, command));
        Ok(Request::encode(command as u8, self.next_request, id, args))
    }

    /// A return on `r`.
    pub fn handle(&mut self, returned: Return) -> ClientEvent {
        if returned.channel != ChannelType::SESSION {
            return ClientEvent::Stray(returned);
        }
        let id = returned.session;
        let Some(session) = self.sessions.get_mut(&id) else { return ClientEvent::Stray(returned) };
        let text = returned.results.text(tag::TEXT).unwrap_or_default().to_owned();
        if returned.request == 0 && returned.op == Command::Close as u8 {
            self.sessions.remove(&id);
            return ClientEvent::Ended { session: id, code: returned.code, text };
        }
        let asked = session
            .waiting
            .iter()
            .position(|(request, command)| *request == returned.request && *command as u8 == returned.op);
        let Some((_, command)) = asked.and_then(|place| session.waiting.remove(place)) else {
            return ClientEvent::Stray(returned);
        };
        let event = if returned.code.is_success() {
            session.stage = step(session.stage, command).unwrap_or(session.stage);
            ClientEvent::Done { session: id, command, results: returned.results }
        } else {
            ClientEvent::Failed { session: id, command, code: returned.code, text }
        };
        if session.stage == Stage::None && session.waiting.is_empty() {
            self.sessions.remove(&id);
        }
        event
    }
}
