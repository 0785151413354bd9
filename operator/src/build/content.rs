//! What a slot's media pod runs: its part of the final form, as YAML.

use std::collections::{BTreeMap, BTreeSet};

use millrace_crds::{FinalFeed, FinalSource, Resolved, shared::Activation};
use millrace_report::message::Configuration;

use crate::{kept, kept::Placement, resolve::secrets};

/// The most bytes of a `ConfigMap`'s data, and of a Secret's, less what else is in them.
pub(super) const LARGEST: usize = (1 << 20) - 4096;

/// What a slot runs.
#[derive(Clone)]
pub struct Content {
    /// The final form of what is in it.
    pub part: Resolved,
    /// As it is pushed and kept.
    pub configuration: Configuration,
    /// Names of those that could not be taken in, because it would be too large.
    pub too_large: bool,
}

/// The part of the final form that is a slot's; without Secrets.
pub fn part(resolved: &Resolved, placement: &Placement) -> Resolved {
    let mut feeds: BTreeMap<String, FinalFeed> = BTreeMap::new();
    let mut elsewhere: BTreeSet<&String> = BTreeSet::new();
    for feed in placement.feeds.keys().filter_map(|name| resolved.feeds.get(name)) {
        elsewhere.extend(&feed.fallback);
        feeds.insert(feed.name.clone(), feed.clone());
    }
    let streams: BTreeMap<_, _> = placement
        .streams
        .keys()
        .filter_map(|name| resolved.streams.get(name))
        .map(|stream| (stream.name.clone(), stream.clone()))
        .collect();
    elsewhere.extend(
        streams.keys().filter_map(|name| resolved.streams.get(name)).flat_map(|stream| &stream.feeds),
    );
    for name in elsewhere {
        if let Some(feed) = resolved.feeds.get(name) {
            feeds.entry(name.clone()).or_insert_with(|| from_elsewhere(feed));
        }
    }
    Resolved {
        cluster: resolved.cluster.clone(),
        feeds,
        streams,
        rooms: BTreeMap::new(),
        secrets: BTreeMap::new(),
    }
}

/// A Feed of another media pod: this one fetches it from there while it needs it.
fn from_elsewhere(feed: &FinalFeed) -> FinalFeed {
    FinalFeed {
        name: feed.name.clone(),
        restart: None,
        source: FinalSource::Pull {
            url: Some(format!("millrace://feeds/{}", feed.name)),
            url_from: None,
            credentials: None,
        },
        fallback: Vec::new(),
        activation: Activation::OnDemand,
        resurrect: true,
        silence: feed.silence,
        image: None,
        env: Vec::new(),
        memory_per_process: None,
        resources: None,
        standby: false,
    }
}

/// The part with its Secrets, and its revision: one more than before when anything changed.
pub fn content(
    resolved: &Resolved,
    placement: &Placement,
    before: Option<&kept::Slot<'_>>,
    reported: u64,
) -> Content {
    let part = part(resolved, placement);
    let yaml = millrace_crds::to_yaml(&part);
    let names = secrets::named_by(&part);
    let secrets = millrace_crds::secrets_to_yaml(names.iter().filter_map(|name| resolved.secrets.get(name)));
    let kept = |yaml: &str, secrets: &str, revision| Configuration {
        revision,
        yaml: yaml.to_owned(),
        secrets: secrets.to_owned(),
        template: String::new(),
    };
    let Some(before) = before.filter(|it| it.config_map.is_some() || it.secret.is_some()) else {
        let too_large = yaml.len() > LARGEST || secrets.len() > LARGEST;
        return Content { part, configuration: kept(&yaml, &secrets, reported + 1), too_large };
    };
    let last = u64::max(before.revision(), reported);
    let complete = before.config_map.is_some() && before.secret.is_some();
    if complete && before.yaml() == yaml && before.secrets() == secrets {
        return Content { part, configuration: kept(&yaml, &secrets, before.revision()), too_large: false };
    }
    if yaml.len() > LARGEST || secrets.len() > LARGEST {
        let configuration = kept(before.yaml(), before.secrets(), before.revision());
        return Content { part, configuration, too_large: true };
    }
    Content { part, configuration: kept(&yaml, &secrets, last + 1), too_large: false }
}
