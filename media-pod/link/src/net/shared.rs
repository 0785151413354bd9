//! What the driver of a link and its handles share.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use atomic_waker::AtomicWaker;
use tokio::sync::Notify;

use crate::engine::{Core, Event};
use crate::wire::{ChannelId, ChannelType, Notice, OpenOptions};
use crate::{CloseReason, PacketIn};

/// Complaints of the other side that are kept for who asks.
const MAX_COMPLAINTS: usize = 64;

/// Both wake-ups of a channel.
#[derive(Debug, Default)]
pub struct Signals {
    pub readable: Notify,
    pub writable: Notify,
}

/// Where a channel is, as its handle sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Opening,
    Open,
    Over(Notice),
}

pub struct Slot {
    pub place: Place,
    pub queue: VecDeque<PacketIn>,
    pub signals: Arc<Signals>,
}

impl Slot {
    pub fn new(place: Place) -> Self {
        Self { place, queue: VecDeque::new(), signals: Arc::default() }
    }

    fn end(&mut self, notice: Notice) {
        self.place = Place::Over(notice);
        self.signals.readable.notify_waiters();
        self.signals.writable.notify_waiters();
    }
}

pub struct Inner {
    pub core: Core,
    pub slots: HashMap<ChannelId, Slot>,
    pub incoming: VecDeque<(ChannelId, ChannelType, OpenOptions)>,
    pub complaints: VecDeque<(ChannelId, Notice)>,
    pub closed: Option<CloseReason>,
}

impl Inner {
    /// Takes the core's events to those whom they concern.
    pub fn dispatch(&mut self, changed: &Notify) {
        while let Some(event) = self.core.poll_event() {
            match event {
                Event::Ready { .. } => changed.notify_waiters(),
                Event::OpenRequest { channel, kind, options } => {
                    self.incoming.push_back((channel, kind, options));
                    changed.notify_waiters();
                }
                Event::Opened { channel } => {
                    if let Some(slot) = self.slots.get_mut(&channel) {
                        slot.place = Place::Open;
                        slot.signals.writable.notify_waiters();
                    }
                }
                Event::Packet(packet) => match self.slots.get_mut(&packet.channel) {
                    Some(slot) => {
                        slot.queue.push_back(packet);
                        slot.signals.readable.notify_waiters();
                    }
                    None => self.core.consumed(packet.channel, packet.charge),
                },
                Event::Writable(channel) => {
                    if let Some(slot) = self.slots.get(&channel) {
                        slot.signals.writable.notify_waiters();
                    }
                }
                Event::Refused { channel, notice } | Event::ChannelClosed { channel, notice } => {
                    self.incoming.retain(|(id, ..)| *id != channel);
                    if let Some(slot) = self.slots.get_mut(&channel) {
                        slot.end(notice);
                    }
                }
                Event::Complaint { channel, notice } => {
                    tracing::debug!(%channel, code = %notice.code, text = notice.text, "the peer complains");
                    if self.complaints.len() == MAX_COMPLAINTS {
                        self.complaints.pop_front();
                    }
                    self.complaints.push_back((channel, notice));
                    changed.notify_waiters();
                }
                Event::Closed(reason) => {
                    let notice = match &reason {
                        CloseReason::Peer(notice) | CloseReason::Failed(notice) => notice.clone(),
                        CloseReason::Local => Notice::done(),
                        other => Notice::new(crate::Code::ERROR, other.to_string()),
                    };
                    self.slots.values_mut().for_each(|slot| slot.end(notice.clone()));
                    self.closed = Some(reason);
                    changed.notify_waiters();
                }
            }
        }
    }
}

pub struct Shared {
    inner: Mutex<Inner>,
    /// Wakes the driver.
    pub driver: AtomicWaker,
    /// Something happened to the link as a whole.
    pub changed: Notify,
}

impl Shared {
    pub fn new(core: Core) -> Self {
        let mut inner = Inner {
            core,
            slots: HashMap::new(),
            incoming: VecDeque::new(),
            complaints: VecDeque::new(),
            closed: None,
        };
        let changed = Notify::new();
        inner.dispatch(&changed);
        Self { inner: Mutex::new(inner), driver: AtomicWaker::new(), changed }
    }

    /// Never held over an await.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks, acts, takes what came of it where it belongs, wakes the driver if there is something to send.
    pub fn act<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.lock();
        let result = act(&mut inner);
        inner.dispatch(&self.changed);
        let wake = inner.core.has_output() || inner.core.is_closed();
        drop(inner);
        if wake {
            self.driver.wake();
        }
        result
    }
}

/// Waits until `check` has something. Nothing that happens meanwhile is missed.
pub async fn until<R>(notify: &Notify, mut check: impl FnMut() -> Option<R>) -> R {
    loop {
        let notified = notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if let Some(result) = check() {
            return result;
        }
        notified.await;
    }
}

/// Now, on the clock that tests can hold.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
