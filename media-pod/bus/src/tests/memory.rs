//! What is held, and for how long.

use std::sync::Arc;

use bytes::Bytes;

use super::script::format;
use crate::{Channel, Container, GopCache, Join, Marks, Start, Units};

#[test]
fn a_chain_of_a_million_chunks_is_dropped_without_recursion() {
    let channel = Channel::new("long", GopCache::Off);
    let mut publisher = channel.publisher().expect("the first");
    publisher.begin(0, None);
    publisher.set_format(None);
    let place = channel.join(Join::default());
    let first = Arc::downgrade(&channel.tail());
    for _ in 0..1_000_000 {
        publisher.publish(Bytes::from_static(b"x"), Marks::default());
    }
    let last = Arc::downgrade(&channel.tail());
    assert!(first.upgrade().is_some(), "whoever has a place holds what comes after it");
    std::thread::Builder::new().stack_size(64 << 10).spawn(move || drop(place)).unwrap().join().unwrap();
    assert!(first.upgrade().is_none() && last.upgrade().is_some());
}

#[test]
fn without_readers_only_the_gop_and_the_unit_in_progress_are_held() {
    let channel = Channel::new("alone", GopCache::Bytes(3000));
    let mut publisher = channel.publisher().expect("the first");
    publisher.begin(0, Some(format(Container::MpegTs)));
    let mut nodes = Vec::new();
    for number in 0..100_u64 {
        let at = number * 100;
        let units = Units::At([at].into_iter().collect());
        let random_access = (number % 10 == 0).then_some(at).into_iter().collect();
        publisher.publish(vec![0; 100].into(), Marks { units, random_access, frames: 1 });
        nodes.push(Arc::downgrade(&channel.tail()));
        let alive = nodes.iter().filter(|node| node.strong_count() > 0).count();
        assert_eq!(alive as u64, number % 10 + 1);
    }
    drop(publisher);
    assert_eq!(nodes.iter().filter(|node| node.strong_count() > 0).count(), 1);
}

#[test]
fn a_reader_that_looks_for_its_first_unit_in_vain_holds_little() {
    let channel = Channel::new("no units", GopCache::Off);
    let mut publisher = channel.publisher().expect("the first");
    publisher.begin(0, Some(format(Container::MpegTs)));
    let mut looking = channel.join(Join::default()).follower;
    // One that is never asked, as its socket has no room.
    let mut stuck = channel.join(Join::default()).follower;
    let mut parts = crate::follow::Parts::new();
    let chunk = Bytes::from(vec![0; 64 << 10]);
    let mut nodes = Vec::new();
    for _ in 0..1000 {
        publisher.publish(chunk.clone(), Marks::default());
        nodes.push(Arc::downgrade(&channel.tail()));
        looking.pending(&channel, u64::MAX, 1, &mut parts);
        stuck.skip_if_late(&channel, &channel.edge(), 1 << 20);
        assert!(parts.is_empty());
        let edge = channel.offset();
        assert!(edge - looking.holds_from().expect("it looks") <= 256 << 10);
        assert!(edge - stuck.holds_from().expect("it looks") <= 9 << 20);
    }
    drop((looking, stuck));
    // The publisher's own: a unit that may have begun is looked back at for 16 MiB at most.
    let alive = nodes.iter().filter(|node| node.strong_count() > 0).count();
    assert!(alive <= 257, "{alive} chunks");
}

#[test]
fn a_reader_that_is_stuck_in_a_unit_without_end_lets_go() {
    let channel = Channel::new("endless", GopCache::default());
    let mut publisher = channel.publisher().expect("the first");
    publisher.begin(0, Some(format(Container::MpegTs)));
    let mut reader = channel.join(Join { header: false, start: Start::Next }).follower;
    let mut parts = crate::follow::Parts::new();
    let chunk = Bytes::from(vec![0; 1 << 20]);
    let units = Units::At([0].into_iter().collect());
    let marks = Marks { units, random_access: [0].into_iter().collect(), frames: 1 };
    publisher.publish(chunk.clone(), marks);
    reader.pending(&channel, u64::MAX, 1, &mut parts);
    reader.advance(10);
    let mut furthest = 0;
    for _ in 0..100 {
        publisher.publish(chunk.clone(), Marks::default());
        reader.skip_if_late(&channel, &channel.edge(), 2 << 20);
        furthest = furthest.max(reader.holds_from().map_or(0, |from| channel.offset() - from));
    }
    assert_eq!(reader.holds_from(), None);
    assert!(furthest <= 33 << 20, "{furthest} bytes");
    assert_eq!(channel.skips(), 1);
}
