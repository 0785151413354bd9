//! Sessions over a link, from the asker's side.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::channel::{Channel, ChannelError};
use super::link::Link;
use crate::CloseReason;
use crate::avrs::{ClientEvent, ClientSessions, Content, Join, Return, Target, sign};
use crate::secure::Trust;
use crate::wire::{ChannelType, Code, Sections, tag};

/// Why there is no session, or no more content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A channel or the link.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The other side said no, or this side knows that it would.
    #[error("{text}: {code}")]
    Code {
        /// The code.
        code: Code,
        /// The same for people.
        text: String,
    },
    /// Content that cannot be passed on; the other side was told.
    #[error("content: {0}")]
    Content(Code),
}

impl From<Code> for SessionError {
    fn from(code: Code) -> Self {
        Self::Code { code, text: "wrong step".to_owned() }
    }
}

impl From<CloseReason> for SessionError {
    fn from(reason: CloseReason) -> Self {
        Self::Channel(ChannelError::Link(reason))
    }
}

/// What a viewer or a publisher wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Of what.
    pub target: Target,
    /// What shows who asks, besides the link's own key.
    pub credentials: Bytes,
    /// Where to begin.
    pub join: Join,
    /// Where to begin in content that has positions.
    pub position: Option<Duration>,
}

/// The sessions that this side makes on a link: one channel `S` and one `r` for all of them.
pub struct SessionClient {
    requests: Channel,
    returns: Channel,
    sessions: Mutex<ClientSessions>,
}

impl SessionClient {
    /// Opens both channels.
    pub async fn new(link: &Link) -> Result<Arc<Self>, SessionError> {
        let returns = link.open_channel(ChannelType::RETCODE).await?;
        let requests = link.open_channel(ChannelType::SESSION).await?;
        Ok(Arc::new(Self { requests, returns, sessions: Mutex::new(ClientSessions::new()) }))
    }

    /// Makes a session and takes it through every step to streaming.
    pub async fn begin(self: &Arc<Self>, wish: &Wish) -> Result<Session, SessionError> {
        let channel = self.requests.link().open_dynamic(ChannelType::CONTENT).await?;
        let mut sessions = self.sessions.lock().await;
        let (id, create) = sessions.create();
        let result = self.steps(&mut sessions, id, create, wish, &channel).await;
        if result.is_err()
            && let Ok(close) = sessions.close(id)
        {
            // Of a session that went wrong nothing may remain.
            let _ = self.step(&mut sessions, id, close).await;
        }
        let (stream, synchronised) = result?;
        drop(sessions);
        Ok(Session { client: self.clone(), id, stream, synchronised, channel })
    }

    /// Whether the other side would let who shows `credentials` have `target`: a session that goes no further than that.
    pub async fn may(&self, target: &Target, credentials: &[u8]) -> Result<(), SessionError> {
        let mut sessions = self.sessions.lock().await;
        let (id, create) = sessions.create();
        let result = self.ask(&mut sessions, id, create, target, credentials).await;
        if let Ok(close) = sessions.close(id) {
            let _ = self.step(&mut sessions, id, close).await;
        }
        result.map(|_| ())
    }

    /// Sends a return to a request of the other side.
    pub async fn answer(&self, returned: Bytes) -> Result<(), SessionError> {
        Ok(self.returns.send(returned).await?)
    }

    async fn ask(
        &self,
        sessions: &mut ClientSessions,
        id: u32,
        create: Bytes,
        target: &Target,
        credentials: &[u8],
    ) -> Result<Sections, SessionError> {
        self.step(sessions, id, create).await?;
        let message = sessions.authenticate(id, credentials)?;
        self.step(sessions, id, message).await?;
        let message = sessions.select(id, target)?;
        self.step(sessions, id, message).await
    }

    async fn steps(
        &self,
        sessions: &mut ClientSessions,
        id: u32,
        create: Bytes,
        wish: &Wish,
        channel: &Channel,
    ) -> Result<(u64, Sections), SessionError> {
        let selected = self.ask(sessions, id, create, &wish.target, &wish.credentials).await?;
        let message = sessions.open(id, channel.id())?;
        self.step(sessions, id, message).await?;
        let message = sessions.synchronise(id, wish.join, wish.position)?;
        let synchronised = self.step(sessions, id, message).await?;
        let message = sessions.stream(id)?;
        self.step(sessions, id, message).await?;
        Ok((selected.u64(tag::STREAM).unwrap_or_default(), synchronised))
    }

    async fn step(
        &self,
        sessions: &mut ClientSessions,
        id: u32,
        message: Bytes,
    ) -> Result<Sections, SessionError> {
        self.requests.send(message).await?;
        loop {
            let bytes = self.returns.recv().await?;
            let Some(returned) = Return::decode(&bytes) else { return Err(Code::ARG_INCORRECT.into()) };
            match sessions.handle(returned) {
                ClientEvent::Done { session, results, .. } if session == id => return Ok(results),
                ClientEvent::Failed { session, code, text, .. }
                | ClientEvent::Ended { session, code, text }
                    if session == id =>
                {
                    return Err(SessionError::Code { code, text });
                }
                _ => {}
            }
        }
    }
}

/// A session through which content flows. Its end closes its channel; [`Session::close`] also says so on `S`.
pub struct Session {
    client: Arc<SessionClient>,
    id: u32,
    stream: u64,
    synchronised: Sections,
    channel: Channel,
}

impl Session {
    /// Stream id that its content has.
    pub fn stream(&self) -> u64 {
        self.stream
    }

    /// What the other side said of where it begins.
    pub fn synchronised(&self) -> &Sections {
        &self.synchronised
    }

    /// Its content channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The next content packet as it came, to be passed on, and what it says. With `trust` it must be signed. What is
    /// wrong with it is also told to the other side (an ERROR on the channel).
    pub async fn recv(&self, trust: Option<&dyn Trust>) -> Result<(Bytes, Content), SessionError> {
        let packet = self.channel.recv().await?;
        match self.check(&packet, trust) {
            Ok(content) => Ok((packet, content)),
            Err(code) => {
                self.channel.link().complain(self.channel.id(), code, "content refused");
                Err(SessionError::Content(code))
            }
        }
    }

    fn check(&self, packet: &Bytes, trust: Option<&dyn Trust>) -> Result<Content, Code> {
        if let Some(trust) = trust {
            sign::verify(packet, trust)?;
        }
        let content = Content::decode(packet).map_err(|error| error.code())?;
        if content.stream == self.stream { Ok(content) } else { Err(Code::CONTENT_FLOW_WRONG_ID) }
    }

    /// Goes on somewhere else.
    pub async fn synchronise(
        &self,
        join: Join,
        position: Option<Duration>,
    ) -> Result<Sections, SessionError> {
        let mut sessions = self.client.sessions.lock().await;
        let message = sessions.synchronise(self.id, join, position)?;
        self.client.step(&mut sessions, self.id, message).await
    }

    /// The other side's numbers: [`tag::STATISTICS`].
    pub async fn monitor(&self) -> Result<Sections, SessionError> {
        let mut sessions = self.client.sessions.lock().await;
        let message = sessions.monitor(self.id)?;
        self.client.step(&mut sessions, self.id, message).await
    }

    /// Ends it.
    pub async fn close(self) -> Result<(), SessionError> {
        let mut sessions = self.client.sessions.lock().await;
        let message = sessions.close(self.id)?;
        self.client.step(&mut sessions, self.id, message).await.map(|_| ())
    }
}
