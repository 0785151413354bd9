//! Sessions over a link, from the side that has the content.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::channel::Channel;
use super::link::{Incoming, Link};
use crate::CloseReason;
use crate::avrs::{ClusterMessage, Request, Return, ServerEvent, ServerSessions, Signal, Verifier};
use crate::wire::{ChannelId, ChannelType, Code, TsdWriter};

/// What happened on one of the lettered channels.
#[derive(Debug)]
pub enum Served {
    /// Of a session.
    Session(ServerEvent),
    /// A cluster message that the sender's role allows: answer with [`SessionServer::answer_cluster`].
    Cluster {
        /// To be given back with the answer.
        request: Request,
        /// What is asked.
        message: ClusterMessage,
    },
    /// A signal, and the session it is about.
    Signal(u32, Signal),
    /// What became of a request that this side sent by a channel of its own.
    Return(Return),
}

/// Serves one link: accepts `S`, `r`, `C`, `A` and any number of `c`, refuses the rest.
pub struct SessionServer {
    link: Link,
    sessions: ServerSessions,
    lettered: HashMap<ChannelType, Channel>,
    content: HashMap<ChannelId, Channel>,
}

impl SessionServer {
    /// Serves a link whose handshake it waits for.
    pub async fn new(
        link: Link,
        verifier: Arc<dyn Verifier>,
        max_sessions: usize,
    ) -> Result<Self, CloseReason> {
        let member = link.ready().await?;
        let sessions = ServerSessions::new(member, verifier, max_sessions);
        Ok(Self { link, sessions, lettered: HashMap::new(), content: HashMap::new() })
    }

    /// The sessions, to answer and to end them; [`SessionServer::next`] sends what comes of it.
    pub fn sessions(&mut self) -> &mut ServerSessions {
        &mut self.sessions
    }

    /// The content channel of a session that was opened, or whose turn it is to stream.
    pub fn take_channel(&mut self, channel: ChannelId) -> Option<Channel> {
        self.content.remove(&channel)
    }

    /// What happens next. It may be dropped at any await.
    pub async fn next(&mut self) -> Result<Served, CloseReason> {
        loop {
            let content = &self.content;
            self.sessions.resume(|id| content.contains_key(&id));
            self.flush();
            if let Some(event) = self.sessions.poll_event() {
                return Ok(Served::Session(event));
            }
            let link = self.link.clone();
            tokio::select! {
                // Channels first: requests that came behind them are about them.
                biased;
                incoming = link.accept() => self.accept(incoming?),
                message = next_of(&self.lettered, ChannelType::SESSION) => {
                    let content = &self.content;
                    self.sessions.handle(&message, |id| content.contains_key(&id));
                }
                message = next_of(&self.lettered, ChannelType::CLUSTER) => {
                    if let Some(served) = self.cluster(&message) {
                        return Ok(served);
                    }
                }
                message = next_of(&self.lettered, ChannelType::RETCODE) => {
                    if let Some(returned) = Return::decode(&message) {
                        return Ok(Served::Return(returned));
                    }
                }
                message = next_of(&self.lettered, ChannelType::SIGNAL) => {
                    match Request::decode(&message).ok_or(Code::ARG_INCORRECT).and_then(|request| Signal::decode(&request)) {
                        Ok((session, signal)) => return Ok(Served::Signal(session, signal)),
                        Err(code) => {
                            let op = message.first().copied().unwrap_or(0);
                            self.send(Return::failure(code, ChannelType::SIGNAL, (op, 0, 0), "not a signal"));
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self, incoming: Incoming) {
        let (id, kind) = (incoming.id(), incoming.kind());
        let letters = [ChannelType::SESSION, ChannelType::RETCODE, ChannelType::CLUSTER, ChannelType::SIGNAL];
        if kind == ChannelType::CONTENT {
            if let Ok(channel) = incoming.accept() {
                self.content.insert(id, channel);
            }
        } else if letters.contains(&kind) && id == ChannelId::of(kind) {
            // An old handle of the same id would close the new channel.
            self.lettered.remove(&kind);
            if let Ok(channel) = incoming.accept() {
                self.lettered.insert(kind, channel);
            }
        } else {
            incoming.refuse(Code::ARG_INCORRECT, "this side serves S, r, C, A and c");
        }
    }

    fn cluster(&mut self, message: &Bytes) -> Option<Served> {
        let role = self.link.peer().map(|peer| peer.role).unwrap_or_default();
        let Some(request) = Request::decode(message) else {
            let op = message.first().copied().unwrap_or(0);
            self.send(Return::failure(
                Code::CLUSTER_WRONG_REQUEST,
                ChannelType::CLUSTER,
                (op, 0, 0),
                "not a request",
            ));
            return None;
        };
        match ClusterMessage::decode(&request, role) {
            Ok(message) => Some(Served::Cluster { request, message }),
            Err(code) => {
                let to = (request.op, request.request, request.session);
                self.send(Return::failure(code, ChannelType::CLUSTER, to, "refused"));
                None
            }
        }
    }

    /// Answers a cluster message.
    pub fn answer_cluster(&mut self, request: &Request, code: Code, results: TsdWriter) {
        let to = (request.op, request.request, request.session);
        self.send(Return::encode(code, ChannelType::CLUSTER, to, results));
    }

    fn flush(&mut self) {
        while let Some(returned) = self.sessions.poll_return() {
            self.send(returned);
        }
    }

    /// A peer that asks and does not read the returns loses them: its own window bounds how much it may ask.
    fn send(&self, returned: Bytes) {
        if let Some(channel) = self.lettered.get(&ChannelType::RETCODE)
            && let Err(error) = channel.try_send(Bytes::new(), returned)
        {
            tracing::debug!(%error, "a return was lost");
        }
    }
}

/// The next message on a channel; never, while there is no such channel.
async fn next_of(channels: &HashMap<ChannelType, Channel>, kind: ChannelType) -> Bytes {
    if let Some(channel) = channels.get(&kind)
        && let Ok(message) = channel.recv().await
    {
        return message;
    }
    std::future::pending().await
}
