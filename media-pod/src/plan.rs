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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use millrace_bus::GopCache;
    use millrace_exec::Spec;
    use proptest::{collection::btree_map, prelude::*};

    use super::*;
    use crate::{
        feed::{Activation, FeedSpec, Source},
        intake::Expected,
        runners::Command,
    };

    fn command(argv: [&str; 2]) -> Box<Command> {
        Box::new(Command { spec: Spec::new(argv), image: None })
    }

    fn feed(name: &str, variant: u8) -> Arc<FeedSpec> {
        Arc::new(FeedSpec {
            name: name.to_owned(),
            restart: None,
            source: Source::Command(command(["camera", &variant.to_string()])),
            description: String::new(),
            activation: Activation::Continuous,
            resurrect: true,
            silence: Duration::ZERO,
            fallback: Vec::new(),
            container: Expected::Any,
        })
    }

    type Shape = (u8, u8, Option<u8>, u8);

    fn stream(name: &str, (path, feed, argv, flush): Shape) -> Arc<StreamSpec> {
        Arc::new(StreamSpec {
            name: name.to_owned(),
            restart: None,
            path: format!("/{name}/{path}"),
            feeds: vec![format!("f{feed}")],
            command: argv.map(|variant| command(["encoder", &variant.to_string()])),
            description: None,
            container: Expected::Any,
            flush: Duration::from_millis(flush.into()),
            resurrect: true,
            silence: Duration::ZERO,
            gop_cache: GopCache::default(),
            snapshot: None,
        })
    }

    fn specs(feeds: &BTreeMap<u8, u8>, streams: &BTreeMap<u8, Shape>) -> Specs {
        let named = |prefix: &str, index: &u8| format!("{prefix}{index}");
        Specs {
            feeds: feeds.iter().map(|(i, v)| (named("f", i), feed(&named("f", i), *v))).collect(),
            streams: streams.iter().map(|(i, s)| (named("s", i), stream(&named("s", i), *s))).collect(),
        }
    }

    fn shape() -> impl Strategy<Value = Shape> {
        (0..2_u8, 0..3_u8, proptest::option::of(0..2_u8), 0..2_u8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_plan_names_what_differs_and_nothing_else(
            feeds in [btree_map(0..6_u8, 0..3_u8, 0..6), btree_map(0..6_u8, 0..3_u8, 0..6)],
            streams in [btree_map(0..6_u8, shape(), 0..6), btree_map(0..6_u8, shape(), 0..6)],
        ) {
            let (old, new) = (specs(&feeds[0], &streams[0]), specs(&feeds[1], &streams[1]));
            let plan = Plan::between(&old, &new);
            for index in 0..6_u8 {
                let named = plan.feeds.get(&format!("f{index}")).copied();
                let expected = match (feeds[0].get(&index), feeds[1].get(&index)) {
                    (None, None) => None,
                    (None, Some(_)) => Some(Change::Add),
                    (Some(_), None) => Some(Change::Remove),
                    (Some(old), Some(new)) => (old != new).then_some(Change::Adjust),
                };
                prop_assert_eq!(named, expected);
                let named = plan.streams.get(&format!("s{index}")).copied();
                let expected = match (streams[0].get(&index), streams[1].get(&index)) {
                    (None, None) => None,
                    (None, Some(_)) => Some(Change::Add),
                    (Some(_), None) => Some(Change::Remove),
                    (Some(old), Some(new)) if old == new => None,
                    // Viewers stay at the same path, on a command's output or on the same feed's bytes.
                    (Some((path, _, Some(_), _)), Some((now, _, Some(_), _))) if path == now => Some(Change::Adjust),
                    (Some((path, feed, None, _)), Some((now, it, None, _))) if (path, feed) == (now, it) => {
                        Some(Change::Adjust)
                    }
                    _ => Some(Change::Replace),
                };
                prop_assert_eq!(named, expected);
            }
            // Nobody else is named, and who applies it twice changes nothing more.
            prop_assert!(plan.feeds.len() <= 6 && plan.streams.len() <= 6);
            prop_assert_eq!(Plan::between(&new, &new), Plan::default());
        }
    }
}
