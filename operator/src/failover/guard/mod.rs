//! One Cluster, as one replica of the operator knows it: who is alive, who owns what, and what is to be done. No I/O.

mod anew;
mod events;
mod look;
mod tell;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use millrace_fencing::{
    Epoch, Failover, FeedUid, Grant, Holder, Liveness, PodUid, Settings, Time, failover::Why, liveness::Link,
};

pub use self::{anew::Anew, look::Look};
use super::{
    books::Books,
    carry::{Done, Moved},
    facts::{Facts, PodFacts},
    seen::{self, Said, Told},
    trouble,
    units::{Unit, Units},
};
use crate::kept::Placement;

/// While something is under way it is looked this often.
pub const BUSY: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub struct Guard {
    settings: Settings,
    liveness: Liveness,
    failover: Option<Failover>,
    facts: Facts,
    units: Arc<Units>,
    placed: BTreeMap<String, Placement>,
    servers: BTreeMap<PodUid, Server>,
    fronts: BTreeMap<PodUid, Front>,
    books: Books,
    /// The newest epoch of each unit that was seen here.
    epochs: BTreeMap<FeedUid, Epoch>,
    /// Units that never had an owner, and since when they are known here.
    fresh: BTreeMap<FeedUid, Time>,
    deleting: BTreeMap<PodUid, Time>,
    /// Since when each pod is being emptied.
    draining: BTreeMap<PodUid, Time>,
    /// How often in a row what each unit needs could not be written.
    stumbles: BTreeMap<FeedUid, u32>,
    /// Pods that are to be emptied because others take their places.
    outgoing: BTreeSet<PodUid>,
    /// Units whose Leases are being signed with another key.
    signing: BTreeSet<FeedUid>,
}

/// What is known of a server pod's connection.
#[derive(Debug)]
struct Server {
    name: String,
    /// As it says; it has shown that slot's token.
    slot: String,
    holder: Holder,
    connection: u64,
    since: Time,
    /// When it was heard last, or when its connection ended.
    heard: Time,
    said: Said,
    connected: bool,
}

/// What is known of a balancer's connection.
#[derive(Debug, Default)]
struct Front {
    told: Told,
    links: BTreeMap<PodUid, Link>,
    /// It has the whole table of this leader.
    has_table: bool,
    load: (u32, u64),
    draining: bool,
    connected: bool,
}

impl Guard {
    /// Of a replica that does not lead.
    pub fn new(settings: Settings) -> Self {
        Self {
            liveness: Liveness::new(settings.clone()),
            settings,
            failover: None,
            facts: Facts::default(),
            units: Arc::default(),
            placed: BTreeMap::new(),
            servers: BTreeMap::new(),
            fronts: BTreeMap::new(),
            books: Books::default(),
            epochs: BTreeMap::new(),
            fresh: BTreeMap::new(),
            deleting: BTreeMap::new(),
            draining: BTreeMap::new(),
            stumbles: BTreeMap::new(),
            outgoing: <_>::default(),
            signing: <_>::default(),
        }
    }

    /// The times that it goes by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the pods of each slot are to run.
    pub fn place(&mut self, placed: BTreeMap<String, Placement>) {
        self.placed = placed;
    }

