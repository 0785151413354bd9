//! Tasks that read a channel.

#[cfg(test)]
mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_bus::{Channel, End, GopCache, Join, Marks, Start, Subscriber};
use support::{Encoder, PACKET, packets};

async fn read_all(subscriber: &mut Subscriber) -> (Vec<u8>, End) {
    let mut read = Vec::new();
    loop {
        match subscriber.next().await {
            Ok(bytes) => read.extend_from_slice(&bytes),
            Err(end) => return (read, end),
        }
    }
}

#[tokio::test]
async fn a_reader_that_is_never_asked_holds_a_bounded_part_of_the_stream() {
    let (channel, mut encoder) = Encoder::start(1000, GopCache::default());
    let mut stuck = Subscriber::new(channel.join(Join::default()), false);
    encoder.publish(3);
    let first = stuck.next().await.unwrap();
    assert_eq!(first.len(), 3 * PACKET);
    // It waits, and then does something else for the next 40 MB.
    tokio::select! {
        biased;
        _ = stuck.next() => panic!("nothing was published"),
        () = std::future::ready(()) => {}
    }
    while encoder.packets() < 40_000_000 / PACKET as u64 {
        encoder.publish(348);
        assert!(encoder.held.bytes() < 18 << 20, "{} bytes are held", encoder.held.bytes());
    }
    assert!(stuck.skips() > 0);
    channel.close();
    let (rest, end) = read_all(&mut stuck).await;
    assert_eq!(end, End::Closed);
    let (first, last, jumps) = packets(&[&first[..], &rest].concat()).unwrap();
    assert_eq!((first, last, jumps.len()), (0, encoder.packets() - 1, 1));
}

#[tokio::test]
async fn one_that_starts_with_another_begins_where_that_one_does() {
    let (video, mut pictures) = Encoder::start(10, GopCache::default());
    let (audio, mut sound) = Encoder::start(1, GopCache::default());
    pictures.publish(5);
    let place = audio.join(Join { header: true, start: Start::Live });
    sound.publish(5);
    let waiting = tokio::spawn(async move { video.next_random_access().await });
    tokio::task::yield_now().await;
    sound.publish(5);
    // So that the clock tells the chunks apart.
    std::thread::sleep(Duration::from_millis(2));
    pictures.publish(20);
    sound.publish(7);
    let (joined, at) = waiting.await.unwrap();
    assert!(at <= Instant::now());
    let mut with = Subscriber::new(place, false);
    with.not_before(at);
    audio.close();
    let (read, _) = read_all(&mut with).await;
    assert_eq!(packets(&read), Some((10, 16, Vec::new())));
    let mut subscriber = Subscriber::new(joined, false);
    let bytes = subscriber.next().await.unwrap();
    assert!(packets(&bytes).is_some_and(|(first, ..)| first % 10 == 0));
}

#[tokio::test]
async fn until_looks_again_at_every_publish() {
    let channel = Channel::new("until", GopCache::Off);
    let mut publisher = channel.publisher().unwrap();
    publisher.begin(0, None);
    publisher.set_format(None);
    let watched = channel.clone();
    let watching =
        tokio::spawn(async move { watched.until(|c| (c.offset() >= 3).then(|| c.offset())).await });
    for _ in 0..3 {
        tokio::task::yield_now().await;
        publisher.publish(Bytes::from_static(b"x"), Marks::default());
    }
    assert_eq!(watching.await.unwrap(), 3);
    assert!(format!("{channel:?}").contains("Relays(0)"));
}

#[tokio::test]
async fn dismissed_readers_finish_what_there_is() {
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut subscriber = Subscriber::new(channel.join(Join::default()), false);
    encoder.publish(30);
    channel.dismiss();
    let mut later = Subscriber::new(channel.join(Join { header: false, start: Start::Last }), false);
    let (read, end) = read_all(&mut subscriber).await;
    assert_eq!((read.len(), end), (30 * PACKET, End::Closed));
    assert_eq!(later.next().await.unwrap().len(), 10 * PACKET);
}
