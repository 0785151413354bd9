//! Who is let in, who comes again later, and who is sent to another balancer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::Method;
use millrace_crds::{
    kinds::BalancerMode,
    resolved::{FinalCluster, Resolved},
};
use millrace_fencing::{
    directory::Owner,
    edges::{self, Full, Limits, Load},
};
use millrace_http::{AccessRequest, Refusal};
use millrace_report::message::Edges;

use super::Edge;

/// In the query of who was sent here by another balancer: not sent on.
const SENT: &str = "millrace-sent";
/// One more viewer.
const ONE: Load = Load { sessions: 1, bits_per_second: 0 };

/// What the Cluster says of viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Viewers at most; 0: any number.
    sessions: u32,
    /// Bits per second that one viewer is sent at most; 0: any number.
    bitrate: u64,
    redirect: bool,
}

impl From<&FinalCluster> for Settings {
    fn from(cluster: &FinalCluster) -> Self {
        Self {
            sessions: cluster.limits.connections,
            bitrate: cluster.limits.bitrate.map_or(0, |size| size.0),
            redirect: cluster.balancers.mode == BalancerMode::Redirect,
        }
    }
}

/// The balancers of the Cluster, and who was sent to each since it said what it carries.
pub(super) struct Others {
    /// The name of this one, where it has one.
    own: Option<String>,
    known: Mutex<(Arc<Edges>, HashMap<String, u32>)>,
    salt: AtomicU64,
}

impl Others {
    pub fn new(own: Option<String>) -> Self {
        // Balancers that start at one time need not send their first viewers to the same one.
        let salt = own
            .as_deref()
            .unwrap_or_default()
            .bytes()
            .fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self { own, known: Mutex::default(), salt: AtomicU64::new(salt % 1000) }
    }

    pub fn take(&self, edges: Arc<Edges>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (edges, HashMap::new());
    }

    /// All of them, as they were told.
    pub fn all(&self) -> Arc<Edges> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn salt(&self) -> u64 {
        self.salt.fetch_add(1, Ordering::Relaxed)
    }

    /// The host of the least loaded open one with room for one more, if that is another one than this, which carries `load`.
    fn better(&self, load: Load, sessions: u32) -> Option<String> {
        let own = self.own.as_deref()?;
        let salt = self.salt();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (edges, sent) = &mut *known;
        let candidates: Vec<edges::Edge<(&str, &str)>> = edges
            .edges
            .iter()
            .map(|edge| {
                let own = edge.name == own;
                let said = Load { sessions: edge.sessions, bits_per_second: edge.bits_per_second };
                edges::Edge {
                    name: (edge.name.as_str(), edge.host.as_str()),
                    load: if own { load } else { said },
                    sent: Load { sessions: sent.get(&edge.name).copied().unwrap_or(0), bits_per_second: 0 },
                    limits: Limits { sessions, bits_per_second: 0 },
                    open: edge.open && !edge.host.is_empty(),
                }
            })
            .collect();
        let best = edges::least_loaded(&candidates, ONE, salt).ok()?;
        let (name, host) = best.name;
        let mine = candidates.iter().find(|edge| edge.name.0 == own)?;
        let sessions = |edge: &edges::Edge<_>| edge.load.sessions.saturating_add(edge.sent.sessions);
        // Equals stay: a redirect costs a round trip.
        if name == own || (mine.open && sessions(mine) <= sessions(best)) {
            return None;
        }
        let host = host.to_owned();
        *sent.entry(name.to_owned()).or_default() += 1;
        Some(host)
    }
}

impl Edge {
    /// All balancers of the Cluster, as they were told.
    pub fn balancers(&self) -> Arc<Edges> {
        self.others.all()
    }

    /// Who has which path, and whether it can be reached.
    pub fn owners(&self) -> Vec<(Arc<str>, Owner, bool)> {
        self.registry.owners()
    }

    /// The Cluster says so from now on.
    pub fn configure(&self, resolved: &Resolved) {
        self.settings.store(Arc::new((&resolved.cluster).into()));
        self.beyond.configure(resolved);
        self.cache.set_limit(super::cache::limit(&resolved.cluster));
    }

    /// What it carries.
    pub fn load(&self) -> Load {
        let sessions = u32::try_from(self.viewers()).unwrap_or(u32::MAX);
        Load { sessions, bits_per_second: self.rate.load(Ordering::Relaxed) }
    }

