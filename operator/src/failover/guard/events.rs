//! What media pods say, and how their connections begin and end.

use std::{collections::BTreeMap, time::Duration};

use millrace_fencing::{
    BalancerId, Epoch, FeedUid, Holder, PodUid, Time,
    liveness::{Closed, Link},
    tenure::Holding,
};
use millrace_report::message::{Beat, Hello, LinkState, Role, Vouched};

use super::{Guard, Server};
use crate::{failover::seen::Said, link::replace};

impl Guard {
    /// A media pod connected.
    pub fn joined(&mut self, hello: &Hello, connection: u64, now: Time) {
        let Ok(pod) = PodUid::new(&hello.uid) else { return };
        if hello.role == Role::Balancer {
            let front = self.fronts.entry(pod).or_default();
            (front.has_table, front.connected) = (false, true);
            return;
        }
        let Ok(boot) = hello.boot.parse() else { return };
        let holder = Holder { pod: pod.clone(), boot };
        let before = self.servers.remove(&pod).filter(|it| it.holder == holder);
        let (said, since) = before.map_or((Said::default(), now), |it| (it.said, it.since));
        let (name, slot) = (hello.pod.clone(), hello.slot.clone());
        let server = Server { name, slot, holder, connection, since, heard: now, said, connected: true };
        self.servers.insert(pod, server);
    }

    /// A media pod beats. Whether something is to be looked at at once.
    pub fn beat(&mut self, uid: &str, beat: &Beat, now: Time) -> bool {
        let Ok(pod) = PodUid::new(uid) else { return false };
        if let (Some(front), Some(balancing)) = (self.fronts.get_mut(&pod), &beat.balancer) {
            let Ok(name) = uid.parse::<BalancerId>() else { return false };
            let links = links(&balancing.links);
            let mut news = kinds(&front.links) != kinds(&links);
            if let Some(newest) = &balancing.newest {
                let of = |(feed, it): (&String, &millrace_report::message::Newest)| {
                    Some((feed.parse().ok()?, (Epoch::new(it.epoch).ok()?, it.holder.parse().ok()?)))
                };
                news |= replace(&mut front.told.newest, newest.iter().filter_map(of).collect());
            }
            if let Some(floors) = &balancing.floors {
                let of =
                    |(feed, epoch): (&String, &u64)| Some((feed.parse().ok()?, Epoch::new(*epoch).ok()?));
                news |= replace(&mut front.told.floors, floors.iter().filter_map(of).collect());
            }
            front.load = (balancing.sessions, balancing.bits_per_second);
            front.draining = beat.draining;
            news |= !self.liveness.is_fresh(&name, now);
            front.links.clone_from(&links);
            self.liveness.report(&name, links, now);
            return news;
        }
        let Some(server) = self.servers.get_mut(&pod) else { return false };
        let new_boot = self.liveness.boot(&pod) != Some(&server.holder.boot);
        if !self.liveness.beat(&server.holder, server.connection, now) {
            return false;
        }
        server.heard = now;
        let held = |it: &millrace_report::message::Held| {
            Some((it.feed.parse().ok()?, (Epoch::new(it.epoch).ok()?, it.cleared)))
        };
        let over = |(feed, epoch): (&String, &u64)| Some((feed.parse().ok()?, Epoch::new(*epoch).ok()?));
        let said = Said {
            holdings: beat.holdings.iter().filter_map(held).collect(),
            over: beat.over.iter().filter_map(over).collect(),
            draining: beat.draining,
        };
        replace(&mut server.said, said) | new_boot
    }

    /// A media pod's connection ended. How long from now it is to be looked at.
    pub fn gone(&mut self, uid: &str, by_peer: bool, now: Time) -> Option<Duration> {
        let pod = PodUid::new(uid).ok()?;
        if let Some(front) = self.fronts.get_mut(&pod) {
            front.connected = false;
        }
        let server = self.servers.get_mut(&pod)?;
        (server.connected, server.heard) = (false, now);
        let how = if by_peer { Closed::ByPeer } else { Closed::Lost };
        self.liveness.closed(&server.holder, how, now);
        self.settings.reset_grace.filter(|_| by_peer)
    }

    /// What the leader's answer to a beat says.
    pub fn vouch(&self, uid: &str, beat: &Beat) -> Option<Vouched> {
        let failover = self.failover.as_ref()?;
        let pod = PodUid::new(uid).ok()?;
        if self.fronts.get(&pod).is_some_and(|front| front.has_table) {
            return Some(Vouched { sent: beat.sent, covers: BTreeMap::new() });
        }
        let server = self.servers.get(&pod)?;
        if server.said.holdings.is_empty() {
            return None;
        }
        let one = |(member, (epoch, cleared)): (&FeedUid, &(Epoch, bool))| {
            let unit = self.units.of.get(member)?.clone();
            let holding = Holding { feed: unit, epoch: *epoch, cleared: *cleared };
            let good = !failover.vouch(std::slice::from_ref(&holding)).is_empty();
            good.then(|| (member.to_string(), epoch.get()))
        };
        Some(Vouched { sent: beat.sent, covers: server.said.holdings.iter().filter_map(one).collect() })
    }
}

fn links(said: &BTreeMap<String, LinkState>) -> BTreeMap<PodUid, Link> {
    let one = |(pod, state): (&String, &LinkState)| {
        let link = match state {
            LinkState::Up { age } => Link::Up(Duration::from_millis(*age)),
            LinkState::ClosedByPeer => Link::ClosedByPeer,
            LinkState::Lost => Link::Lost,
        };
        Some((PodUid::new(pod).ok()?, link))
    };
    said.iter().filter_map(one).collect()
}

/// What matters at once of links: not how long ago something was heard.
fn kinds(links: &BTreeMap<PodUid, Link>) -> Vec<(&PodUid, u8)> {
    let kind = |link: &Link| match link {
        Link::Up(_) => 0,
        Link::ClosedByPeer => 1,
        Link::Lost => 2,
    };
    links.iter().map(|(pod, link)| (pod, kind(link))).collect()
}
