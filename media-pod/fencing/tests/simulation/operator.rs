//! A replica of the operator.

use std::collections::BTreeMap;

use millrace_fencing::{
    Epoch, Failover, FeedUid, Holder, Liveness, Settings, Time,
    failover::{BalancerSeen, Candidate, Chain, FeedSeen, LeaseSeen, Order, PodSeen, Seen, Why},
    id::PodUid,
    liveness::{Closed, Kubernetes, Verdict},
    tenure::{Holding, Vouch, Witness},
};

use crate::{
    chance::Chance,
    world::{Break, Clock, Event, Message, Stored, Who, World},
};

#[derive(Clone, Default)]
struct Said {
    holdings: Vec<Holding>,
    over: BTreeMap<FeedUid, Epoch>,
    draining: bool,
}

pub struct Operator {
    pub alive: bool,
    pub life: u64,
    pub clock: Clock,
    pub paused_until: u64,
    pub settings: Settings,
    liveness: Liveness,
    failover: Option<Failover>,
    /// Until when it believes that it leads.
    leads_until: Time,
    said: BTreeMap<Holder, Said>,
    balancers: [BalancerSeen; 2],
    /// What it believes that the API server has: watches are late.
    cache: BTreeMap<FeedUid, Stored>,
}

impl Operator {
    pub fn new(_: usize, settings: &Settings, chance: &mut Chance) -> Self {
        let mut liveness = Liveness::new(settings.clone());
        (0..2).for_each(|i| liveness.balancer(&World::balancer_name(i)));
        Self {
            alive: true,
            life: 0,
            clock: Clock::new(chance),
            paused_until: 0,
            settings: settings.clone(),
            liveness,
            failover: None,
            leads_until: Time::default(),
            said: BTreeMap::new(),
            balancers: Default::default(),
            cache: BTreeMap::new(),
        }
    }
}

impl World {
    /// A quarter of a beat.
    pub fn operator_wakes(&mut self, i: usize) -> u64 {
        if self.operators[i].paused_until > self.now {
            return self.operators[i].paused_until - self.now;
        }
        self.lead(i);
        self.decide(i);
        self.settings.beat.as_micros() as u64 / 4
    }

    /// The leader's Lease is correct, and slow.
    fn lead(&mut self, i: usize) {
        let now = self.operators[i].clock.at(self.now);
        let lease = self.settings.leader_lease();
        let free = self.leader.is_none_or(|(leader, until)| leader == i || until < self.now);
        if free && self.reaches_api(Who::Operator(i)) {
            self.leader = Some((i, self.now + lease.as_micros() as u64));
            self.operators[i].leads_until = now + lease * 9 / 10;
        }
        let operator = &mut self.operators[i];
        match (now < operator.leads_until, &operator.failover) {
            (true, None) => {
                operator.liveness.lead(now);
                operator.failover = Some(Failover::new(operator.settings.clone()));
            }
            (false, Some(_)) => {
                operator.liveness.follow();
                operator.failover = None;
            }
            _ => {}
        }
    }

    fn leads(&self, i: usize) -> bool {
        let operator = &self.operators[i];
        operator.failover.is_some() && operator.clock.at(self.now) < operator.leads_until
    }

    pub fn decide(&mut self, i: usize) {
        if !self.leads(i) {
            return;
        }
        if self.reaches_api(Who::Operator(i)) && (self.calm || self.chance.percent(70)) {
            self.operators[i].cache = self.api.clone();
            let now = self.operators[i].clock.at(self.now);
            for s in 0..self.servers.len() {
                let node = format!("node-{}", s % 3);
                let pod = self.servers[s].pod.clone();
                self.operators[i].liveness.pod(&pod, Some(&node), Kubernetes::Present, now);
                for old in 0..self.servers[s].life {
                    let old: PodUid = format!("pod-{s}-{old}").parse().unwrap();
                    if old != pod {
                        self.operators[i].liveness.forget_pod(&old);
                    }
                }
            }
        }
        let seen = self.seen(i);
        let life = self.operators[i].life;
        let now = self.operators[i].clock.at(self.now);
        let decision = self.operators[i].failover.as_mut().map(|f| f.decide(&seen, now)).unwrap_or_default();
        for mut chain in decision.chains {
            self.checks.failovers += u64::from(matches!(chain.why, Why::Failed(_)));
            if self.broken == Break::NotCarriedOn && chain.why == Why::CarriedOn {
                continue;
            }
            if self.broken == Break::ClearAtOnce
                && let Some(Order::Push { grant }) = chain.orders.last().cloned()
            {
                chain.orders.push(Order::Clear { grant });
            }
            let wait = self.api_delay();
            self.later(wait, Event::Order { operator: i, life, chain, at: 0 });
        }
    }

