//! The final form: what is left when templates, sets and arguments are resolved, as if the user had copied and
//! pasted everything. Nothing that runs knows that templates exist.

mod cluster;
mod feed;
mod print;
mod room;
mod secret;
mod stream;

use std::collections::BTreeMap;

pub use cluster::{FinalAccess, FinalCluster, FinalListener};
pub use feed::{FinalFeed, FinalSource};
pub use print::{secrets_to_yaml, to_yaml};
pub use room::FinalRoom;
pub use secret::FinalSecret;
use serde::Serialize;
pub use stream::{FinalStream, GopCache};

use crate::shared::{BasicAccess, EnvVar, Grant, SecretKeyRef};

/// Everything that one media pod runs, in final form.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// The Cluster; the defaults when the file has none.
    pub cluster: FinalCluster,
    /// The Feeds, by name.
    pub feeds: BTreeMap<String, FinalFeed>,
    /// The Streams, by name. No two have one path.
    pub streams: BTreeMap<String, FinalStream>,
    /// The Rooms, by name.
    pub rooms: BTreeMap<String, FinalRoom>,
    /// The Secrets, by name.
    pub secrets: BTreeMap<String, FinalSecret>,
}

impl Resolved {
    /// The value of one key of a Secret.
    pub fn secret(&self, reference: &SecretKeyRef) -> Option<&[u8]> {
        self.secrets.get(&reference.name)?.data.get(&reference.key).map(Vec::as_slice)
    }

    /// The user name and password that a basic grant asks for.
    pub fn basic(&self, access: &BasicAccess) -> Option<(&str, &str)> {
        self.secrets.get(&access.secret_ref.name)?.user_and_password()
    }

    /// The environment of a command, with the values that come from Secrets filled in. A value that is no UTF-8
    /// cannot be in one and is left out; reading the file already refused it.
    pub fn environment(&self, variables: &[EnvVar]) -> Vec<(String, String)> {
        let value = |variable: &EnvVar| match &variable.value_from {
            Some(from) => String::from_utf8(self.secret(&from.secret_key_ref)?.to_vec()).ok(),
            None => Some(variable.value.clone().unwrap_or_default()),
        };
        variables.iter().filter_map(|variable| Some((variable.name.clone(), value(variable)?))).collect()
    }

    /// Who may watch a stream: what it says itself, else what the Cluster says.
    pub fn play_grant<'a>(&'a self, stream: &'a FinalStream) -> &'a Grant {
        stream.access.as_ref().and_then(|access| access.play.as_ref()).unwrap_or(&self.cluster.access.play)
    }

    /// Who may send to a Feed that waits for a publisher: what it says itself, or took from a Stream, else what the Cluster
    /// says.
    pub fn publish_grant<'a>(&'a self, feed: &'a FinalFeed) -> &'a Grant {
        match &feed.source {
            FinalSource::Publish { access: Some(grant), .. } => grant,
            _ => &self.cluster.access.publish,
        }
    }

    /// The Streams that use a Feed, by itself or as a fallback of one they use, in the order of their names.
    pub fn streams_of<'a>(&'a self, feed: &'a str) -> impl Iterator<Item = &'a FinalStream> {
        self.streams.values().filter(move |stream| {
            stream.feeds.iter().any(|name| {
                name == feed
                    || self.feeds.get(name).is_some_and(|it| it.fallback.iter().any(|other| other == feed))
            })
        })
    }
}
