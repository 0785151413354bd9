//! From what is seen to what is to be done. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use millrace_crds::Resolved;
use millrace_fencing::{FeedUid, Settings as Times};

use crate::{
    build::{
        Owner,
        content::{self, Content},
        rollout,
    },
    decision::Decision,
    directory,
    failover::{
        guards::Plan,
        guests,
        units::{self, Unit, Units},
    },
    grouping,
    kept::{Kept, Placement},
    labels, objects, plan,
    resolve::{self, Settled, sets, sets::Sets},
    status,
    view::View,
};

/// Decides.
pub fn decide(view: &View) -> Decision {
    let mut decision = Decision::default();
    let kept = Kept::of(view);
    let mut known = Known { sets: sets::expand(view, &mut decision), ..Known::default() };
    if let Some(owner) = owner(view, &kept) {
        known.settled = resolve::settle(view, &kept);
        (known.slots, known.units) = slots(view, &kept, &known.settled);
        known.hosts = hosts(view, &known.units);
        for (slot, it) in &known.slots {
            known.feeds.extend(it.placement.feeds.keys().map(|name| (name.clone(), slot.clone())));
            known.streams.extend(it.placement.streams.keys().map(|name| (name.clone(), slot.clone())));
        }
        known.pods = pods_by_slot(view);
        objects::build(view, &kept, &owner, &known, &mut decision);
        known.owner = Some(owner.clone());
        directory::fill(view, &owner, &known, &mut decision);
    }
    decision.plan = plan_of(view, &known, std::mem::take(&mut decision.plan));
    status::write(view, &known, &mut decision);
    decision
}

/// What was found on the way.
#[derive(Default)]
pub struct Known<'a> {
    /// The Cluster, if there is one that stays.
    pub owner: Option<Owner>,
    /// Sets.
    pub sets: Sets,
    /// What is to run.
    pub settled: Settled,
    /// Slots by name.
    pub slots: BTreeMap<String, Slot>,
    /// The slots that Feeds are in.
    pub feeds: BTreeMap<String, String>,
    /// The slots that Streams are in.
    pub streams: BTreeMap<String, String>,
    /// What has one owner.
    pub units: Arc<Units>,
    /// The pods that own something by its Lease, by the unit.
    pub hosts: BTreeMap<FeedUid, &'a Pod>,
    /// Pods by slot.
    pub pods: BTreeMap<String, Vec<&'a Pod>>,
}

/// A slot as it is to be.
pub struct Slot {
    /// Who is in it.
    pub placement: Placement,
    /// What it runs, guests among it.
    pub content: Content,
    /// Who is in it for a while, because its pod owns it.
    pub guests: Placement,
    base: Option<Box<Resolved>>,
    /// Nobody belongs to it any more: it stays while its pods own something.
    pub leaves: bool,
}

impl Slot {
    /// What its pods are made for: what belongs to it, without guests.
    pub fn base(&self) -> &Resolved {
        self.base.as_deref().unwrap_or(&self.content.part)
    }

    /// All that its pods are to run.
    pub fn placed(&self) -> Placement {
        self.placement.and(&self.guests)
    }
}

/// Where something runs.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The slot.
    pub slot: Option<(&'a String, &'a Slot)>,
    /// The pod.
    pub pod: Option<&'a Pod>,
}

/// The Cluster, if there is one that stays.
fn owner(view: &View, kept: &Kept<'_>) -> Option<Owner> {
    let uid = match &view.cluster {
        Some(cluster) if cluster.metadata.deletion_timestamp.is_some() => None,
        Some(cluster) => cluster.uid(),
        None if view.unreadable.iter().any(|it| it.kind == "Cluster" && it.name == view.name) => {
            kept.cluster_uid()
        }
        None => None,
    }?;
    Some(Owner { namespace: view.namespace.clone(), name: view.name.clone(), uid })
}

/// Who goes where, and what each slot runs.
fn slots(view: &View, kept: &Kept<'_>, settled: &Settled) -> (BTreeMap<String, Slot>, Arc<Units>) {
    let Some(resolved) = &settled.resolved else { return <_>::default() };
    let before: BTreeMap<String, Placement> =
        kept.slots.iter().map(|(name, slot)| (name.clone(), slot.placement.clone())).collect();
    let limit = usize::from(resolved.cluster.servers.packing.feeds_per_pod).max(1);
    let groups = grouping::groups(resolved);
    let placed = plan::place(&groups, settled, &before, limit, &view.name);
    let units = Arc::new(units::units(&view.name, resolved, settled, &groups, placed.iter()));
    let mut guests = guests::guests(view, &units);
    let reported = reported(view);
    let leaving = guests.keys().filter(|name| !placed.contains_key(*name) && kept.slots.contains_key(*name));
    let leaving: Vec<_> = leaving.map(|name| (name.clone(), Placement::default(), true)).collect();
    let stay = placed.into_iter().map(|(name, placement)| (name, placement, false));
    let slots = stay
        .chain(leaving)
        .map(|(name, placement, leaves)| {
            let revision = reported.get(name.as_str()).copied().unwrap_or(0);
            let guests = guests.remove(&name).unwrap_or_default();
            let all = placement.and(&guests);
            let content = content::content(resolved, &all, kept.slots.get(&name), revision);
            let base = (!guests.is_empty()).then(|| Box::new(content::part(resolved, &placement)));
            (name, Slot { placement, content, guests, base, leaves })
        })
        .collect();
    (slots, units)
}

