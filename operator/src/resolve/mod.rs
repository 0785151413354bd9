//! From the objects as they were written to what runs: where one cannot run as it is written, its last good form runs
//! on, or it is left out, and its neighbours never notice.

mod cycles;
mod faults;
mod forms;
mod paths;
mod restart;
pub mod secrets;
pub mod sets;
mod validate;

pub use validate::{INTERNAL, directory};

use std::collections::{BTreeMap, BTreeSet};

use millrace_crds::{
    Resolved,
    resolve::{Fault, Objects, Restarts},
};

use crate::{kept::Kept, reason::Why, view::View};
use forms::{Form, Forms, One};

/// Why objects do not run as they are written, by name.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Of the Cluster.
    pub cluster: Option<Why>,
    /// Of Feeds.
    pub feeds: BTreeMap<String, Why>,
    /// Of Streams.
    pub streams: BTreeMap<String, Why>,
    /// Fallbacks that are left out, of Feeds that run without them.
    pub fallbacks: BTreeMap<String, Why>,
}

/// What is to run.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Everything in final form; nothing while the Cluster itself cannot run.
    pub resolved: Option<Resolved>,
    /// UIDs of all Feeds that there are, by name.
    pub feeds: BTreeMap<String, String>,
    /// UIDs of all Streams that there are, by name.
    pub streams: BTreeMap<String, String>,
    /// What is wrong.
    pub faults: Faults,
}

/// A fault, and the reason where it is known without looking.
type Found = (Fault, Option<Why>);

/// Finds what is to run.
pub fn settle(view: &View, kept: &Kept<'_>) -> Settled {
    let mut forms = Forms::of(view, kept);
    let mut faults = Forms::unreadable(view);
    let resolved = loop {
        if forms.cluster.form.is_none() {
            break None;
        }
        fallbacks(&mut forms, &mut faults);
        let mut found = paths::conflicts(&forms, kept);
        found.extend(validate::check(&forms).into_iter().map(|fault| (fault, None)));
        if found.is_empty() {
            let objects = objects(view, kept, &forms);
            match millrace_crds::resolve::resolve(&objects) {
                Ok(resolution) => break Some(resolution.resolved),
                Err(faults) => found.extend(faults.into_iter().map(|fault| (fault, None))),
            }
        }
        if !demote(view, kept, &mut forms, &mut faults, found) {
            break None;
        }
    };
    let resolved = resolved.map(|resolved| fill_in(view, resolved));
    let uids = |all: &BTreeMap<String, String>| all.clone();
    Settled { resolved, feeds: uids(&forms.feed_uids), streams: uids(&forms.stream_uids), faults }
}

/// What the Cluster leaves to the operator's settings, and Streams to their Feeds.
fn fill_in(view: &View, mut resolved: Resolved) -> Resolved {
    let cluster = &mut resolved.cluster;
    cluster.servers.transcoder_image.get_or_insert_with(|| view.settings.transcoder_image.clone());
    // In a pod the listeners are all of its addresses.
    let listeners = [
        &mut cluster.http,
        &mut cluster.https,
        &mut cluster.rtmp,
        &mut cluster.rtmps,
        &mut cluster.rtsp,
        &mut cluster.srt,
        &mut cluster.webrtc,
    ];
    listeners.into_iter().flatten().for_each(|listener| listener.address = None);
    for stream in
        resolved.streams.values_mut().filter(|stream| stream.command.is_some() && stream.image.is_none())
    {
        stream.image = stream.feeds.iter().find_map(|feed| resolved.feeds.get(feed)?.image.clone());
    }
    resolved
}

/// Fallbacks that are not there are left out: the Feed itself runs. So are rings of them.
fn fallbacks(forms: &mut Forms, faults: &mut Faults) {
    let there: BTreeSet<String> = forms.feeds.keys().cloned().collect();
    for (name, one) in &mut forms.feeds {
        let spec = &mut one.spec;
        let missing: Vec<&String> =
            spec.fallback.iter().filter(|it| !it.contains("{each}") && !there.contains(*it)).collect();
        if let Some(first) = missing.first() {
            let why = faults::fallback_missing(first, forms.feed_uids.contains_key(*first));
            faults.fallbacks.entry(name.clone()).or_insert(why);
            spec.fallback.retain(|it| it.contains("{each}") || there.contains(it));
        }
    }
    for (name, ring) in cycles::rings(&forms.feeds) {
        faults.fallbacks.entry(name.clone()).or_insert_with(|| faults::ring(&ring));
        if let Some(one) = forms.feeds.get_mut(&name) {
            one.spec.fallback.clear();
        }
    }
}

/// The objects in the forms that they have now.
fn objects(view: &View, kept: &Kept<'_>, forms: &Forms) -> Objects {
    let mut secrets = view.secrets.clone();
    // Who ran with a Secret that is gone runs on with what was in it. Whoever is new has a fault by now.
    let old: BTreeSet<String> = forms.secrets_of_last_good().into_iter().collect();
    if !old.is_empty() {
        for (name, secret) in kept.secrets(&old) {
            let now = secrets.entry(name).or_insert_with(|| secret.clone());
            for (key, value) in secret.data {
                now.data.entry(key).or_insert(value);
            }
        }
    }
    Objects {
        clusters: forms.cluster.form.iter().map(|spec| (view.name.clone(), spec.clone())).collect(),
        feeds: forms.feeds.iter().map(|(name, one)| (name.clone(), one.spec.clone())).collect(),
        streams: forms.streams.iter().map(|(name, one)| (name.clone(), one.spec.clone())).collect(),
        rooms: Vec::new(),
        secrets: secrets.into_values().collect(),
        restarts: Restarts { feeds: restarts(&forms.feeds), streams: restarts(&forms.streams) },
        broken: BTreeSet::new(),
    }
}

fn restarts<Spec>(all: &BTreeMap<String, One<Spec>>) -> BTreeMap<String, String> {
    all.iter().filter_map(|(name, one)| Some((name.clone(), one.restart.clone()?))).collect()
}

/// Whoever is at fault goes back to its last good form, and without one is left out. False if that changes nothing.
fn demote(view: &View, kept: &Kept<'_>, forms: &mut Forms, faults: &mut Faults, found: Vec<Found>) -> bool {
    let mut by_object: BTreeMap<(&'static str, String), Vec<Found>> = BTreeMap::new();
    for (fault, why) in found {
        by_object.entry((fault.kind, fault.name.clone())).or_default().push((fault, why));
    }
    let mut changed = false;
    for ((kind, name), found) in by_object {
        let why = found
            .iter()
            .find_map(|(_, why)| why.clone())
            .unwrap_or_else(|| faults::classify(view, forms, found.iter().map(|(fault, _)| fault)));
        match kind {
            "Feed" => {
                faults.feeds.entry(name.clone()).or_insert(why);
                changed |= forms.demote_feed(kept, &name);
            }
            "Stream" => {
                faults.streams.entry(name.clone()).or_insert(why);
                changed |= forms.demote_stream(kept, &name);
            }
            "Cluster" => {
                faults.cluster.get_or_insert(why);
                let fields: Vec<_> = found.into_iter().map(|(fault, _)| fault.field).collect();
                changed |= forms.demote_cluster(kept, &fields);
            }
            _ => {}
        }
    }
    changed
}

impl Form {
    /// Whether it is what people wrote.
    fn is_written(self) -> bool {
        self == Self::Written
    }
}
