//! Everything that the operator is told, gathered from what runs.

use std::{fmt::Write as _, sync::atomic::Ordering};

use millrace_report::message::{Beat, Refused};

use super::{Part, doing::doing};
use crate::{
    config::{self, Reports},
    pod::Pod,
};

/// The most that is told of what is wrong with a configuration, in bytes.
const MOST: usize = 16 << 10;

/// As of now.
pub(super) fn beat(pod: &Pod, reports: &Reports, part: &Part) -> Beat {
    let shop = pod.shop();
    let (feeds, streams) = (shop.feeds.load(), shop.streams.load());
    let own: usize = streams.values().map(|stream| stream.viewers.load(Ordering::Relaxed)).sum();
    let viewers = own + shop.edge.get().map_or(0, |edge| edge.viewers());
    let (holdings, over) = part.links.as_ref().map(|links| links.told()).unwrap_or_default();
    Beat {
        revision: reports.number(),
        refused: reports.last_error().and_then(|refused| {
            let config::Refused { number, diagnostics, .. } = refused;
            Some(self::refused(number?, &diagnostics))
        }),
        directory: shop.directory.load().revision,
        within: 0,
        sent: 0,
        holdings,
        over,
        balancer: part.balancer.as_ref().map(|balancer| balancer.balancing()),
        viewers: u32::try_from(viewers).unwrap_or(u32::MAX),
        draining: shop.is_draining(),
        feeds: Some(
            feeds
                .iter()
                .map(|(name, feed)| (name.clone(), doing(feed.conditions.get(), feed.channel.gop_too_long())))
                .collect(),
        ),
        streams: Some(
            streams
                .iter()
                .map(|(name, stream)| {
                    let mut condition = stream.doing().get();
                    if stream.passes_through() {
                        // Those are its feed's.
                        (condition.last_exit, condition.restarts) = (None, 0);
                    }
                    (name.clone(), doing(condition, stream.channel.gop_too_long()))
                })
                .collect(),
        ),
    }
}

/// That the configuration of this revision is not taken.
pub(super) fn refused(revision: u64, diagnostics: &[String]) -> Refused {
    let mut reason = String::new();
    for (told, line) in diagnostics.iter().enumerate() {
        if reason.len() + line.len() > MOST {
            // Writing to a String cannot fail.
            let _ = writeln!(reason, "and {} more", diagnostics.len() - told);
            break;
        }
        reason += line;
        reason.push('\n');
    }
    reason.truncate(reason.trim_end().len());
    Refused { revision, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_mistakes_are_told_in_short() {
        let many: Vec<_> = (0..1000).map(|line| format!("f.yaml:{line}: {}", "wrong ".repeat(20))).collect();
        let told = refused(3, &many).reason;
        assert!(told.len() <= MOST + 30 && told.starts_with("f.yaml:0: wrong"), "{}", told.len());
        assert!(told.lines().last().unwrap().ends_with(" more"), "{told}");
        assert_eq!(refused(3, &many[..2]).reason.lines().count(), 2);
    }
}
