//! A publisher faster than real time goes at the pace of its readers, and never waits for ever.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::script::format;
use crate::{Channel, Container, End, GopCache, Join, Marks, Publisher, Start, Subscriber, Units};

const WINDOW: u64 = 1000;

fn file() -> (Arc<Channel>, Publisher) {
    let channel = Channel::new("file", GopCache::Off);
    let mut publisher = channel.publisher().expect("the first");
    publisher.begin(0, Some(format(Container::Adts)));
    (channel, publisher)
}

fn publish(publisher: &mut Publisher, point: bool) {
    let at = publisher.channel().offset();
    let units = Units::At([at].into_iter().collect());
    let marks = Marks { units, random_access: point.then_some(at).into_iter().collect(), frames: 1 };
    publisher.publish(Bytes::from_static(&[0; 100]), marks);
}

fn poll(subscriber: &mut Subscriber) -> Poll<Result<Bytes, End>> {
    subscriber.poll_next(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn nobody_who_reads_is_not_the_same_as_no_room() {
    let (channel, mut publisher) = file();
    assert_eq!(channel.has_room(WINDOW), None);
    let mut reader = Subscriber::new(channel.join(Join::default()), true);
    let free = Subscriber::new(channel.join(Join::default()), false);
    for _ in 0..10 {
        assert_eq!(channel.has_room(WINDOW), Some(true));
        publish(&mut publisher, false);
    }
    assert_eq!(channel.has_room(WINDOW), Some(false));
    assert!(poll(&mut reader).is_ready());
    assert_eq!(channel.has_room(WINDOW), Some(true));
    drop(reader);
    assert_eq!(channel.has_room(WINDOW), None);
    drop(free);
}

#[test]
fn who_waits_for_a_random_access_point_lets_the_publisher_go_on_to_it() {
    let (channel, mut publisher) = file();
    let mut reader = Subscriber::new(channel.join(Join { header: false, start: Start::Next }), true);
    for _ in 0..50 {
        assert!(poll(&mut reader).is_pending());
        assert_eq!(channel.has_room(WINDOW), Some(true));
        publish(&mut publisher, false);
    }
    publish(&mut publisher, true);
    assert!(poll(&mut reader).is_ready());
}

#[test]
fn a_publisher_that_paused_for_long_finds_its_readers_where_it_left_them() {
    let (channel, mut publisher) = file();
    let mut waiting = Subscriber::new(channel.join(Join::default()), true);
    let stuck = Subscriber::new(channel.join(Join::default()), true);
    publish(&mut publisher, false);
    assert!(poll(&mut waiting).is_ready());
    // Both have not moved for long: one because there is nothing to read, the other because it does not read.
    channel.demand.forget_motion();
    assert_eq!(channel.has_room(WINDOW), Some(true));
    for _ in 0..20 {
        publish(&mut publisher, false);
        while poll(&mut waiting).is_ready() {}
    }
    assert_eq!(channel.has_room(WINDOW), Some(true), "who stands still holds nobody back");
    drop(waiting);
    assert_eq!(channel.has_room(WINDOW), None);
    drop(stuck);
}
