//! A server pod.

use std::collections::BTreeMap;

use millrace_fencing::{FeedUid, Holder, Settings, Tenure, id::PodUid, tenure::Exclusive};

use crate::{
    chance::Chance,
    world::{Clock, Event, Message, Who, World},
};

pub struct Server {
    pub alive: bool,
    pub life: u64,
    pub pod: PodUid,
    pub clock: Clock,
    pub tenure: Tenure,
    pub draining: bool,
    /// When each feed gives something, after its grant.
    pub warm: BTreeMap<FeedUid, u64>,
    wakes: u64,
}

pub fn holder(i: usize, pods: u64, life: u64) -> Holder {
    Holder { pod: format!("pod-{i}-{pods}").parse().unwrap(), boot: format!("b{life}").parse().unwrap() }
}

impl Server {
    pub fn new(i: usize, settings: &Settings, chance: &mut Chance) -> Self {
        let holder = holder(i, 0, 0);
        let mut tenure = Tenure::new(holder.clone(), settings.tenure);
        tenure.know_balancers(2);
        let clock = Clock::new(chance);
        Self {
            alive: true,
            life: 0,
            pod: holder.pod,
            clock,
            tenure,
            draining: false,
            warm: BTreeMap::new(),
            wakes: 0,
        }
    }

    pub fn start(&mut self, pod: PodUid, settings: &Settings, chance: &mut Chance) {
        self.alive = true;
        self.pod = pod.clone();
        let boot = format!("b{}", self.life).parse().unwrap();
        self.tenure = Tenure::new(Holder { pod, boot }, settings.tenure);
        self.tenure.know_balancers(2);
        self.clock = Clock::new(chance);
        self.warm.clear();
    }
}

impl World {
    /// Half a beat: frames each time, a beat every other time.
    pub fn server_wakes(&mut self, i: usize) -> u64 {
        self.servers[i].wakes += 1;
        if self.servers[i].wakes.is_multiple_of(2) {
            self.beat(i);
        }
        self.frames(i);
        self.settings.beat.as_micros() as u64 * 1_000_000 / self.servers[i].clock.rate / 2
    }

    pub fn frames(&mut self, i: usize) {
        let server = &self.servers[i];
        let ready =
            server.tenure.holdings().filter(|h| server.warm.get(&h.feed).is_none_or(|w| *w <= self.now));
        let frames: Vec<_> = ready.map(|h| (h.feed, h.epoch)).collect();
        if !frames.is_empty() {
            for b in 0..self.balancers.len() {
                let message = Message::Frames {
                    holder: self.servers[i].tenure.holder().clone(),
                    frames: frames.clone(),
                };
                self.send(Who::Server(i), Who::Balancer(b), message);
            }
        }
    }

    pub fn beat(&mut self, i: usize) {
        let server = &self.servers[i];
        let holder = server.tenure.holder().clone();
        let sent = server.clock.at(self.now);
        let holdings: Vec<_> = server.tenure.holdings().collect();
        let over: BTreeMap<_, _> = server.tenure.over().map(|(feed, epoch)| (feed.clone(), epoch)).collect();
        let ready = holdings.iter().filter(|h| server.warm.get(&h.feed).is_none_or(|w| *w <= self.now));
        let grants: Vec<_> = ready.filter_map(|h| server.tenure.grant(&h.feed).cloned()).collect();
        let draining = server.draining;
        for o in 0..self.operators.len() {
            let (holder, holdings, over) = (holder.clone(), holdings.clone(), over.clone());
            self.send(
                Who::Server(i),
                Who::Operator(o),
                Message::Beat { holder, sent, holdings, over, draining },
            );
        }
        for b in 0..self.balancers.len() {
            let (holder, holdings, grants) = (holder.clone(), holdings.clone(), grants.clone());
            self.send(Who::Server(i), Who::Balancer(b), Message::Announce { holder, sent, holdings, grants });
        }
    }

    pub fn server_hears(&mut self, i: usize, message: Message) {
        let (keys, server) = (&self.keys, &mut self.servers[i]);
        let now = server.clock.at(self.now);
        let changed = match message {
            Message::Answer(vouch) => {
                server.tenure.vouched(&vouch, now);
                false
            }
            Message::Push(grant) => {
                let new = server.tenure.granted(&grant, keys).unwrap_or(false);
                if new {
                    let warm = self.now + self.chance.within(1_000, 300_000);
                    server.warm.insert(grant.claim().feed.clone(), warm);
                    let life = server.life;
                    self.later(warm - self.now + 1, Event::Warm(i, life));
                }
                new
            }
            Message::Clear(grant) if grant.holder == *server.tenure.holder() => {
                server.tenure.clear(&grant.feed, grant.epoch)
            }
            Message::Revoke(to, grant) if to == *server.tenure.holder() => {
                server.tenure.revoked(&grant, keys).unwrap_or(false)
            }
            _ => false,
        };
        if changed {
            self.beat(i);
        }
        self.check_exclusive(i);
    }

    pub fn exclusive(&self, i: usize, feed: &FeedUid) -> bool {
        let server = &self.servers[i];
        server.alive
            && matches!(server.tenure.exclusive(feed, server.clock.at(self.now)), Exclusive::Until(_))
    }

    fn check_exclusive(&mut self, i: usize) {
        for feed in &self.feeds {
            if self.exclusive(i, feed) {
                let other = (0..self.servers.len()).find(|o| *o != i && self.exclusive(*o, feed));
                if let Some(other) = other {
                    let text = format!("servers {i} and {other} both do exclusive work of {feed}");
                    self.checks.fail(self.now, text);
                }
            }
        }
    }
}
