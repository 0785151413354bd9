//! Several feeds into one command: where each begins.

use std::{sync::Arc, time::Duration};

use millrace_bus::{Channel, Join, Joined, Start, Subscriber};
use tokio::time::timeout;

/// Video that has shown no random access point after this long marks none: any unit has to do.
const UNMARKED: Duration = Duration::from_secs(12);

/// Places on all `channels` that were published at one time, so that what a command muxes belongs together.
///
/// Video begins at its next random access point; everything else (sound, or bytes of no known container) at its first
/// unit that came no earlier than that. One channel alone begins at the newest random access point, if it has such a thing.
pub async fn start_together(channels: &[Arc<Channel>]) -> Vec<Subscriber> {
    if let [channel] = channels {
        return vec![Subscriber::new(alone(channel).await, true)];
    }
    // Places are taken before anything is waited for, so that nothing is missed meanwhile. As subscribers they may be
    // skipped forward, so that a feed that never comes does not keep all of another's bytes.
    let live = Join { header: true, start: Start::Live };
    let mut subscribers: Vec<Subscriber> =
        channels.iter().map(|channel| Subscriber::new(channel.join(live), true)).collect();
    let mut videos = Vec::new();
    for (index, channel) in channels.iter().enumerate() {
        let probe = channel.join(live);
        let format = channel.until(|_| probe.format()).await;
        if format.is_some_and(|format| !format.audio_only()) {
            videos.push(index);
        }
    }
    let mut begin = None;
    for &index in &videos {
        if let (Some(channel), Some(place)) = (channels.get(index), subscribers.get_mut(index))
            && let Ok((joined, at)) = timeout(UNMARKED, channel.next_random_access()).await
        {
            *place = Subscriber::new(joined, true);
            begin = begin.max(Some(at));
        }
    }
    if let Some(begin) = begin {
        for subscriber in &mut subscribers {
            subscriber.not_before(begin);
        }
    }
    subscribers
}

/// A place on `channel` at the newest random access point, or, where there is none yet, at the next one; at the live edge of
/// what has no such thing.
pub async fn alone(channel: &Arc<Channel>) -> Joined {
    let at_newest = || channel.join(Join { header: true, start: Start::Last });
    if channel.random_access_age().is_some() {
        return at_newest();
    }
    let at_edge = || channel.join(Join { header: true, start: Start::Live });
    let place = at_edge();
    let format = channel.until(|_| place.format()).await;
    if format.is_none_or(|format| format.audio_only()) {
        return place;
    }
    if channel.random_access_age().is_some() {
        return at_newest();
    }
    match timeout(UNMARKED, channel.next_random_access()).await {
        Ok((joined, _)) => joined,
        Err(_) => at_edge(),
    }
}
