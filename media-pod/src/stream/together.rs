//! Several feeds into one command: where each begins.

use std::sync::Arc;

use millrace_bus::{Channel, Join, Joined, Start, Subscriber};

/// Places on all `channels` that were published at one time, so that what a command muxes belongs together.
///
/// Video begins at its next random access point; everything else (sound, or bytes of no known container) at its first
/// unit that came no earlier than that. One channel alone begins at the newest random access point.
pub async fn start_together(channels: &[Arc<Channel>]) -> Vec<Subscriber> {
    if let [channel] = channels {
        let joined = channel.join(Join { header: true, start: Start::Last });
        return vec![Subscriber::new(joined, true)];
    }
    // Places are taken before anything is waited for, so that nothing is missed meanwhile.
    let mut places: Vec<Joined> =
        channels.iter().map(|channel| channel.join(Join { header: true, start: Start::Live })).collect();
    let mut videos = Vec::new();
    for (index, channel) in channels.iter().enumerate() {
        let format = channel.until(|_| places.get(index).and_then(Joined::format)).await;
        if format.is_some_and(|format| !format.audio_only()) {
            videos.push(index);
        }
    }
    let mut begin = None;
    for &index in &videos {
        if let (Some(channel), Some(place)) = (channels.get(index), places.get_mut(index)) {
            let (joined, at) = channel.next_random_access().await;
            *place = joined;
            begin = begin.max(Some(at));
        }
    }
    let mut subscribers: Vec<Subscriber> =
        places.into_iter().map(|place| Subscriber::new(place, true)).collect();
    if let Some(begin) = begin {
        for subscriber in &mut subscribers {
            subscriber.not_before(begin);
        }
    }
    subscribers
}
