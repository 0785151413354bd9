//! Several feeds into one command: where each begins.

use std::{sync::Arc, time::Duration};

use millrace_bus::{Channel, Join, Joined, Start, Subscriber};
use tokio::time::{sleep, timeout};

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
    tokio::select! {
        biased;
        (joined, _) = channel.next_random_access() => joined,
        // All of the run came before anybody looked: it is in the place that was taken before it.
        () = channel.until(|channel| (!channel.is_live()).then_some(())) => place,
        () = sleep(UNMARKED) => at_edge(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::poll;
    use millrace_bus::{Container, Format, GopCache, Marks, Publisher, Units};

    use super::*;

    /// A packet of 188 bytes, each of them `fill`, as the first of its run.
    fn publish(publisher: &mut Publisher, fill: u8, begins_picture: bool) {
        let format =
            Format { container: Container::MpegTs, content_type: "video/mp2t".into(), tracks: Arc::new([]) };
        publisher.begin(0, Some(Arc::new(format)));
        publisher.set_header(Arc::default());
        let units = Units::Every { first: 0, stride: 188, last: 0 };
        let random_access = begins_picture.then_some(0).into_iter().collect();
        publisher.publish(Bytes::from(vec![fill; 188]), Marks { units, random_access, frames: 1 });
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_a_run_that_is_over_before_it_looks() {
        let channel = Channel::new("c", GopCache::default());
        let mut publisher = channel.publisher().unwrap();
        let mut waiting = Box::pin(alone(&channel));
        assert!(poll!(&mut waiting).is_pending());
        publish(&mut publisher, 1, true);
        publisher.end();
        assert_eq!(waiting.await.available().concat(), [1; 188]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_picture_in_a_run_that_ends_without_one_goes_on_then() {
        let channel = Channel::new("c", GopCache::default());
        let mut publisher = channel.publisher().unwrap();
        let mut waiting = Box::pin(alone(&channel));
        assert!(poll!(&mut waiting).is_pending());
        publish(&mut publisher, 1, false);
        assert!(poll!(&mut waiting).is_pending());
        publisher.end();
        let mut reader = Subscriber::new(waiting.await, false);
        publish(&mut publisher, 2, true);
        assert_eq!(reader.next().await.unwrap()[..], [1; 188]);
        assert_eq!(reader.next().await.unwrap()[..], [2; 188]);
    }
}
