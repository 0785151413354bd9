use serde::Serialize;

use crate::{
    kinds::{Keep, Moderation, Retransmit, RoomSpec, RoomStore, Toggle},
    shared::{ClusterRef, StreamRef},
};

/// A Room in final form.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalRoom {
    /// Its name: at most 40 of a-z, 0-9 and `-`.
    pub name: String,
    /// What clients call it.
    pub id: String,
    /// The Stream that it stands beside.
    pub stream: Option<String>,
    /// Where messages are kept; `None`: embedded.
    pub store: Option<RoomStore>,
    /// How much is kept for those who join later.
    pub keep: Keep,
    /// How a message that was not acknowledged is sent again.
    pub retransmit: Retransmit,
    /// Whether there are text messages.
    pub chat: bool,
    /// Whether there are polls.
    pub polls: bool,
    /// What members may say, and how often.
    pub moderation: Moderation,
}

impl FinalRoom {
    pub(crate) fn from_spec(name: &str, spec: &RoomSpec) -> Self {
        Self {
            name: name.to_owned(),
            id: spec.id.clone().unwrap_or_else(|| name.to_owned()),
            stream: spec.stream_ref.as_ref().map(|stream| stream.name.clone()),
            store: spec.store.clone(),
            keep: spec.keep.clone(),
            retransmit: spec.retransmit.clone(),
            chat: spec.chat.enabled,
            polls: spec.polls.enabled,
            moderation: spec.moderation.clone(),
        }
    }

    pub(crate) fn to_spec(&self, cluster: &str) -> RoomSpec {
        RoomSpec {
            cluster_ref: ClusterRef { name: cluster.to_owned() },
            id: Some(self.id.clone()),
            stream_ref: self.stream.clone().map(|name| StreamRef { name }),
            store: self.store.clone(),
            keep: self.keep.clone(),
            retransmit: self.retransmit.clone(),
            chat: Toggle { enabled: self.chat },
            polls: Toggle { enabled: self.polls },
            moderation: self.moderation.clone(),
        }
    }
}
