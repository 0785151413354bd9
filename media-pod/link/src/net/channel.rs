//! A handle of a channel.

use std::sync::Arc;

use bytes::Bytes;

use super::link::Link;
use super::shared::{Inner, Place, Shared, Signals, Slot, until};
use crate::engine::{ChannelStats, OpenError, SendError};
use crate::wire::{ChannelId, Code, Notice};
use crate::{CloseReason, PacketIn};

/// Why a channel did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The link is over.
    #[error("the link is over: {0}")]
    Link(CloseReason),
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A message was not taken.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The channel was closed or refused.
    #[error("the channel is closed: {}: {}", .0.text, .0.code)]
    Closed(Notice),
}

/// An open channel. Dropping it closes it.
pub struct Channel {
    link: Link,
    id: ChannelId,
    signals: Arc<Signals>,
}

impl Channel {
    pub(super) fn new(link: Link, id: ChannelId, signals: Arc<Signals>) -> Self {
        Self { link, id, signals }
    }

    fn shared(&self) -> &Shared {
        &self.link.0.0
    }

    /// Its slot; none once the channel is over and another one has its id.
    fn slot<'a>(&self, inner: &'a mut Inner) -> Option<&'a mut Slot> {
        inner.slots.get_mut(&self.id).filter(|slot| Arc::ptr_eq(&slot.signals, &self.signals))
    }

    pub(super) async fn opened(&self) -> Result<(), ChannelError> {
        until(&self.signals.writable, || match self.place() {
            Place::Opening => None,
            Place::Open => Some(Ok(())),
            Place::Over(notice) => Some(Err(ChannelError::Closed(notice))),
        })
        .await
    }

    fn place(&self) -> Place {
        let mut inner = self.shared().lock();
        self.slot(&mut inner).map_or_else(|| Place::Over(Notice::done()), |slot| slot.place.clone())
    }

    /// Its id.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// Its link.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The next message, in order; what came before the channel was closed is still given. The other side may send
    /// more once it is taken.
    pub async fn recv(&self) -> Result<Bytes, ChannelError> {
        until(&self.signals.readable, || self.try_recv().transpose()).await
    }

    /// The next message, if there is one now.
    pub fn try_recv(&self) -> Result<Option<Bytes>, ChannelError> {
        self.shared().act(|inner| {
            let Some(slot) = self.slot(inner) else {
                return Err(ChannelError::Closed(Notice::done()));
            };
            if let Some(PacketIn { data, charge, .. }) = slot.queue.pop_front() {
                inner.core.consumed(self.id, charge);
                return Ok(Some(data));
            }
            match &slot.place {
                Place::Over(notice) => Err(ChannelError::Closed(notice.clone())),
                _ => Ok(None),
            }
        })
    }

    /// Waits until [`Channel::try_recv`] has something to say.
    pub async fn readable(&self) {
        until(&self.signals.readable, || {
            let mut inner = self.shared().lock();
            let waits = |slot: &mut Slot| slot.queue.is_empty() && slot.place == Place::Open;
            (!self.slot(&mut inner).is_some_and(waits)).then_some(())
        })
        .await;
    }

    /// Waits until [`Channel::try_send`] takes a message or says why it never will.
    pub async fn writable(&self) {
        until(&self.signals.writable, || {
            let mut inner = self.shared().lock();
            let open = self.slot(&mut inner).is_some_and(|slot| slot.place == Place::Open);
            (!open || inner.core.is_writable(self.id)).then_some(())
        })
        .await;
    }

    /// Sends a message; waits while too much is queued.
    pub async fn send(&self, message: Bytes) -> Result<(), ChannelError> {
        self.send_parts(Bytes::new(), message).await
    }

    /// Sends a message whose head and body are not one piece of memory.
    pub async fn send_parts(&self, head: Bytes, body: Bytes) -> Result<(), ChannelError> {
        until(&self.signals.writable, || match self.try_send(head.clone(), body.clone()) {
            Err(ChannelError::Send(SendError::Full)) => None,
            result => Some(result),
        })
        .await
    }

    /// Sends a message if there is room: else [`SendError::Full`].
    pub fn try_send(&self, head: Bytes, body: Bytes) -> Result<(), ChannelError> {
        self.shared().act(|inner| match self.slot(inner).map(|slot| &slot.place) {
            Some(Place::Over(notice)) => Err(ChannelError::Closed(notice.clone())),
            None => Err(ChannelError::Closed(Notice::done())),
            Some(_) => inner.core.send(self.id, head, body).map_err(ChannelError::Send),
        })
    }

    /// Numbers of the channel while it is open.
    pub fn stats(&self) -> Option<ChannelStats> {
        self.shared().lock().core.channel_stats(self.id)
    }

    /// Closes the channel after what was sent; the other side is told why.
    pub fn close(&self, code: Code, text: &str) {
        self.shared().act(|inner| {
            if self.is_live(inner) {
                inner.core.close_channel(self.id, Notice::new(code, text));
            }
        });
    }

    fn is_live(&self, inner: &mut Inner) -> bool {
        self.slot(inner).is_some_and(|slot| !matches!(slot.place, Place::Over(_)))
    }

    /// Waits until the channel is over, and says why.
    pub async fn closed(&self) -> Notice {
        until(&self.signals.writable, || match self.place() {
            Place::Over(notice) => Some(notice),
            _ => None,
        })
        .await
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.shared().act(|inner| {
            if self.is_live(inner) {
                inner.core.close_channel(self.id, Notice::done());
            }
            if let Some(slot) = self.slot(inner) {
                let held: u32 = slot.queue.iter().map(|packet| packet.charge).sum();
                inner.slots.remove(&self.id);
                inner.core.consumed(self.id, held);
            }
        });
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("id", &self.id).finish_non_exhaustive()
    }
}
