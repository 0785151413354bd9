//! What is known of links, paths and their owners, and what belongs together when one of them changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_fencing::{
    Directory, FeedUid, PodUid,
    directory::{self, LinkId, OwnerState},
};
use millrace_link::avrs::Serving;
use millrace_report::message::LinkState;

use super::{Owner, Peer};
use crate::edge::{
    overlap::{Former, Overlaps},
    upstream::Upstream,
};

/// The end of a link is told for this long.
const TOLD: Duration = Duration::from_mins(1);
/// Ends that are told at most.
const MOST_ENDS: usize = 10_000;

/// See the module.
#[derive(Default)]
pub(super) struct State {
    pub directory: Directory,
    pub overlaps: Overlaps,
    pub peers: HashMap<LinkId, Peer>,
    /// How the paths of each link are served.
    pub servings: HashMap<LinkId, HashMap<Arc<str>, Serving>>,
    /// Whether who may watch was last to be asked, by path: it holds while nobody has it.
    pub asks: HashMap<Arc<str>, bool>,
    pub upstreams: HashMap<Arc<str>, Arc<Upstream>>,
    /// How the last link of a pod ended, and when.
    ends: HashMap<PodUid, (Instant, LinkState)>,
    /// What left upstreams sent.
    pub sent: u64,
}

impl State {
    /// Who has `path` now: `found` in the directory, if its link is up.
    pub fn owner(&self, path: &str, found: &directory::Owner) -> Option<Owner> {
        let OwnerState::Live(link) = found.state else { return None };
        let serving = self.servings.get(&link)?.get(path)?.clone();
        Some(Owner { link, epoch: found.epoch, peer: self.peers.get(&link)?.clone(), serving })
    }

    /// `path` has another owner than `before`: who watches need not wait for that one's first bytes.
    pub fn succeed(&mut self, path: &Arc<str>, feed: &FeedUid, before: &directory::Owner) {
        let watched = self.upstreams.get(path).is_some_and(|upstream| *upstream.flowing.borrow());
        match before.state {
            OwnerState::Live(link) if watched && before.feed == *feed => {
                let (feed, holder, epoch) = (feed.clone(), before.holder.clone(), before.epoch);
                self.overlaps.begin(path.clone(), Former { feed, holder, epoch, link });
            }
            _ if before.feed != *feed => drop(self.overlaps.end(path)),
            // Whoever was succeeded before goes on.
            _ => {}
        }
    }

    /// The link of a pod is over.
    pub fn ended(&mut self, pod: PodUid, how: LinkState) {
        if self.ends.len() >= MOST_ENDS {
            self.ends.retain(|_, (at, _)| at.elapsed() < TOLD);
        }
        if self.ends.len() < MOST_ENDS {
            self.ends.insert(pod, (Instant::now(), how));
        }
    }

    /// Links that there are, and how those ended that are no more, by pod.
    pub fn links(&mut self) -> BTreeMap<String, LinkState> {
        self.ends.retain(|_, (at, _)| at.elapsed() < TOLD);
        let mut links: BTreeMap<String, LinkState> =
            self.ends.iter().map(|(pod, (_, how))| (pod.to_string(), *how)).collect();
        for peer in self.peers.values() {
            let age = peer.link.silence().as_millis() as u64;
            // Of two links the one that was heard last says more.
            match links.get_mut(peer.holder.pod.as_str()) {
                Some(LinkState::Up { age: known }) => *known = age.min(*known),
                Some(ended) => *ended = LinkState::Up { age },
                None => {
                    links.insert(peer.holder.pod.to_string(), LinkState::Up { age });
                }
            }
        }
        links
    }

    /// Something is new for who watches `path`.
    pub fn changed(&self, path: &str) {
        if let Some(upstream) = self.upstreams.get(path) {
            upstream.news.notify_one();
        }
    }

    /// Nobody has `path` any more, nor will: who watches is let go.
    pub fn forget(&mut self, path: &str) {
        self.asks.remove(path);
        self.overlaps.end(path);
        if let Some(upstream) = self.upstreams.remove(path) {
            self.sent += upstream.channel.bytes_out();
            upstream.close();
        }
    }
}
