//! Sessions over a link, from the asker's side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::channel::{Channel, ChannelError};
use super::link::Link;
use crate::CloseReason;
use crate::avrs::{ClientEvent, ClientSessions, Command, Content, Join, Return, Target, Way, sign};
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

/// The sessions that this side makes on a link: one channel `S` and one `r` for all of them. None waits for another.
pub struct SessionClient {
    requests: Channel,
    returns: Arc<Channel>,
    state: Arc<Mutex<State>>,
    reader: AbortHandle,
}

#[derive(Default)]
struct State {
    sessions: ClientSessions,
    /// Who waits for which return.
    waiting: HashMap<(u32, Command), oneshot::Sender<Outcome>>,
    /// Why no return comes any more.
    over: Option<SessionError>,
}

type Outcome = Result<Sections, SessionError>;

impl State {
    /// A request of `session` that is to be sent now, and where its return comes.
    fn ask(
        &mut self,
        session: u32,
        command: Command,
        make: impl FnOnce(&mut ClientSessions) -> Result<Bytes, Code>,
    ) -> Result<Asked, SessionError> {
        if let Some(over) = &self.over {
            return Err(over.clone());
        }
        let message = make(&mut self.sessions)?;
        let (to, returned) = oneshot::channel();
        self.waiting.insert((session, command), to);
        Ok(Asked { message, returned })
    }
}

/// One request.
struct Asked {
    message: Bytes,
    returned: oneshot::Receiver<Outcome>,
}