    fn api_delay(&mut self) -> u64 {
        let slow = self.slow && self.chance.percent(10);
        if slow { self.chance.within(100_000, 2_500_000) } else { self.chance.within(2_000, 20_000) }
    }

    fn seen(&mut self, i: usize) -> Seen {
        let now = self.operators[i].clock.at(self.now);
        let operator = &mut self.operators[i];
        let judgement = operator.liveness.judge(now);
        let pod = |(uid, verdict): (&PodUid, &Verdict)| {
            let boot = operator.liveness.boot(uid).cloned();
            let holder = boot.clone().map(|boot| Holder { pod: uid.clone(), boot });
            let said = holder.and_then(|holder| operator.said.get(&holder)).cloned().unwrap_or_default();
            let Said { holdings, over, draining } = said;
            (uid.clone(), PodSeen { verdict: *verdict, boot, draining, holdings, over })
        };
        let pods: BTreeMap<PodUid, PodSeen> = judgement.verdicts.iter().map(pod).collect();
        let candidates: Vec<Candidate> =
            pods.keys().map(|pod| Candidate { pod: pod.clone(), warm: false }).collect();
        let lease_counts = self.broken == Break::LeaseCounts;
        let storms = self.peace > 0;
        let feed = |(uid, stored): (&FeedUid, &Stored)| {
            let status = stored.status.filter(|_| !lease_counts);
            let belongs = uid.as_str().replace("feed", "pod") + "-";
            let at_home = |c: &&Candidate| storms && c.pod.as_str().starts_with(&belongs);
            let home = candidates.iter().find(at_home).map(|c| c.pod.clone());
            let seen = FeedSeen { lease: stored.lease.clone(), status, candidates: candidates.clone(), home };
            (uid.clone(), seen)
        };
        let balancer = |b: usize| {
            let name = Self::balancer_name(b);
            let mut seen = operator.balancers[b].clone();
            seen.fresh = operator.liveness.is_fresh(&name, now);
            if lease_counts {
                seen.newest.clear();
            }
            (name, seen)
        };
        Seen {
            feeds: operator.cache.iter().map(feed).collect(),
            balancers: (0..2).map(balancer).collect(),
            pods,
            listening: judgement.listening,
        }
    }

    pub fn operator_hears(&mut self, i: usize, message: Message) {
        let leads = self.leads(i);
        let operator = &mut self.operators[i];
        let now = operator.clock.at(self.now);
        match message {
            Message::Beat { holder, sent, holdings, over, draining } => {
                // A process connects when it starts, and the one before it did so earlier.
                let connection = holder.boot.as_str().trim_start_matches('b').parse().unwrap();
                if !operator.liveness.beat(&holder, connection, now) {
                    return;
                }
                operator.said.retain(|known, _| known.pod != holder.pod || *known == holder);
                let said = Said { holdings, over, draining };
                let covers = operator.failover.as_ref().map(|f| f.vouch(&said.holdings)).unwrap_or_default();
                operator.said.insert(holder.clone(), said);
                if leads {
                    let answer = Message::Answer(Vouch { by: Witness::Leader, sent, covers });
                    self.tell_pod(i, &holder, answer);
                }
            }
            Message::Report { from: b, sent, links, newest, floors } => {
                operator.liveness.report(&Self::balancer_name(b), links, now);
                operator.balancers[b] = BalancerSeen { fresh: true, newest, floors };
                if leads && let Some(failover) = &self.operators[i].failover {
                    let sign = |(grant, frames)| (self.keys.sign(&grant), frames);
                    let table = failover.table().into_iter().map(sign).collect();
                    self.send(Who::Operator(i), Who::Balancer(b), Message::Table { sent, table });
                }
            }
            Message::Reset(holder) => {
                operator.liveness.closed(&holder, Closed::ByPeer, now);
                let life = operator.life;
                if let Some(grace) = self.settings.reset_grace {
                    self.later(grace.as_micros() as u64 * 11 / 10, Event::Decide(i, life));
                }
            }
            _ => {}
        }
    }

