//! A balancer, with a viewer on every path.

use std::collections::BTreeMap;

use millrace_fencing::{
    Directory, Epoch, FeedUid, Holder, Time,
    directory::{Announcement, LinkId, Refused},
    id::PodUid,
    liveness::Link,
    tenure::{Vouch, Witness},
};

use crate::{
    chance::Chance,
    world::{Break, Clock, Message, Who, World},
};

pub struct Balancer {
    pub alive: bool,
    pub life: u64,
    pub clock: Clock,
    pub directory: Directory,
    links: BTreeMap<Holder, (LinkId, Time)>,
    closed: BTreeMap<PodUid, Link>,
    count: u64,
    /// When the newest of its reports was sent that the leader answered.
    anchor: Option<Time>,
    /// What each path's viewer was given last.
    pub viewers: BTreeMap<FeedUid, Epoch>,
    wakes: u64,
}

impl Balancer {
    pub fn new(_: usize, chance: &mut Chance) -> Self {
        Self {
            alive: true,
            life: 0,
            clock: Clock::new(chance),
            directory: Directory::default(),
            links: BTreeMap::new(),
            closed: BTreeMap::new(),
            count: 0,
            anchor: None,
            viewers: BTreeMap::new(),
            wakes: 0,
        }
    }

    fn lose(&mut self, holder: &Holder, how: Link, now: Time) {
        if let Some((link, _)) = self.links.remove(holder) {
            self.directory.link_lost(link, now);
            self.closed.insert(holder.pod.clone(), how);
        }
    }
}

pub fn path(feed: &FeedUid) -> &str {
    feed.as_str()
}

impl World {
    /// A quarter of a beat: lost links are noticed, and reported at once.
    pub fn balancer_wakes(&mut self, i: usize) -> u64 {
        let silence = self.settings.silence();
        let balancer = &mut self.balancers[i];
        let now = balancer.clock.at(self.now);
        let lost: Vec<Holder> = balancer
            .links
            .iter()
            .filter(|(_, (_, heard))| now.since(*heard) >= silence)
            .map(|l| l.0.clone())
            .collect();
        for holder in &lost {
            balancer.lose(holder, Link::Lost, now);
        }
        balancer.wakes += 1;
        if balancer.wakes.is_multiple_of(4) || !lost.is_empty() {
            self.report(i);
        }
        self.settings.beat.as_micros() as u64 / 4
    }

    fn report(&mut self, i: usize) {
        let balancer = &self.balancers[i];
        let sent = balancer.clock.at(self.now);
        let up = balancer
            .links
            .iter()
            .map(|(holder, (_, heard))| (holder.pod.clone(), Link::Up(sent.since(*heard))));
        let mut links = balancer.closed.clone();
        links.extend(up);
        let newest: BTreeMap<_, _> =
            balancer.directory.newest().map(|g| (g.feed, (g.epoch, g.holder))).collect();
        let floors: BTreeMap<_, _> = balancer.directory.floors().map(|(f, e)| (f.clone(), e)).collect();
        for o in 0..self.operators.len() {
            let (links, newest, floors) = (links.clone(), newest.clone(), floors.clone());
            self.send(
                Who::Balancer(i),
                Who::Operator(o),
                Message::Report { from: i, sent, links, newest, floors },
            );
        }
    }

    pub fn balancer_hears(&mut self, i: usize, message: Message) {
        let now = self.balancers[i].clock.at(self.now);
        match message {
            Message::Announce { holder, sent, holdings, grants } => {
                let before: Vec<_> = self.balancers[i].directory.newest().collect();
                for grant in grants {
                    self.announced(i, &holder, grant, now);
                }
                self.link(i, &holder, now);
                let balancer = &self.balancers[i];
                let vouched = holdings.iter().filter(|h| balancer.directory.vouches(&h.feed, h.epoch));
                let covers = vouched.map(|h| (h.feed.clone(), h.epoch)).collect();
                let anchor = balancer.anchor.map(|anchor| now.since(anchor));
                let by = Witness::Balancer { name: Self::balancer_name(i), anchor };
                let server = self.servers.iter().position(|s| s.tenure.holder() == &holder);
                if let Some(server) = server {
                    let answer = Message::Answer(Vouch { by, sent, covers });
                    self.send(Who::Balancer(i), Who::Server(server), answer);
                }
                if self.balancers[i].directory.newest().ne(before) {
                    self.report(i);
                }
            }
            Message::Frames { holder, frames } => {
                let link = self.link(i, &holder, now);
                for (feed, epoch) in frames {
                    if self.balancers[i].directory.admit(path(&feed), link, epoch).is_ok() {
                        self.deliver(i, feed, epoch);
                    }
                }
            }
            Message::Reset(holder) => {
                self.balancers[i].lose(&holder, Link::ClosedByPeer, now);
                self.report(i);
            }
            Message::Table { sent, table } => {
                for (grant, frames) in table {
                    let _ = self.balancers[i].directory.fence(&grant, frames, &self.keys, now);
                }
                let anchor = &mut self.balancers[i].anchor;
                *anchor = (*anchor).max(Some(sent));
            }
            Message::Fence(grant, frames) => {
                let _ = self.balancers[i].directory.fence(&grant, frames, &self.keys, now);
                self.report(i);
            }
            _ => {}
        }
    }

    fn link(&mut self, i: usize, holder: &Holder, now: Time) -> LinkId {
        let balancer = &mut self.balancers[i];
        if let Some((link, heard)) = balancer.links.get_mut(holder) {
            *heard = now;
            return *link;
        }
        balancer.count += 1;
        let link = LinkId(balancer.count);
        balancer.closed.remove(&holder.pod);
        balancer.links.insert(holder.clone(), (link, now));
        link
    }

    fn announced(&mut self, i: usize, holder: &Holder, grant: millrace_fencing::SignedGrant, now: Time) {
        let link = self.link(i, holder, now);
        let claim = grant.claim().clone();
        let said = Announcement {
            path: path(&claim.feed).into(),
            feed: claim.feed.clone(),
            epoch: claim.epoch,
            grant,
            link,
            from: holder.clone(),
        };
        let mut result = self.balancers[i].directory.announce(said.clone(), &self.keys, now);
        if self.broken == Break::BalancersForget && matches!(result, Err(Refused::Older { .. })) {
            self.balancers[i].directory = Directory::default();
            result = self.balancers[i].directory.announce(said, &self.keys, now);
        }
        match result {
            Ok(_) if self.checks.issued.get(&(claim.feed.clone(), claim.epoch)) != Some(&claim.holder) => {
                self.checks.fail(self.now, format!("balancer {i} believes {claim:?}, which nobody granted"));
            }
            Err(Refused::Conflict { .. }) => self.checks.fail(self.now, format!("conflict about {claim:?}")),
            _ => {}
        }
    }

    fn deliver(&mut self, i: usize, feed: FeedUid, epoch: Epoch) {
        let before = self.balancers[i].viewers.insert(feed.clone(), epoch);
        if before > Some(epoch) {
            self.checks
                .fail(self.now, format!("a viewer of {feed} on balancer {i} got {epoch} after {before:?}"));
        }
    }
}