    /// Whether the pods of a slot are to run a unit.
    pub fn is_placed(&self, slot: &str, unit: &Unit) -> bool {
        let all = |there: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            wanted.iter().all(|(name, uid)| there.get(name) == Some(uid))
        };
        self.placed.get(slot).is_some_and(|placed| {
            all(&placed.feeds, &unit.placement.feeds) && all(&placed.streams, &unit.placement.streams)
        })
    }

    /// What pods hold or own, with the pod's slot, where that is not its home: all of it while units are not known.
    pub fn guests(&self) -> BTreeSet<(FeedUid, String)> {
        let held = self.servers.iter().flat_map(|(pod, it)| {
            let there = self.facts.servers.get(pod);
            let slot = there.map_or(it.slot.as_str(), |facts| facts.slot.as_str());
            it.said.holdings.keys().map(move |feed| (feed, slot))
        });
        let owned = self.facts.leases.values().filter_map(|read| {
            let grant = read.grant.as_ref()?;
            let there = self.facts.servers.get(&grant.holder.pod).map(|facts| facts.slot.as_str());
            Some((&grant.feed, there.or(read.slot.as_deref())?))
        });
        let away = |(feed, slot): (&FeedUid, &str)| match self.units.unit(feed) {
            Some((uid, unit)) => (*slot != unit.home).then(|| (uid.clone(), slot.to_owned())),
            None => self.units.all.is_empty().then(|| (feed.clone(), slot.to_owned())),
        };
        held.chain(owned).filter(|(_, slot)| !slot.is_empty()).filter_map(away).collect()
    }

    /// Times as the Cluster says.
    pub fn times(&mut self, settings: &Settings) {
        if self.settings != *settings {
            self.settings = settings.clone();
            self.liveness.settings(settings.clone());
            if let Some(failover) = &mut self.failover {
                failover.settings(settings.clone());
            }
        }
    }

    /// The owner of a unit by its Leases.
    pub fn owner(&self, uid: &FeedUid) -> Option<Holder> {
        let unit = self.units.all.get(uid)?;
        seen::lease(unit, &self.facts.leases).filter(|lease| lease.sealed).map(|lease| lease.holder)
    }

    /// What is told of a change of owner.
    pub fn moved(&self, grant: &Grant, before: Option<&Holder>, why: Why, now: Time) -> Option<Moved> {
        let members = self.units.all.get(&grant.feed)?.members.clone();
        let from = before.map(|holder| self.name_of(&holder.pod)).filter(|name| !name.is_empty());
        let took = before.and_then(|holder| self.servers.get(&holder.pod));
        let took = took.filter(|_| matches!(why, Why::Failed(_))).map(|it| now.since(it.heard));
        let to = self.name_of(&grant.holder.pod);
        Some(Moved { members, from, to, epoch: grant.epoch, why, took })
    }

    /// The watches have something new.
    pub fn know(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// The watches, as they were told last.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What there is to own.
    pub fn own(&mut self, units: Arc<Units>) {
        if self.units != units {
            self.books.forget(&units);
            self.stumbles.retain(|uid, _| units.all.contains_key(uid));
            self.units = units;
        }
    }

    /// What there is to own.
    pub fn units(&self) -> &Arc<Units> {
        &self.units
    }

    /// What a unit needs was written, or not. How long it is left alone then.
    pub fn tried(&mut self, unit: &FeedUid, done: Done) -> Duration {
        if done == Done::Yes {
            self.stumbles.remove(unit);
            return Duration::ZERO;
        }
        let before = self.stumbles.entry(unit.clone()).or_default();
        let pause = trouble::pause(*before, done == Done::Failed);
        *before = before.saturating_add(1);
        pause
    }

    /// Pods that are to be emptied because others take their places.
    pub fn outgoing(&mut self, pods: impl IntoIterator<Item = PodUid>) {
        self.outgoing = pods.into_iter().collect();
    }

    /// This replica leads from now on, or does not any more.
    pub fn lead(&mut self, leads: bool, now: Time) {
        match (leads, self.failover.is_some()) {
            (true, false) => {
                self.liveness.lead(now);
                self.failover = Some(Failover::new(self.settings.clone()));
                self.fronts.values_mut().for_each(|front| front.has_table = false);
                self.books = Books::default();
            }
            (false, true) => {
                self.liveness.follow();
                self.failover = None;
            }
            _ => {}
        }
    }

    /// A chain has come to its end.
    pub fn finished(&mut self, feed: &FeedUid, all: bool) {
        if let Some(failover) = &mut self.failover {
            failover.finished(feed, all);
        }
    }

    /// A pod's facts, and its name where only its connection is known.
    pub fn pod_facts(&self, uid: &PodUid) -> Option<&PodFacts> {
        self.facts.servers.get(uid)
    }

    /// A pod's name.
    pub fn name_of(&self, uid: &PodUid) -> String {
        let known = self.facts.servers.get(uid).map(|pod| &pod.name);
        known.or_else(|| self.servers.get(uid).map(|it| &it.name)).cloned().unwrap_or_default()
    }

    /// Balancers that are connected, and what they carry: sessions, bits per second, and whether they drain.
    pub fn loads(&self) -> BTreeMap<PodUid, (u32, u64, bool)> {
        let connected = self.fronts.iter().filter(|(_, front)| front.connected);
        connected.map(|(uid, front)| (uid.clone(), (front.load.0, front.load.1, front.draining))).collect()
    }

    /// Connected media pods: server pods, and balancers.
    pub fn connected(&self) -> (Vec<PodUid>, Vec<PodUid>) {
        let servers = self.servers.iter().filter(|(_, it)| it.connected).map(|(uid, _)| uid.clone());
        let fronts = self.fronts.iter().filter(|(_, it)| it.connected).map(|(uid, _)| uid.clone());
        (servers.collect(), fronts.collect())
    }

    /// For how long each pod has been emptied.
    pub fn drained_for(&self, now: Time) -> BTreeMap<PodUid, Duration> {
        self.draining.iter().map(|(uid, since)| (uid.clone(), now.since(*since))).collect()
    }
}
