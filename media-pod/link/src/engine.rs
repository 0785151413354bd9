//! The link without I/O: bytes and time in, bytes and events out.

mod answer;
mod channel;
mod compress;
mod config;
mod credit;
mod event;
mod fragment;
mod hooks;
mod input;
mod keepalive;
mod local;
pub mod machine;
mod message;
mod output;
mod schedule;
mod security;
mod sequence;
mod stats;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

pub use compress::{Compressor, CorruptBlock, decompress};
pub use config::{Config, ConfigError, Security};
pub use credit::{Grants, PACKET_COST};
pub use event::{CloseReason, Event, PacketIn};
pub use fragment::{MIN_FRAGMENT, Partial, Piece};
pub use hooks::{Filter, Verdict};
pub use keepalive::Keepalive;
pub use local::{OpenError, SendError};
pub use output::Outgoing;
pub use sequence::Numbers;
pub use stats::{ChannelStats, LinkStats};

use channel::Channel;
use hooks::Hooks;
use schedule::Schedule;
use security::{Guard, Pending};

use crate::secure::{Claim, HandshakeError, Spare};
use crate::wire::{ChannelId, Framer, PacketType};

/// Largest piece of a message in one packet: 64 KiB of media, and its head.
pub const MAX_FRAGMENT: usize = 65_536 + 512;
/// Largest `size` that a header may have: the largest piece and what fragmenting and sealing add.
pub const MAX_PACKET: u32 = MAX_FRAGMENT as u32 + 64;
/// Bytes of control packets that may wait for a peer that does not read.
const MAX_URGENT: usize = 64 * 1024;
/// And so many more for each channel that there may be: all may be opened at once.
const URGENT_PER_CHANNEL: usize = 256;
/// Events besides packets that may wait to be taken, and two more for each channel that there may be.
const MAX_EVENTS: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Ready,
    Closed,
}

/// One end of one link.
///
/// Feed it what the transport gives ([`Core::handle_input`]) and the time ([`Core::handle_timeout`] at
/// [`Core::poll_timeout`]), send what it wants sent ([`Core::poll_output`]), and take its events
/// ([`Core::poll_event`]), after each call. It never blocks, never reads a clock, and its memory is bounded by its
/// [`Config`] whatever the other side does.
pub struct Core {
    config: Config,
    phase: Phase,
    framer: Framer,
    guard: Guard,
    handshake: VecDeque<Pending>,
    channels: BTreeMap<ChannelId, Channel>,
    /// Outlives channels: a number is never used twice on a link, so no nonce is.
    numbers: HashMap<ChannelId, Numbers>,
    next_dynamic: u32,
    urgent: VecDeque<(PacketType, ChannelId, bytes::Bytes)>,
    urgent_bytes: usize,
    schedule: Schedule,
    events: VecDeque<Event>,
    keepalive: Keepalive,
    hooks: Hooks,
    stats: LinkStats,
    peer: Option<Claim>,
    spare: Spare,
}

impl Core {
    /// One end; a dialer's has something to send at once.
    pub fn new(config: Config, now: Instant) -> Result<Self, StartError> {
        config.check()?;
        let mut core = Self {
            phase: Phase::Handshake,
            framer: Framer::new(MAX_PACKET),
            guard: Guard::default(),
            handshake: VecDeque::new(),
            channels: BTreeMap::new(),
            numbers: HashMap::new(),
            next_dynamic: u32::from(ChannelId::FIRST_DYNAMIC)
                + u32::from(config.side == crate::Side::Acceptor),
            urgent: VecDeque::new(),
            urgent_bytes: 0,
            schedule: Schedule::new(config.max_fragment),
            events: VecDeque::new(),
            keepalive: Keepalive::new(now, config.keepalive_timeout),
            hooks: Hooks::default(),
            stats: LinkStats::default(),
            peer: None,
            spare: Spare::default(),
            config,
        };
        core.begin()?;
        Ok(core)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Core::handle_timeout`] next; never, once the link is closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.phase != Phase::Closed).then(|| self.keepalive.deadline(self.phase == Phase::Handshake))
    }

    /// Whether the link is over; what is left to send then ([`Core::poll_output`]) says why to the other side.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether the handshake is done.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Who is on the other side, and in which role; none before the handshake is done.
    pub fn peer(&self) -> Option<&Claim> {
        self.peer.as_ref()
    }

    /// Numbers of the link.
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            active_channels: self.channels.values().filter(|channel| channel.is_active()).count() as u32,
            avg_latency: self.keepalive.latency_ms(),
            jitter: self.keepalive.jitter_ms(),
            ..self.stats
        }
    }

    /// How long ago the last packet came in that was new and could be opened.
    pub fn silence(&self, now: Instant) -> Duration {
        self.keepalive.silence(now)
    }

    /// Numbers of one channel that is not closed.
    pub fn channel_stats(&self, channel: ChannelId) -> Option<ChannelStats> {
        self.channels.get(&channel).map(|channel| channel.stats)
    }

    /// Channels that are not closed.
    pub fn channels(&self) -> impl Iterator<Item = ChannelId> {
        self.channels.keys().copied().filter(|id| !id.is_permanent())
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Why a link could not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The first message could not be made.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}