    fn tell_pod(&mut self, i: usize, holder: &Holder, message: Message) {
        if let Some(server) = self.servers.iter().position(|server| server.tenure.holder() == holder) {
            self.send(Who::Operator(i), Who::Server(server), message);
        }
    }

    pub fn carry_out(&mut self, i: usize, life: u64, chain: Chain, at: usize) {
        let Some(order) = chain.orders.get(at).cloned() else {
            if self.operators[i].life == life
                && let (Some(failover), Some(feed)) = (&mut self.operators[i].failover, &chain.feed)
            {
                failover.finished(feed, at == chain.orders.len());
            }
            return;
        };
        let local = matches!(
            order,
            Order::Push { .. } | Order::Fence { .. } | Order::Revoke { .. } | Order::Clear { .. }
        );
        // A request that is on its way arrives though its sender is dead; a message of a dead one is not sent.
        let sender = self.operators[i].life == life && self.operators[i].alive;
        if local && !sender {
            return;
        }
        if local && self.operators[i].paused_until > self.now {
            let wait = self.operators[i].paused_until - self.now;
            return self.later(wait, Event::Order { operator: i, life, chain, at });
        }
        let good = self.carry(i, order);
        if !sender {
            return;
        }
        let next = if good { at + 1 } else { usize::MAX };
        let wait = if local { 1 } else { self.api_delay() };
        self.later(wait, Event::Order { operator: i, life, chain, at: next });
    }

    fn carry(&mut self, i: usize, order: Order) -> bool {
        let reaches = self.reaches_api(Who::Operator(i));
        match order {
            Order::Reserve { feed, from, epoch } => {
                let Some(stored) = self.api.get_mut(&feed).filter(|_| reaches) else { return false };
                if stored.status != from && self.broken != Break::LeaseCounts {
                    return false;
                }
                stored.status = Some(epoch);
                true
            }
            Order::WriteLease { grant, version } => {
                let Some(stored) = self.api.get_mut(&grant.feed).filter(|_| reaches) else { return false };
                if stored.lease.as_ref().map(|lease| &lease.version) != version.as_ref() {
                    return false;
                }
                self.versions += 1;
                stored.lease = Some(LeaseSeen {
                    holder: grant.holder.clone(),
                    epoch: grant.epoch,
                    version: self.versions.to_string().into(),
                    sealed: true,
                });
                self.checks.issue(self.now, &grant);
                true
            }
            Order::Push { grant } => {
                self.checks.issue(self.now, &grant);
                let signed = self.keys.sign(&grant);
                self.tell_pod(i, &grant.holder, Message::Push(signed));
                true
            }
            Order::Fence { grant, frames } => {
                let signed = self.keys.sign(&grant);
                for b in 0..self.balancers.len() {
                    self.send(Who::Operator(i), Who::Balancer(b), Message::Fence(signed.clone(), frames));
                }
                true
            }
            Order::Revoke { to, grant } => {
                let signed = self.keys.sign(&grant);
                self.tell_pod(i, &to.clone(), Message::Revoke(to, signed));
                true
            }
            Order::Clear { grant } => {
                let holder = grant.holder.clone();
                self.tell_pod(i, &holder, Message::Clear(grant));
                true
            }
            Order::DeletePod { pod } => {
                if reaches {
                    self.delete(&pod);
                }
                reaches
            }
            Order::Configure { .. } | Order::CreatePod { .. } => true,
        }
    }
}
