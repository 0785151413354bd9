//! Fallbacks that go round.

use std::{collections::BTreeSet, ops::ControlFlow};

/// Follows the fallbacks of the Feed `start`, and gives `met` each ring that it meets, until that has enough.
///
/// `fallback` says which Feed comes at which place (from 0) among the fallbacks of another. Feeds in `done` were
/// followed to the end before; those that are now are added.
pub fn rings_from<'a, Found>(
    start: &'a str,
    fallback: impl Fn(&str, usize) -> Option<&'a str>,
    done: &mut BTreeSet<&'a str>,
    mut met: impl FnMut(Vec<&'a str>) -> ControlFlow<Found>,
) -> ControlFlow<Found> {
    // Depth first with its own stack, for chains may be long; `open` is what stands on it.
    let mut chain: Vec<(&str, usize)> = vec![(start, 0)];
    let mut open: BTreeSet<&str> = BTreeSet::from([start]);
    while let Some((name, next)) = chain.last_mut() {
        let below = fallback(name, *next);
        *next += 1;
        match below {
            None => {
                done.insert(name);
                open.remove(name);
                chain.pop();
            }
            Some(below) if done.contains(below) => {}
            Some(below) if open.insert(below) => chain.push((below, 0)),
            Some(below) => {
                met(chain.iter().map(|(name, _)| *name).skip_while(|name| *name != below).collect())?;
            }
        }
    }
    ControlFlow::Continue(())
}