impl Drop for SessionClient {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl SessionClient {
    /// Opens both channels.
    pub async fn new(link: &Link) -> Result<Arc<Self>, SessionError> {
        let returns = Arc::new(link.open_channel(ChannelType::RETCODE).await?);
        let requests = link.open_channel(ChannelType::SESSION).await?;
        let state = Arc::<Mutex<State>>::default();
        let reader = tokio::spawn(read(returns.clone(), state.clone())).abort_handle();
        Ok(Arc::new(Self { requests, returns, state, reader }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a session and takes it through every step to streaming. All steps are sent at once: that takes about as long as one.
    pub async fn begin(self: &Arc<Self>, wish: &Wish) -> Result<Session, SessionError> {
        self.begin_by(wish, &Way::default()).await
    }

    /// As [`SessionClient::begin`], for who asks on behalf of others: through which clusters the request went.
    pub async fn begin_by(self: &Arc<Self>, wish: &Wish, way: &Way) -> Result<Session, SessionError> {
        let channel = self.requests.link().begin_dynamic(ChannelType::CONTENT)?;
        let (id, mut asked) = self.select(&wish.target, &wish.credentials, way)?;
        {
            let mut state = self.state();
            asked.push(state.ask(id, Command::Open, |sessions| sessions.open(id, channel.id()))?);
            asked.push(state.ask(id, Command::Synchronise, |sessions| {
                sessions.synchronise(id, wish.join, wish.position)
            })?);
            asked.push(state.ask(id, Command::Stream, |sessions| sessions.stream(id))?);
        }
        match self.all(asked).await {
            Ok(results) => {
                let [_, _, selected, _, synchronised, ..] = results.as_slice() else {
                    return Err(Code::ERROR.into());
                };
                let stream = selected.u64(tag::STREAM).unwrap_or_default();
                let (selected, synchronised) = (selected.clone(), synchronised.clone());
                Ok(Session { client: self.clone(), id, stream, selected, synchronised, channel })
            }
            Err(error) => {
                // Of a session that went wrong nothing may remain.
                let _ = self.step(id, Command::Close, |sessions| sessions.close(id)).await;
                Err(error)
            }
        }
    }

    /// Whether the other side would let who shows `credentials` have `target`: a session that goes no further than that.
    pub async fn may(&self, target: &Target, credentials: &[u8]) -> Result<(), SessionError> {
        self.may_by(target, credentials, &Way::default()).await
    }

    /// As [`SessionClient::may`], for who asks on behalf of others: through which clusters the request went.
    pub async fn may_by(&self, target: &Target, credentials: &[u8], way: &Way) -> Result<(), SessionError> {
        let (id, asked) = self.select(target, credentials, way)?;
        let result = self.all(asked).await;
        let _ = self.step(id, Command::Close, |sessions| sessions.close(id)).await;
        result.map(|_| ())
    }

    /// Sends a return to a request of the other side.
    pub async fn answer(&self, returned: Bytes) -> Result<(), SessionError> {
        Ok(self.returns.send(returned).await?)
    }

    /// The requests of a new session up to its selection.
    fn select(
        &self,
        target: &Target,
        credentials: &[u8],
        way: &Way,
    ) -> Result<(u32, Vec<Asked>), SessionError> {
        let mut state = self.state();
        let (id, create) = state.sessions.create();
        let create = state.ask(id, Command::Create, |_| Ok(create))?;
        let authenticate =
            state.ask(id, Command::Authenticate, |sessions| sessions.authenticate(id, credentials))?;
        let select = state.ask(id, Command::Select, |sessions| sessions.select_by(id, target, way))?;
        Ok((id, vec![create, authenticate, select]))
    }

    /// Sends requests, and waits for all returns, or for the first that says no.
    async fn all(&self, asked: Vec<Asked>) -> Result<Vec<Sections>, SessionError> {
        let mut waiting = Vec::with_capacity(asked.len());
        for Asked { message, returned } in asked {
            self.requests.send(message).await?;
            waiting.push(returned);
        }
        let mut results = Vec::with_capacity(waiting.len());
        for returned in waiting {
            let gone = |_| Err(self.state().over.clone().unwrap_or_else(|| Code::ERROR.into()));
            results.push(returned.await.unwrap_or_else(gone)?);
        }
        Ok(results)
    }

    async fn step(
        &self,
        id: u32,
        command: Command,
        make: impl FnOnce(&mut ClientSessions) -> Result<Bytes, Code>,
    ) -> Outcome {
        let asked = self.state().ask(id, command, make)?;
        let mut results = self.all(vec![asked]).await?;
        results.pop().ok_or_else(|| Code::ERROR.into())
    }
}

/// Takes returns to those who wait for them, until none come any more.
async fn read(returns: Arc<Channel>, state: Arc<Mutex<State>>) {
    let state = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let over = loop {
        let bytes = match returns.recv().await {
            Ok(bytes) => bytes,
            Err(error) => break error.into(),
        };
        let Some(returned) = Return::decode(&bytes) else { break Code::ARG_INCORRECT.into() };
        let mut state = state();
        let (to, result) = match state.sessions.handle(returned) {
            ClientEvent::Done { session, command, results } => ((session, command), Ok(results)),
            ClientEvent::Failed { session, command, code, text } => {
                ((session, command), Err(SessionError::Code { code, text }))
            }
            ClientEvent::Ended { session, code, text } => {
                for (_, waits) in state.waiting.extract_if(|(id, _), _| *id == session) {
                    let _ = waits.send(Err(SessionError::Code { code, text: text.clone() }));
                }
                continue;
            }
            ClientEvent::Stray(_) => continue,
        };
        if let Some(waits) = state.waiting.remove(&to) {
            // Who has gone meanwhile needs no answer.
            let _ = waits.send(result);
        }
    };
    let mut state = state();
    state.over = Some(over);
    state.waiting.clear();
}

/// A session through which content flows. Its end closes its channel; [`Session::close`] also says so on `S`.
pub struct Session {
    client: Arc<SessionClient>,
    id: u32,
    stream: u64,
    selected: Sections,
    synchronised: Sections,
    channel: Channel,
}

impl Session {
    /// Stream id that its content has.
    pub fn stream(&self) -> u64 {
        self.stream
    }

    /// What the other side said of what was selected.
    pub fn selected(&self) -> &Sections {
        &self.selected
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
        self.client
            .step(self.id, Command::Synchronise, |sessions| sessions.synchronise(self.id, join, position))
            .await
    }

    /// The other side's numbers: [`tag::STATISTICS`].
    pub async fn monitor(&self) -> Result<Sections, SessionError> {
        self.client.step(self.id, Command::Monitor, |sessions| sessions.monitor(self.id)).await
    }

    /// Ends it.
    pub async fn close(self) -> Result<(), SessionError> {
        self.end().await
    }

    pub(super) async fn end(&self) -> Result<(), SessionError> {
        self.client.step(self.id, Command::Close, |sessions| sessions.close(self.id)).await.map(|_| ())
    }
}
