//! What a new configuration changes of what runs. Pure: nothing that is the same is named.

use std::{collections::BTreeMap, sync::Arc};

use crate::{specs::Specs, stream::StreamSpec};

/// What becomes of one feed or stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Add,
    /// It is something else from now on; its viewers stay.
    Adjust,
    /// It is another one under the same name; its viewers are let go.
    Replace,
    /// It is no more.
    Remove,
}

/// All changes, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Of feeds.
    pub feeds: BTreeMap<String, Change>,
    /// Of streams.
    pub streams: BTreeMap<String, Change>,
}

impl Plan {
    /// From `old` to `new`.
    pub fn between(old: &Specs, new: &Specs) -> Self {
        Self {
            feeds: compare(&old.feeds, &new.feeds, |_, _| Change::Adjust),
            streams: compare(&old.streams, &new.streams, |old, new| {
                if keeps_viewers(old, new) { Change::Adjust } else { Change::Replace }
            }),
        }
    }
}

/// Whether who watches `old` can watch `new` on the same connection.
fn keeps_viewers(old: &StreamSpec, new: &StreamSpec) -> bool {
    old.path == new.path
        && match (&old.command, &new.command) {
            (Some(_), Some(_)) => old.container == new.container,
            (None, None) => old.feeds == new.feeds,
            _ => false,
        }
}

fn compare<T: PartialEq>(
    old: &BTreeMap<String, Arc<T>>,
    new: &BTreeMap<String, Arc<T>>,
    how: impl Fn(&T, &T) -> Change,
) -> BTreeMap<String, Change> {
    let removed =
        old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Change::Remove));
    let others = new.iter().filter_map(|(name, new)| {
        let change = match old.get(name) {
            None => Change::Add,
            Some(old) if old == new => return None,
            Some(old) => how(old, new),
        };
        Some((name.clone(), change))
    });
    removed.chain(others).collect()
}
