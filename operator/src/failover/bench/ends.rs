//! The other ends of the status connections.

use super::*;

impl Server {
    pub(super) fn new(uid: &PodUid, slot: &str, connection: u64) -> Self {
        let holder = Holder { pod: uid.clone(), boot: format!("boot-{connection}").parse().unwrap() };
        Self {
            tenure: Tenure::new(holder, Duration::from_secs(10)),
            alive: true,
            cut: false,
            slot: slot.to_owned(),
            vouched: 0,
            connection,
            joined: false,
            beat: Instant::now(),
            back: None,
            said: false,
            ready: BTreeMap::new(),
        }
    }

    pub(super) fn hello(&self, uid: &PodUid) -> Hello {
        Hello {
            uid: uid.to_string(),
            pod: uid.to_string(),
            slot: self.slot.clone(),
            boot: self.tenure.holder().boot.to_string(),
            ..Hello::default()
        }
    }

    pub(super) fn says(&self) -> Beat {
        let held = |it: millrace_fencing::tenure::Holding| Held {
            feed: it.feed.to_string(),
            epoch: it.epoch.get(),
            cleared: it.cleared,
        };
        Beat {
            sent: 1,
            holdings: self.tenure.holdings().map(held).collect(),
            over: self.tenure.over().map(|(feed, epoch)| (feed.to_string(), epoch.get())).collect(),
            ..Beat::default()
        }
    }

    /// Tells balancers what it has, when its source gives something; whether a balancer learned something.
    pub(super) fn announce(&self, uid: &PodUid, fronts: &mut [Front]) -> bool {
        let mut news = false;
        for front in fronts.iter_mut().filter(|front| front.up) {
            front.links.insert(uid.clone(), LinkState::Up { age: 0 });
            for it in self.tenure.holdings() {
                let known = front.newest.get(&it.feed).map(|(epoch, _)| *epoch);
                let old = known.max(front.floors.get(&it.feed).copied()) > Some(it.epoch);
                let ready = self.ready.get(&it.feed).is_none_or(|at| *at <= Instant::now());
                if ready && !old && known < Some(it.epoch) {
                    front.newest.insert(it.feed, (it.epoch, self.tenure.holder().clone()));
                    front.said = false;
                    news = true;
                }
            }
        }
        news
    }
}

impl Front {
    pub(super) fn says(&self) -> Balancing {
        let newest = |(feed, (epoch, holder)): (&FeedUid, &(Epoch, Holder))| {
            (feed.to_string(), Newest { epoch: epoch.get(), holder: holder.to_string() })
        };
        Balancing {
            links: self.links.iter().map(|(pod, link)| (pod.to_string(), *link)).collect(),
            newest: Some(self.newest.iter().map(newest).collect()),
            floors: Some(self.floors.iter().map(|(feed, epoch)| (feed.to_string(), epoch.get())).collect()),
            ..Balancing::default()
        }
    }
}
