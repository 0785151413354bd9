//! A handle of a link.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::channel::{Channel, ChannelError};
use super::driver::Driver;
use super::shared::{Inner, Place, Shared, Slot, now, until};
use crate::engine::{ChannelStats, Filter, LinkStats, OpenError, StartError, Verdict};
use crate::secure::Claim;
use crate::wire::{ChannelId, ChannelType, Code, Notice, OpenOptions};
use crate::{CloseReason, Config, Core, PacketIn};

/// Closes the link with its last handle.
pub(super) struct Guard(pub(super) Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.act(|inner| inner.core.close(&Notice::done()));
    }
}

/// A link that lives as long as one of its handles or channels.
#[derive(Clone)]
pub struct Link(pub(super) Arc<Guard>);

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("closed", &self.shared().lock().closed).finish_non_exhaustive()
    }
}

impl Link {
    /// Begins a link over a connection; its task runs on the current runtime.
    pub fn start<S>(stream: S, config: Config) -> Result<Self, StartError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = Arc::new(Shared::new(Core::new(config, now())?));
        tokio::spawn(Driver::new(shared.clone(), stream));
        Ok(Self(Arc::new(Guard(shared))))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// Waits for the handshake: who is on the other side, and in which role.
    pub async fn ready(&self) -> Result<Claim, CloseReason> {
        until(&self.shared().changed, || {
            let inner = self.shared().lock();
            match (&inner.closed, inner.core.peer()) {
                (Some(reason), _) => Some(Err(reason.clone())),
                (None, Some(peer)) => Some(Ok(peer.clone())),
                (None, None) => None,
            }
        })
        .await
    }

    /// Opens the one channel of a type; waits until the other side has agreed.
    pub async fn open_channel(&self, kind: ChannelType) -> Result<Channel, ChannelError> {
        self.open_with(|core| core.open(kind, OpenOptions::NONE)).await
    }

    /// Opens one more channel of a type, with an id of its own.
    pub async fn open_dynamic(&self, kind: ChannelType) -> Result<Channel, ChannelError> {
        self.open_with(|core| core.open_dynamic(kind, OpenOptions::NONE)).await
    }

    /// As [`Link::open_dynamic`], without waiting for the other side: for who has more to say that goes behind it.
    pub fn begin_dynamic(&self, kind: ChannelType) -> Result<Channel, ChannelError> {
        self.shared().act(|inner| {
            let id = inner.core.open_dynamic(kind, OpenOptions::NONE)?;
            Ok(self.adopt(inner, id, Place::Opening))
        })
    }

    /// Opens a channel whose packets are sealed whatever the transport is.
    pub async fn open_sealed(&self, kind: ChannelType) -> Result<Channel, ChannelError> {
        self.open_with(|core| core.open(kind, OpenOptions::ENCRYPTED)).await
    }

    /// Opens a channel whose seal also depends on a key that the other side has from elsewhere.
    pub async fn open_keyed(&self, kind: ChannelType, key: [u8; 32]) -> Result<Channel, ChannelError> {
        self.open_with(|core| core.open_keyed(kind, key)).await
    }

    async fn open_with(
        &self,
        open: impl FnOnce(&mut Core) -> Result<ChannelId, OpenError>,
    ) -> Result<Channel, ChannelError> {
        self.ready().await.map_err(ChannelError::Link)?;
        let channel = self.shared().act(|inner| {
            let id = open(&mut inner.core)?;
            Ok::<_, ChannelError>(self.adopt(inner, id, Place::Opening))
        })?;
        channel.opened().await?;
        Ok(channel)
    }

    fn adopt(&self, inner: &mut Inner, id: ChannelId, place: Place) -> Channel {
        inner.incoming.retain(|(other, ..)| *other != id);
        // A channel that is open already was asked for by the other side first.
        let place = if inner.core.is_open(id) { Place::Open } else { place };
        let slot = Slot::new(place);
        let signals = slot.signals.clone();
        inner.slots.insert(id, slot);
        Channel::new(self.clone(), id, signals)
    }

