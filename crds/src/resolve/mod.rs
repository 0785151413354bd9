//! From what people wrote to the final form: one pure function. Everything that is wrong is said at once.

mod access;
mod cluster;
mod command;
mod cross;
mod fault;
mod feed;
mod members;
pub(crate) mod placeholder;
mod restart;
mod rings;
mod set;
mod stream;

use std::collections::{BTreeMap, BTreeSet};

pub use fault::Fault;
pub use members::MAX_MEMBERS;
pub use placeholder::PlaceholderError;
pub use restart::{MAX_RESTART, RESTART, Restarts, restart_text};
pub use rings::rings_from;
pub use set::{member_name, member_spec};

use crate::{
    kinds::{ClusterSpec, FeedSpec, RoomSpec, StreamSpec},
    resolved::{FinalCluster, FinalRoom, FinalSecret, Resolved},
    shared::{Resources, Size},
    yaml::path::FieldPath,
};
use fault::Faults;

/// The objects to resolve, each with its name, in the order they were written.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Clusters; one, or none for the defaults.
    pub clusters: Vec<(String, ClusterSpec)>,
    /// Feeds.
    pub feeds: Vec<(String, FeedSpec)>,
    /// Streams.
    pub streams: Vec<(String, StreamSpec)>,
    /// Rooms.
    pub rooms: Vec<(String, RoomSpec)>,
    /// Secrets.
    pub secrets: Vec<FinalSecret>,
    /// Who was asked to restart; of a set, all its members.
    pub restarts: Restarts,
    /// Kind and name of objects that are there but too broken to be in the lists: nothing is said of those who
    /// name them.
    pub broken: BTreeSet<(String, String)>,
}

impl Objects {
    fn is_broken(&self, kind: &str, name: &str) -> bool {
        self.broken.contains(&(kind.to_owned(), name.to_owned()))
    }
}

/// What [`resolve`] made: the final form, and what is doubtful but no error.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// The final form.
    pub resolved: Resolved,
    /// What is doubtful.
    pub warnings: Vec<Fault>,
}

/// Makes the final form, or says everything that is wrong.
///
/// # Errors
/// All that is wrong between the objects and in their commands.
pub fn resolve(objects: &Objects) -> Result<Resolution, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut warnings = Vec::new();
    let secrets: BTreeMap<String, FinalSecret> =
        objects.secrets.iter().map(|secret| (secret.name.clone(), secret.clone())).collect();
    members::duplicates(objects, &mut faults);
    let (cluster_name, cluster) = cluster::choose(objects, &mut faults);
    let unknown = objects.clusters.is_empty() && objects.broken.iter().any(|(kind, _)| kind == "Cluster");
    let context = Context {
        objects,
        cluster_name: &cluster_name,
        cluster: &cluster,
        cluster_unknown: unknown,
        secrets: &secrets,
    };
    cluster::check(&context, &mut faults);
    let members = members::expand(&context, &mut faults);
    let mut feeds = feed::all(&context, &members, &mut faults);
    let streams = stream::all(&context, &members, &mut faults);
    feed::who_may_send(&mut feeds, &streams);
    let rooms = rooms(&context, &mut faults);
    cross::check(&context, &members, &mut faults, &mut warnings);
    let mut seen: Vec<Fault> = Vec::new();
    faults.retain(|fault| {
        let new = !seen.contains(fault);
        seen.extend(new.then(|| fault.clone()));
        new
    });
    if !faults.is_empty() || unknown {
        return Err(faults);
    }
    let cluster = FinalCluster::from_spec(&cluster_name, &cluster);
    Ok(Resolution { resolved: Resolved { cluster, feeds, streams, rooms, secrets }, warnings })
}

/// What is known while the objects are resolved.
struct Context<'a> {
    objects: &'a Objects,
    cluster_name: &'a str,
    cluster: &'a ClusterSpec,
    /// The Cluster is too broken to be read: whatever would be said of its templates and storage is wrong.
    cluster_unknown: bool,
    secrets: &'a BTreeMap<String, FinalSecret>,
}

impl Context<'_> {
    /// The most memory of one process, in bytes: what the object says, else what the Cluster says.
    fn memory_per_process(&self, said: Option<&Resources>) -> Option<u64> {
        let of = |resources: Option<&Resources>| resources.and_then(|it| it.memory_per_process);
        of(said).or_else(|| of(self.cluster.servers.resources.as_ref())).map(Size::get)
    }
}

fn rooms(context: &Context<'_>, into: &mut Vec<Fault>) -> BTreeMap<String, FinalRoom> {
    let mut rooms = BTreeMap::new();
    for (name, spec) in &context.objects.rooms {
        let mut faults = Faults { kind: "Room", name, into };
        cluster::check_ref(context, &spec.cluster_ref.name, &mut faults);
        if let Some(credentials) = spec.store.as_ref().and_then(|store| store.redis.credentials.as_ref()) {
            let field = FieldPath::of("spec.store.redis.credentials.secretRef.name");
            access::user_and_password(context, &credentials.secret_ref.name, field, &mut faults);
        }
        rooms.insert(name.clone(), FinalRoom::from_spec(name, spec));
    }
    rooms
}
