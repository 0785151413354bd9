//! The world: a clock, a network, an API server, and those who live in it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use millrace_fencing::{
    BalancerId, Epoch, FeedUid, Grant, Holder, Settings, SignedGrant, Time,
    failover::{Chain, LeaseSeen},
    id::PodUid,
    liveness::Link,
    tenure::{Holding, Vouch},
};

use crate::{
    balancer::Balancer, chance::Chance, checks::Checks, crypto::Keys, operator::Operator, server::Server,
};

/// Which rule is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Nothing,
    /// Epochs are counted by Leases alone.
    LeaseCounts,
    /// Balancers forget what they knew when something older comes.
    BalancersForget,
    /// A new owner is cleared at once.
    ClearAtOnce,
    /// Grants are not verified.
    Gullible,
    /// What a dead leader began is not carried on.
    NotCarriedOn,
    /// The operator waits for less than a tenure.
    Impatient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Operator(usize),
    Server(usize),
    Balancer(usize),
}

pub enum Message {
    Beat {
        holder: Holder,
        sent: Time,
        holdings: Vec<Holding>,
        over: BTreeMap<FeedUid, Epoch>,
        draining: bool,
    },
    Announce {
        holder: Holder,
        sent: Time,
        holdings: Vec<Holding>,
        grants: Vec<SignedGrant>,
    },
    Frames {
        holder: Holder,
        frames: Vec<(FeedUid, Epoch)>,
    },
    Answer(Vouch),
    Push(SignedGrant),
    Clear(Grant),
    Revoke(Holder, SignedGrant),
    Report {
        from: usize,
        sent: Time,
        links: BTreeMap<PodUid, Link>,
        newest: BTreeMap<FeedUid, (Epoch, Holder)>,
        floors: BTreeMap<FeedUid, Epoch>,
    },
    Table {
        sent: Time,
        table: Vec<(SignedGrant, bool)>,
    },
    Fence(SignedGrant, bool),
    Reset(Holder),
}

pub enum Event {
    Deliver(Who, u64, Message),
    Wake(Who, u64),
    Decide(usize, u64),
    /// A feed gives its first frames.
    Warm(usize, u64),
    /// A request reaches the API server, or a message goes out.
    Order {
        operator: usize,
        life: u64,
        chain: Chain,
        at: usize,
    },
    Restart(Who),
    Fault,
}

/// An object of Kubernetes per feed.
#[derive(Clone, Default)]
pub struct Stored {
    pub status: Option<Epoch>,
    pub lease: Option<LeaseSeen>,
}

pub struct World {
    pub now: u64,
    pub chance: Chance,
    pub settings: Settings,
    pub broken: Break,
    pub keys: Keys,
    pub feeds: Vec<FeedUid>,
    pub operators: Vec<Operator>,
    pub servers: Vec<Server>,
    pub balancers: Vec<Balancer>,
    pub api: BTreeMap<FeedUid, Stored>,
    pub versions: u64,
    /// Who leads, and until when.
    pub leader: Option<(usize, u64)>,
    /// Nothing passes from the one node to the other; node 3 is the API server's.
    pub blocked: [[bool; 4]; 4],
    pub slow: bool,
    pub calm: bool,
    /// What is dead stays so.
    pub forever: bool,
    pub checks: Checks,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    last: BTreeMap<(u8, u8), u64>,
    /// In milliseconds: the end of the faults.
    pub peace: u64,
}

pub fn code(who: Who) -> u8 {
    match who {
        Who::Operator(i) => i as u8,
        Who::Server(i) => 10 + i as u8,
        Who::Balancer(i) => 20 + i as u8,
    }
}

/// A clock that goes wrong.
#[derive(Clone, Copy)]
pub struct Clock {
    pub rate: u64,
    pub offset: u64,
}

impl Clock {
    pub fn new(chance: &mut Chance) -> Self {
        Self { rate: chance.within(991_000, 1_009_000), offset: chance.within(60_000_000, 9_000_000_000) }
    }

    pub fn at(&self, now: u64) -> Time {
        Time::from_micros(self.offset + now * self.rate / 1_000_000)
    }
}