/// The pods that own something by its Leases, and are there.
fn hosts<'a>(view: &'a View, units: &Units) -> BTreeMap<FeedUid, &'a Pod> {
    let by_uid: BTreeMap<&str, &Pod> =
        view.pods.iter().filter_map(|pod| Some((pod.metadata.uid.as_deref()?, pod.as_ref()))).collect();
    let host = |(uid, unit): (&FeedUid, &Unit)| {
        Some((uid.clone(), *by_uid.get(guests::owner(view, unit)?.pod.as_str())?))
    };
    units.all.iter().filter_map(host).collect()
}

/// What those who watch over owners need to know.
fn plan_of(view: &View, known: &Known<'_>, plan: Plan) -> Plan {
    let beat = view.cluster.as_ref().map(|cluster| cluster.spec.heartbeat.clone()).unwrap_or_default();
    let times =
        Times { beat: Duration::from(beat.interval), missed: u32::from(beat.missed), ..Times::default() };
    let placed = known.slots.iter().map(|(name, slot)| (name.clone(), slot.placed())).collect();
    Plan { units: Arc::clone(&known.units), placed, times, ..plan }
}

/// The newest revision that a pod of each slot runs: a slot that lost its `ConfigMap` counts on from there.
fn reported(view: &View) -> BTreeMap<&str, u64> {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for pod in &view.pods {
        let report = pod.metadata.uid.as_ref().and_then(|uid| view.reports.get(uid));
        if let (Some(slot), Some(report)) = (pod.labels().get(labels::SLOT), report) {
            let revision = newest.entry(slot.as_str()).or_default();
            *revision = (*revision).max(report.revision);
        }
    }
    newest
}

fn pods_by_slot(view: &View) -> BTreeMap<String, Vec<&Pod>> {
    let mut by_slot: BTreeMap<String, Vec<&Pod>> = BTreeMap::new();
    for pod in view.pods.iter().map(Arc::as_ref) {
        if let Some(slot) = pod.labels().get(labels::SLOT) {
            by_slot.entry(slot.clone()).or_default().push(pod);
        }
    }
    by_slot
}

impl Known<'_> {
    /// The slot that a Feed is in.
    pub fn slot_of_feed(&self, name: &str) -> Option<(&String, &Slot)> {
        self.slots.get_key_value(self.feeds.get(name)?)
    }

    /// Where a Feed runs: its own slot, or that of the pod that owns it for a while, and that pod.
    pub fn place_of_feed(&self, name: &str) -> Place<'_> {
        let home = self.slot_of_feed(name);
        self.place(home, self.settled.feeds.get(name), |slot| slot.guests.feeds.contains_key(name))
    }

    /// Where a Stream runs, as above.
    pub fn place_of_stream(&self, name: &str) -> Place<'_> {
        let home = self.slot_of_stream(name);
        let feeds = self.settled.resolved.as_ref().and_then(|it| it.streams.get(name)).map(|it| &it.feeds);
        let shared = home.and_then(|(_, slot)| {
            let first =
                slot.placement.feeds.keys().find(|feed| feeds.is_some_and(|all| all.contains(feed)))?;
            self.settled.feeds.get(first)
        });
        let uid = shared.or_else(|| self.settled.streams.get(name));
        self.place(home, uid, |slot| slot.guests.streams.contains_key(name))
    }

    fn place<'a>(
        &'a self,
        home: Option<(&'a String, &'a Slot)>,
        uid: Option<&String>,
        is_guest: impl Fn(&Slot) -> bool,
    ) -> Place<'a> {
        let unit = uid.and_then(|uid| self.units.of.get(&FeedUid::new(uid).ok()?));
        let host = unit.and_then(|unit| self.hosts.get(unit)).copied();
        let slot = host.and_then(|pod| self.slots.get_key_value(pod.labels().get(labels::SLOT)?));
        match (host, slot) {
            (Some(pod), Some(slot)) if home.is_some_and(|home| home.0 == slot.0) || is_guest(slot.1) => {
                Place { slot: Some(slot), pod: Some(pod) }
            }
            _ => Place { slot: home, pod: home.and_then(|(name, _)| self.pod(name)) },
        }
    }

    /// The slot that a Stream is in.
    pub fn slot_of_stream(&self, name: &str) -> Option<(&String, &Slot)> {
        self.slots.get_key_value(self.streams.get(name)?)
    }

    /// The pod of a slot that does its work: the one that is Ready, else the one that is to be.
    pub fn pod(&self, slot: &str) -> Option<&Pod> {
        let owner = self.owner.as_ref()?;
        let living = self.pods.get(slot)?.iter().copied().filter(|pod| rollout::lives(owner, pod));
        living.min_by_key(|pod| {
            (!rollout::is_ready(pod), std::cmp::Reverse(pod.metadata.creation_timestamp.clone()))
        })
    }

    /// Slots that somebody belongs to.
    pub fn staying(&self) -> impl Iterator<Item = &String> {
        self.slots.iter().filter(|(_, slot)| !slot.leaves).map(|(name, _)| name)
    }

    /// The names of all slots.
    pub fn names(&self) -> BTreeSet<&str> {
        self.slots.keys().map(String::as_str).collect()
    }
}
