//! Where everything is: any media pod answers any path of its Cluster, and asks the one that has it.

use millrace_report::{message::Directory, token};

use crate::{
    build::{Owner, rollout},
    decide::Known,
    decision::Decision,
    resolve::INTERNAL,
    view::View,
};

/// Fills in the directory: streams and feeds of pods that are Ready.
pub fn fill(view: &View, owner: &Owner, known: &Known<'_>, into: &mut Decision) {
    let Some(resolved) = &known.settled.resolved else { return };
    let mut directory = Directory {
        revision: 0,
        token: token::cluster_token(&view.settings.token_key, &owner.namespace, &owner.name),
        ..Directory::default()
    };
    for (name, slot) in &known.slots {
        let pod = known.pod(name).filter(|pod| rollout::is_ready(pod));
        let Some(ip) = pod.and_then(|pod| pod.status.as_ref()?.pod_ip.clone()) else { continue };
        let address =
            if ip.contains(':') { format!("[{ip}]:{INTERNAL}") } else { format!("{ip}:{INTERNAL}") };
        let streams = slot.placement.streams.keys().filter_map(|name| resolved.streams.get(name));
        directory.streams.extend(streams.map(|stream| (stream.path.to_string(), address.clone())));
        directory.feeds.extend(slot.placement.feeds.keys().map(|name| (name.clone(), address.clone())));
    }
    into.directory = directory;
}