    /// Takes a place for one more viewer of a stream of `bitrate`; given back with [`Edge::leave`].
    pub(super) fn enter(&self, bitrate: u64) -> Result<(), Refusal> {
        let settings = self.settings.load();
        let limits = Limits { sessions: settings.sessions, bits_per_second: 0 };
        let before = self.seats.fetch_add(1, Ordering::AcqRel);
        let load = Load { sessions: u32::try_from(before).unwrap_or(u32::MAX), bits_per_second: 0 };
        let whole = edges::admit(load, ONE, limits, self.others.salt()).map_err(|full| {
            let Full { retry_after, .. } = full;
            Refusal::unavailable(full.to_string(), retry_after)
        });
        let admitted = whole.and_then(|()| self.admits(bitrate, settings.bitrate));
        if admitted.is_err() {
            self.leave();
            super::count(&self.counts.turned_away);
        }
        admitted
    }

    /// Whether one viewer may have as much as this stream is.
    fn admits(&self, bitrate: u64, most: u64) -> Result<(), Refusal> {
        let limits = Limits { sessions: 0, bits_per_second: most };
        let wants = Load { sessions: 1, bits_per_second: bitrate };
        edges::admit(Load::default(), wants, limits, self.others.salt()).map_err(|full| {
            let why = format!(
                "this stream has {} kbit/s at the moment; limits.bitrate of the Cluster lets a viewer have {} kbit/s",
                bitrate / 1000,
                most / 1000
            );
            Refusal::unavailable(why, full.retry_after)
        })
    }

    /// A viewer has left.
    pub(super) fn leave(&self) {
        self.seats.fetch_sub(1, Ordering::AcqRel);
    }

    /// The host that a viewer is better served by, and the query to ask it with.
    pub fn elsewhere(&self, request: &AccessRequest<'_>) -> Option<(String, String)> {
        let settings = self.settings.load();
        if !settings.redirect || !matches!(*request.method, Method::GET | Method::HEAD) {
            return None;
        }
        let query = request.query.unwrap_or_default();
        let name = |parameter: &str| parameter.split('=').next() == Some(SENT);
        if query.split('&').any(name) || self.registry.known(request.path).is_none() {
            return None;
        }
        let host = self.others.better(self.load(), settings.sessions)?;
        super::count(&self.counts.redirected);
        let query = if query.is_empty() { SENT.to_owned() } else { format!("{query}&{SENT}") };
        Some((host, query))
    }
}

#[cfg(test)]
mod tests {
    use millrace_report::message;

    use super::*;

    fn edge(name: &str, sessions: u32, open: bool) -> message::Edge {
        message::Edge {
            name: name.to_owned(),
            host: format!("host-{name}"),
            link: String::new(),
            sessions,
            bits_per_second: 0,
            open,
        }
    }

    fn others(edges: Vec<message::Edge>) -> Others {
        let others = Others::new(Some("a".to_owned()));
        others.take(Arc::new(Edges { revision: 1, edges }));
        others
    }

    fn load(sessions: u32) -> Load {
        Load { sessions, bits_per_second: 0 }
    }

    #[test]
    fn a_viewer_is_sent_to_who_has_less_and_never_to_who_sends() {
        let all = others(vec![edge("a", 0, true), edge("b", 5, true), edge("c", 2, false)]);
        assert_eq!(all.better(load(9), 0).as_deref(), Some("host-b"), "its own load is what it is now");
        assert_eq!(all.better(load(3), 0), None);
        assert_eq!(Others::new(Some("a".to_owned())).better(load(9), 0), None, "nobody was told of");
        assert_eq!(others(vec![edge("a", 9, true)]).better(load(9), 0), None);
        let nameless = Others::new(None);
        nameless.take(all.all());
        assert_eq!(nameless.better(load(9), 0), None);
    }

    #[test]
    fn those_who_were_sent_count_until_the_next_word() {
        let all = others(vec![edge("a", 0, true), edge("b", 0, true)]);
        let sent = (0..10).filter(|_| all.better(load(3), 0).is_some()).count();
        assert_eq!(sent, 3, "until both have as many");
        all.take(all.all());
        assert!(all.better(load(3), 0).is_some());
    }

    #[test]
    fn one_that_drains_sends_its_viewers_away_and_full_ones_get_nobody() {
        let all = others(vec![edge("a", 0, false), edge("b", 5, true)]);
        assert_eq!(all.better(load(0), 0).as_deref(), Some("host-b"));
        assert_eq!(all.better(load(0), 5), None, "no room anywhere: this one says so itself");
    }
}