impl World {
    pub fn new(seed: u64, broken: Break, settings: Settings, servers: usize, peace: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut patience = settings.clone();
        if broken == Break::Impatient {
            patience.tenure = settings.tenure / 4;
        }
        let feeds: Vec<FeedUid> = (0..2).map(|i| format!("feed-{i}").parse().unwrap()).collect();
        let mut world = Self {
            now: 0,
            settings: settings.clone(),
            broken,
            keys: Keys::new(broken == Break::Gullible),
            api: feeds.iter().map(|feed| (feed.clone(), Stored::default())).collect(),
            feeds,
            operators: (0..2).map(|i| Operator::new(i, &patience, &mut chance)).collect(),
            servers: (0..servers).map(|i| Server::new(i, &settings, &mut chance)).collect(),
            balancers: (0..2).map(|i| Balancer::new(i, &mut chance)).collect(),
            chance,
            versions: 0,
            leader: None,
            blocked: [[false; 4]; 4],
            slow: false,
            calm: false,
            forever: false,
            checks: Checks::default(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            last: BTreeMap::new(),
            peace: peace * 1000,
        };
        let everybody =
            (0..2).map(Who::Operator).chain((0..servers).map(Who::Server)).chain((0..2).map(Who::Balancer));
        for who in everybody.collect::<Vec<_>>() {
            let soon = world.chance.within(0, 1_000_000);
            world.later(soon, Event::Wake(who, 0));
        }
        world
    }

    pub fn later(&mut self, micros: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((self.now + micros, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    pub fn node(&self, who: Who) -> usize {
        match who {
            Who::Operator(i) => i + 1,
            Who::Server(i) => i % 3,
            Who::Balancer(i) => i,
        }
    }

    pub fn life(&self, who: Who) -> u64 {
        match who {
            Who::Operator(i) => self.operators[i].life,
            Who::Server(i) => self.servers[i].life,
            Who::Balancer(i) => self.balancers[i].life,
        }
    }

    /// As over a connection: in order, late when something was lost, not at all when the way is blocked.
    pub fn send(&mut self, from: Who, to: Who, message: Message) {
        if self.blocked[self.node(from)][self.node(to)] {
            return;
        }
        let mut delay = self.chance.within(300, 20_000);
        if self.slow && self.chance.percent(15) {
            delay += self.chance.within(0, 1_500_000);
        }
        let pair = (code(from), code(to));
        let after = self.last.get(&pair).copied().unwrap_or(0).max(self.now + delay) + 1;
        self.last.insert(pair, after);
        let life = self.life(to);
        self.later(after - self.now, Event::Deliver(to, life, message));
    }

    pub fn reaches_api(&self, who: Who) -> bool {
        let node = self.node(who);
        !self.blocked[node][3] && !self.blocked[3][node]
    }

    /// Runs until `end`, in milliseconds.
    pub fn run(&mut self, end: u64) {
        while let Some(Reverse((time, sequence))) = self.queue.peek().copied() {
            if time > end * 1000 || self.checks.failed.is_some() {
                break;
            }
            self.queue.pop();
            self.now = time;
            if let Some(event) = self.events.remove(&sequence) {
                self.happen(event);
            }
        }
        self.now = self.now.max(end * 1000);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(to, life, message) => {
                if let Who::Operator(i) = to
                    && self.operators[i].paused_until > self.now
                {
                    let wait = self.operators[i].paused_until - self.now;
                    return self.later(wait, Event::Deliver(to, life, message));
                }
                if self.life(to) == life && self.alive(to) {
                    match to {
                        Who::Operator(i) => self.operator_hears(i, message),
                        Who::Server(i) => self.server_hears(i, message),
                        Who::Balancer(i) => self.balancer_hears(i, message),
                    }
                }
            }
            Event::Wake(who, life) => {
                if self.life(who) == life && self.alive(who) {
                    let again = match who {
                        Who::Operator(i) => self.operator_wakes(i),
                        Who::Server(i) => self.server_wakes(i),
                        Who::Balancer(i) => self.balancer_wakes(i),
                    };
                    self.later(again, Event::Wake(who, life));
                }
            }
            Event::Warm(i, life) => {
                if self.servers[i].life == life && self.servers[i].alive {
                    self.beat(i);
                    self.frames(i);
                }
            }
            Event::Decide(i, life) => {
                let operator = &self.operators[i];
                if operator.life == life && operator.alive && operator.paused_until <= self.now {
                    self.decide(i);
                }
            }
            Event::Order { operator, life, chain, at } => self.carry_out(operator, life, chain, at),
            Event::Restart(who) => self.restart(who),
            Event::Fault => self.fault(),
        }
    }

    pub fn alive(&self, who: Who) -> bool {
        match who {
            Who::Operator(i) => self.operators[i].alive,
            Who::Server(i) => self.servers[i].alive,
            Who::Balancer(i) => self.balancers[i].alive,
        }
    }

    pub fn balancer_name(i: usize) -> BalancerId {
        format!("balancer-{i}").parse().unwrap()
    }
}
