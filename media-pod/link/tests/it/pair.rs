//! Two cores and a pipe between them that cuts bytes anywhere.

use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_link::wire::{ChannelId, ChannelType, Flags, Header, OpenOptions, Role};
use millrace_link::{Config, Core, Event, Side};

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    pub fn bytes(&mut self, len: usize) -> Bytes {
        (0..len).map(|_| self.below(256) as u8).collect::<Vec<_>>().into()
    }
}

pub struct Pair {
    pub dialer: Core,
    pub acceptor: Core,
    pub now: Instant,
    pub random: Random,
}

impl Pair {
    pub fn clear() -> Self {
        Self::with(Config::clear(Side::Dialer, Role::SERVER), Config::clear(Side::Acceptor, Role::CLIENT))
    }

    pub fn with(dialer: Config, acceptor: Config) -> Self {
        let now = Instant::now();
        Self {
            dialer: Core::new(dialer, now).unwrap(),
            acceptor: Core::new(acceptor, now).unwrap(),
            now,
            random: Random(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// Everything that either side wants to say, cut at random.
    pub fn pump(&mut self) {
        loop {
            let forth = drain(&mut self.dialer);
            let back = drain(&mut self.acceptor);
            if forth.is_empty() && back.is_empty() {
                return;
            }
            for (bytes, to) in [(forth, &mut self.acceptor), (back, &mut self.dialer)] {
                let mut bytes = Bytes::from(bytes);
                while !bytes.is_empty() {
                    let cut = 1 + self.random.below(bytes.len().min(40_000));
                    to.handle_input(self.now, bytes.split_to(cut));
                }
            }
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.dialer.handle_timeout(self.now);
        self.acceptor.handle_timeout(self.now);
    }

    /// An open channel that the dialer asked for.
    pub fn channel(&mut self, kind: ChannelType) -> ChannelId {
        self.pump();
        let id = self.dialer.open(kind, OpenOptions::NONE).unwrap();
        self.pump();
        self.acceptor.accept(id).unwrap();
        self.pump();
        assert!(self.dialer.is_open(id) && self.acceptor.is_open(id));
        events(&mut self.dialer);
        events(&mut self.acceptor);
        id
    }
}

pub fn drain(core: &mut Core) -> Vec<u8> {
    std::iter::from_fn(|| core.poll_output()).flat_map(|packet| packet.to_bytes()).collect()
}

pub fn events(core: &mut Core) -> Vec<Event> {
    std::iter::from_fn(|| core.poll_event()).collect()
}

/// Messages that came in, consumed.
pub fn messages(core: &mut Core) -> Vec<Bytes> {
    let mut out = Vec::new();
    for event in events(core) {
        if let Event::Packet(packet) = event {
            core.consumed(packet.channel, packet.charge);
            out.push(packet.data);
        }
    }
    out
}

/// One packet as a peer would make it by hand.
pub fn packet(kind: u8, sequence: u32, channel: ChannelId, flags: u8, data: &[u8]) -> Bytes {
    let header = Header { size: data.len() as u32, kind, sequence, channel, flags: Flags(flags) };
    [&header.encode()[..], data].concat().into()
}
