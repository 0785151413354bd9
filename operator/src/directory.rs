//! Where the feeds are that a slot's pod gets from other slots: all that one server pod needs to know of others.

use millrace_crds::FinalSource;
use millrace_report::{message::Directory, token};

use crate::{
    build::{Owner, rollout},
    decide::{Known, Slot},
    decision::Decision,
    names,
    resolve::INTERNAL,
    view::View,
};

/// Fills in the directories, with feeds of pods that are Ready. Who shows the token is of this Cluster.
pub fn fill(view: &View, owner: &Owner, known: &Known<'_>, into: &mut Decision) {
    if known.settled.resolved.is_none() {
        return;
    }
    let token = token::cluster_token(&view.settings.token_key, &owner.namespace, &owner.name);
    for (name, slot) in &known.slots {
        let mut directory = Directory { token: token.clone(), ..Directory::default() };
        directory
            .feeds
            .extend(fetched(slot).filter_map(|feed| Some((feed.to_owned(), address(known, feed)?))));
        into.directories.insert(name.clone(), directory);
    }
    into.directories.insert(names::balancers(&owner.name), Directory { token, ..Directory::default() });
}

/// The feeds that it gets from elsewhere.
fn fetched(slot: &Slot) -> impl Iterator<Item = &str> {
    slot.content.part.feeds.values().filter_map(|feed| match &feed.source {
        FinalSource::Pull { url: Some(url), .. } => url.strip_prefix("millrace://feeds/"),
        _ => None,
    })
}

fn address(known: &Known<'_>, feed: &str) -> Option<String> {
    let ip = known
        .place_of_feed(feed)
        .pod
        .filter(|pod| rollout::is_ready(pod))?
        .status
        .as_ref()?
        .pod_ip
        .clone()?;
    Some(if ip.contains(':') { format!("[{ip}]:{INTERNAL}") } else { format!("{ip}:{INTERNAL}") })
}