    /// Waits for the other side to ask for a channel.
    pub async fn accept(&self) -> Result<Incoming, CloseReason> {
        let (id, kind, options) = until(&self.shared().changed, || {
            let mut inner = self.shared().lock();
            match (inner.incoming.pop_front(), &inner.closed) {
                (_, Some(reason)) => Some(Err(reason.clone())),
                (Some(request), None) => Some(Ok(request)),
                (None, None) => None,
            }
        })
        .await?;
        Ok(Incoming { link: self.clone(), id, kind, options, decided: false })
    }

    /// Registers a callback that sees messages before [`Channel::recv`] does. It runs on the link's task, so it
    /// must be short, and must not use the link.
    pub fn on_packet(&self, filter: Filter, hook: impl FnMut(&PacketIn) -> Verdict + Send + 'static) {
        self.shared().lock().core.on_packet(filter, hook);
    }

    /// What the other side said was wrong, the oldest first; the last 64 are kept.
    pub fn take_complaints(&self) -> Vec<(ChannelId, Notice)> {
        self.shared().lock().complaints.drain(..).collect()
    }

    /// Waits for the other side to say that something was wrong.
    pub async fn complained(&self) -> Result<(ChannelId, Notice), CloseReason> {
        until(&self.shared().changed, || {
            let mut inner = self.shared().lock();
            match (inner.complaints.pop_front(), &inner.closed) {
                (Some(complaint), _) => Some(Ok(complaint)),
                (None, Some(reason)) => Some(Err(reason.clone())),
                (None, None) => None,
            }
        })
        .await
    }

    /// Numbers of the link.
    pub fn stats(&self) -> LinkStats {
        self.shared().lock().core.stats()
    }

    /// How long ago something was heard of the other side.
    pub fn silence(&self) -> Duration {
        self.shared().lock().core.silence(now())
    }

    /// Numbers of each channel that is open.
    pub fn channel_stats(&self) -> Vec<(ChannelId, ChannelStats)> {
        let inner = self.shared().lock();
        let ids: Vec<_> = inner.core.channels().collect();
        ids.into_iter().filter_map(|id| Some((id, inner.core.channel_stats(id)?))).collect()
    }

    /// Who is on the other side, once that is known.
    pub fn peer(&self) -> Option<Claim> {
        self.shared().lock().core.peer().cloned()
    }

    /// Tells the other side that something was wrong.
    pub fn complain(&self, channel: ChannelId, code: Code, text: &str) {
        self.shared().act(|inner| inner.core.complain(channel, code, text));
    }

    /// Closes the link now; the other side is told why.
    pub fn close(&self, notice: &Notice) {
        self.shared().act(|inner| inner.core.close(notice));
    }

    /// Why the link is over, if it is.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.shared().lock().closed.clone()
    }

    /// Waits until the link is over.
    pub async fn closed(&self) -> CloseReason {
        until(&self.shared().changed, || self.close_reason()).await
    }
}

/// A channel that the other side asks for. Dropped undecided, it is refused.
#[derive(Debug)]
pub struct Incoming {
    link: Link,
    id: ChannelId,
    kind: ChannelType,
    options: OpenOptions,
    decided: bool,
}

impl Incoming {
    /// Its id.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// What it is for.
    pub fn kind(&self) -> ChannelType {
        self.kind
    }

    /// How it is to be.
    pub fn options(&self) -> OpenOptions {
        self.options
    }

    /// Opens it.
    pub fn accept(self) -> Result<Channel, ChannelError> {
        self.decide(None)
    }

    /// Opens a keyed one.
    pub fn accept_keyed(self, key: [u8; 32]) -> Result<Channel, ChannelError> {
        self.decide(Some(key))
    }

    fn decide(mut self, key: Option<[u8; 32]>) -> Result<Channel, ChannelError> {
        let channel = self.link.shared().act(|inner| {
            inner.core.accept_keyed(self.id, key)?;
            Ok::<_, ChannelError>(self.link.adopt(inner, self.id, Place::Open))
        })?;
        self.decided = true;
        Ok(channel)
    }

    /// Refuses it.
    pub fn refuse(mut self, code: Code, text: &str) {
        self.decided = true;
        self.link.shared().act(|inner| inner.core.refuse(self.id, code, text));
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.decided {
            self.link.shared().act(|inner| inner.core.refuse(self.id, Code::ERROR, "nobody wants it"));
        }
    }
}
