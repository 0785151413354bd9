//! How it ends: streams that close, runs that cannot be continued, pools that are dropped.

#[cfg(test)]
mod support;

use std::time::Duration;

use millrace_bus::{
    Container, End, GopCache, Join, Marks, Start,
    egress::{Egress, Left},
};
use support::{Encoder, PACKET, guest, packets, queue::Queue, seat, until};

#[test]
fn a_slow_viewer_gets_the_rest_after_the_close_and_then_leaves() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut slow = guest(&egress, &channel, Join::default());
    // More than its socket takes, less than makes it skip.
    for _ in 0..50 {
        encoder.publish(100);
    }
    channel.close();
    let (first, last, jumps) = packets(&slow.read_all()).expect("it got some");
    assert_eq!((first, last, jumps.len()), (0, encoder.packets() - 1, 0));
    assert_eq!(slow.seen.left(), Left::Ended(End::Closed));
}

#[test]
fn who_comes_after_the_close_gets_what_is_cached_and_leaves() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    encoder.publish(25);
    channel.close();
    let mut live = guest(&egress, &channel, Join::default());
    assert!(live.read_all().is_empty());
    assert_eq!(live.seen.left(), Left::Ended(End::Closed));
    let mut replay = guest(&egress, &channel, Join { header: true, start: Start::Last });
    assert_eq!(packets(&replay.read_all()), Some((20, 24, Vec::new())));
    assert_eq!(replay.seen.left(), Left::Ended(End::Closed));
}

#[test]
fn a_new_run_goes_on_where_the_container_allows_it() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut there = guest(&egress, &channel, Join::default());
    encoder.publish(15);
    there.read(15 * PACKET);
    encoder.publisher.end();
    // One run that ends before anybody knows what it is, as of a process that dies at once.
    encoder.publisher.begin(0, None);
    encoder.publisher.publish("ld.so: cannot".into(), Marks::default());
    encoder.publisher.end();
    encoder.begin(Container::MpegTs);
    encoder.publish(15);
    assert_eq!(packets(&there.read(15 * PACKET)), Some((15, 29, Vec::new())));
    assert!(there.seen.is_there());
    encoder.begin(Container::Adts);
    encoder.publish(1);
    assert!(there.read_all().is_empty());
    assert_eq!(there.seen.left(), Left::Ended(End::NewRun));
}

#[test]
fn a_run_of_what_cannot_be_continued_ends_its_viewers_and_takes_new_ones() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    encoder.begin(Container::Fmp4);
    let mut old = guest(&egress, &channel, Join::default());
    encoder.publish(3);
    assert_eq!(old.read(3 * PACKET).len(), 3 * PACKET);
    encoder.begin(Container::Fmp4);
    let mut new = guest(&egress, &channel, Join::default());
    encoder.publish(2);
    assert!(old.read_all().is_empty());
    assert_eq!(old.seen.left(), Left::Ended(End::NewRun));
    assert_eq!(packets(&new.read(2 * PACKET)), Some((3, 4, Vec::new())));
    assert!(new.seen.is_there());
}

#[test]
fn who_is_dismissed_leaves_with_everything_and_who_comes_then_stays() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut quick = guest(&egress, &channel, Join::default());
    let mut slow = guest(&egress, &channel, Join::default());
    for _ in 0..40 {
        encoder.publish(100);
        quick.read(100 * PACKET);
    }
    channel.dismiss();
    let mut late = guest(&egress, &channel, Join::default());
    assert!(quick.read_all().is_empty());
    assert_eq!(quick.seen.left(), Left::Ended(End::Closed));
    assert_eq!(packets(&slow.read_all()), Some((0, encoder.packets() - 1, Vec::new())));
    assert_eq!(slow.seen.left(), Left::Ended(End::Closed));
    encoder.publish(1);
    late.read(PACKET);
    assert!(late.seen.is_there());
}

#[test]
fn a_pool_that_is_dropped_lets_everybody_go() {
    let egress = Egress::start(2).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut guest = guest(&egress, &channel, Join::default());
    let queue = Queue::with_room(0);
    let queued = seat(&egress, &channel, Join::default(), Duration::ZERO, Box::new(queue.clone()));
    encoder.publish(1);
    drop(egress);
    assert_eq!((guest.seen.left(), queued.left()), (Left::Dismissed, Left::Dismissed));
    guest.read_all();
    assert_eq!(queue.state().closed, Some(false));
    assert_eq!(channel.viewers(), 0);
    encoder.publish(1);
    until("the lanes are gone", || format!("{channel:?}").contains("Relays(0)"));
}
