//! What media pods are told of where balancers are.

use std::{collections::BTreeMap, sync::Arc};

use millrace_fencing::PodUid;
use millrace_report::message::{Edge, Edges};

use super::{facts::PodFacts, guard::Guard};

/// The port that server pods dial.
const LINK: u16 = 9100;

/// What was told last.
#[derive(Debug, Default)]
pub struct Brief {
    /// For server pods, and with what each carries for balancers.
    edges: [Arc<Edges>; 2],
    told: BTreeMap<PodUid, Arc<Edges>>,
}

impl Brief {
    /// A pod that has connected anew knows nothing.
    pub fn forget(&mut self, uid: &str) {
        if let Ok(pod) = PodUid::new(uid) {
            self.told.remove(&pod);
        }
    }

    /// What is to be told now.
    pub fn edges(&mut self, guard: &Guard) -> Vec<(PodUid, Arc<Edges>)> {
        let loads = guard.loads();
        let facts = &guard.facts().balancers;
        for (edges, loaded) in self.edges.iter_mut().zip([false, true]) {
            let now: Vec<Edge> =
                facts.iter().filter_map(|(uid, pod)| edge(uid, pod, &loads, loaded)).collect();
            if edges.edges != now {
                *edges = Arc::new(Edges { revision: edges.revision + 1, edges: now });
            }
        }
        let [plain, loaded] = &self.edges;
        let (servers, fronts) = guard.connected();
        let everybody =
            servers.into_iter().map(|uid| (uid, plain)).chain(fronts.into_iter().map(|uid| (uid, loaded)));
        let mut words = Vec::new();
        let mut told = BTreeMap::new();
        for (uid, edges) in everybody {
            if self.told.get(&uid).is_none_or(|before| !Arc::ptr_eq(before, edges)) {
                words.push((uid.clone(), Arc::clone(edges)));
            }
            told.insert(uid, Arc::clone(edges));
        }
        self.told = told;
        words
    }
}

fn edge(
    uid: &PodUid,
    pod: &PodFacts,
    loads: &BTreeMap<PodUid, (u32, u64, bool)>,
    loaded: bool,
) -> Option<Edge> {
    let ip = pod.ip.clone()?;
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip };
    let (sessions, bits_per_second, drains) = loads.get(uid).copied().unwrap_or_default();
    let (sessions, bits_per_second) = if loaded { (sessions, bits_per_second) } else { (0, 0) };
    Some(Edge {
        name: pod.name.clone(),
        link: format!("{host}:{LINK}"),
        host,
        sessions,
        bits_per_second,
        open: pod.ready && !pod.draining && !drains,
    })
}
