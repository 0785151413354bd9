//! Random access points and the GOP cache.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::script::format;
use crate::{
    Channel, Container, GopCache, Header, Join, Marks, Publisher, Start, Units,
    follow::{Follower, Parts},
};

fn start(cache: GopCache) -> (Arc<Channel>, Publisher) {
    let channel = Channel::new("gop", cache);
    let mut publisher = channel.publisher().expect("the first");
    publisher.begin(0, Some(format(Container::MpegTs)));
    publisher.set_header(Arc::new(Header { bytes: "head".into(), splice: "then".into() }));
    (channel, publisher)
}

fn publish(publisher: &mut Publisher, bytes: &'static str, units: &[u64], points: &[u64]) {
    let marks =
        Marks { units: Units::At(units.into()), random_access: points.into(), frames: units.len() as u32 };
    publisher.publish(Bytes::from_static(bytes.as_bytes()), marks);
}

fn last() -> Join {
    Join { header: true, start: Start::Last }
}

fn read(channel: &Channel, follower: &mut Follower) -> String {
    let (mut read, mut parts) = (Vec::new(), Parts::new());
    loop {
        follower.pending(channel, u64::MAX, 1 << 20, &mut parts);
        if parts.is_empty() {
            return String::from_utf8(read).expect("it was text");
        }
        let all = parts.concat();
        follower.advance(all.len());
        read.extend(all);
    }
}

fn joined(channel: &Arc<Channel>, join: Join) -> String {
    read(channel, &mut channel.join(join).follower)
}

#[test]
fn there_is_one_publisher_at_a_time() {
    let (channel, publisher) = start(GopCache::Off);
    assert!(channel.publisher().is_none());
    drop(publisher);
    assert!(channel.publisher().is_some());
}

#[test]
fn a_point_that_is_told_late_lies_in_an_earlier_chunk() {
    let (channel, mut publisher) = start(GopCache::default());
    publish(&mut publisher, "..AAA", &[2], &[]);
    publish(&mut publisher, "aaa", &[], &[]);
    assert_eq!(channel.random_access_age(), None);
    publish(&mut publisher, "aBB", &[9], &[2]);
    assert_eq!(joined(&channel, last()), "headAAAaaaaBB");
    assert_eq!(channel.cached_bytes(), 9);
    assert!(channel.random_access_age().is_some());
    // Two at once: the newest counts.
    publish(&mut publisher, "bC", &[12], &[9, 12]);
    assert_eq!(joined(&channel, last()), "headC");
    assert_eq!(channel.qos().random_access_points, 3);
    assert_eq!(channel.qos().gop_bytes, 3);
}

#[test]
fn a_point_before_the_unit_in_progress_or_nowhere_at_all_is_ignored() {
    let (channel, mut publisher) = start(GopCache::default());
    publish(&mut publisher, "AAA", &[0], &[]);
    publish(&mut publisher, "BBB", &[3], &[]);
    publish(&mut publisher, "CCC", &[6], &[0, 1000]);
    assert_eq!(channel.random_access_age(), None);
    assert_eq!(joined(&channel, last()), "");
}

#[test]
fn a_gop_that_is_too_large_is_let_go_and_said_to_be() {
    let (channel, mut publisher) = start(GopCache::Bytes(6));
    publish(&mut publisher, "AAA", &[0], &[0]);
    publish(&mut publisher, "BBB", &[3], &[]);
    assert_eq!((joined(&channel, last()).as_str(), channel.gop_too_long()), ("headAAABBB", false));
    publish(&mut publisher, "C", &[6], &[]);
    assert_eq!((joined(&channel, last()).as_str(), channel.gop_too_long()), ("", true));
    assert_eq!((channel.cached_bytes(), channel.random_access_age()), (0, None));
    publish(&mut publisher, "D", &[7], &[7]);
    assert_eq!((joined(&channel, last()).as_str(), channel.gop_too_long()), ("headD", false));
    // The bound may change meanwhile.
    channel.set_gop_cache(GopCache::Bytes(1));
    publish(&mut publisher, "E", &[8], &[]);
    assert!(channel.gop_too_long());
    publisher.end();
    assert!(!channel.gop_too_long());
}

#[test]
fn frames_are_counted_from_the_point_on() {
    let (channel, mut publisher) = start(GopCache::Frames(2));
    publish(&mut publisher, "AAA", &[0], &[0]);
    publish(&mut publisher, "BBB", &[3], &[]);
    assert_eq!(joined(&channel, last()), "headAAABBB");
    publish(&mut publisher, "bbb", &[], &[]);
    assert_eq!(joined(&channel, last()), "headAAABBBbbb");
    publish(&mut publisher, "CCC", &[9], &[]);
    assert_eq!((joined(&channel, last()).as_str(), channel.gop_too_long()), ("", true));
    for none in [GopCache::Frames(0), GopCache::Off, GopCache::Bytes(0)] {
        let (channel, mut publisher) = start(none);
        publish(&mut publisher, "AAA", &[0], &[0]);
        assert_eq!(joined(&channel, last()), "", "{none:?}");
    }
}

#[test]
fn who_waits_finds_a_point_that_is_not_cached_some_chunks_later() {
    for cache in [GopCache::Off, GopCache::Bytes(3), GopCache::Frames(1)] {
        let (channel, mut publisher) = start(cache);
        let mut waiting = channel.join(Join { header: true, start: Start::Next }).follower;
        publish(&mut publisher, "AAA", &[0], &[0]);
        publish(&mut publisher, "BBB", &[3], &[]);
        publish(&mut publisher, "CCC", &[6], &[]);
        assert_eq!(read(&channel, &mut waiting), "headAAABBBCCC", "{cache:?}");
        assert_eq!(joined(&channel, last()), "", "{cache:?}");
        publisher.publish(vec![0; 2 << 20].into(), Marks::default());
        assert!(channel.random_access.get().is_none(), "{cache:?}");
    }
}

#[test]
fn a_new_run_begins_with_an_empty_cache() {
    let (channel, mut publisher) = start(GopCache::default());
    publish(&mut publisher, "AAA", &[0], &[0]);
    assert!(channel.is_live());
    publisher.end();
    assert!(!channel.is_live());
    assert_eq!(joined(&channel, last()), "");
    publisher.begin(7, Some(format(Container::MpegTs)));
    publish(&mut publisher, "BBB", &[0], &[]);
    assert_eq!((channel.generation().number(), channel.generation().epoch()), (2, 7));
    assert_eq!((channel.generation().base(), joined(&channel, last()).as_str()), (3, ""));
    drop(publisher);
    assert!(!channel.is_live());
}

#[test]
fn what_was_published_before_the_container_was_known_is_not_lost() {
    let channel = Channel::new("unknown", GopCache::default());
    let mut publisher = channel.publisher().expect("the first");
    let early = channel.join(Join::default());
    let mut follower = channel.join(last()).follower;
    publisher.begin(0, None);
    publish(&mut publisher, "AAA", &[], &[]);
    publish(&mut publisher, "aBB", &[], &[]);
    assert_eq!((read(&channel, &mut follower).as_str(), early.format()), ("", None));
    publisher.set_header(Arc::new(Header { bytes: "head".into(), splice: Bytes::new() }));
    publish(&mut publisher, "CC", &[0, 4, 6], &[0]);
    publisher.set_format(Some(format(Container::MpegTs)));
    assert_eq!(early.format(), Some(Some(format(Container::MpegTs))));
    let mut early = early.follower;
    assert_eq!(read(&channel, &mut early), "AAAaBBCC");
    assert_eq!(read(&channel, &mut follower), "headAAAaBBCC");
}

#[test]
fn marks_of_no_known_container_begin_anywhere() {
    let channel = Channel::new("text", GopCache::default());
    let mut publisher = channel.publisher().expect("the first");
    publisher.begin(0, None);
    publish(&mut publisher, "one", &[], &[]);
    publisher.set_format(None);
    let mut there = channel.join(Join::default()).follower;
    publish(&mut publisher, "two", &[], &[]);
    assert_eq!(read(&channel, &mut there), "two");
    // A slow one goes on at the edge, in the next run too.
    publish(&mut publisher, "three", &[], &[]);
    publisher.begin(0, None);
    publisher.set_format(None);
    publish(&mut publisher, "four", &[], &[]);
    assert_eq!(there.skip_if_late(&channel, &channel.edge(), 3), Some(9));
    publish(&mut publisher, "five", &[], &[]);
    assert_eq!(read(&channel, &mut there), "five");
    // But not where it turned into something else.
    publish(&mut publisher, "six", &[], &[]);
    publisher.begin(0, Some(format(Container::MpegTs)));
    publish(&mut publisher, "seven", &[0], &[]);
    there.skip_if_late(&channel, &channel.edge(), 3);
    assert_eq!((read(&channel, &mut there).as_str(), there.ended()), ("", Some(crate::End::NewRun)));
}

#[test]
fn a_slow_reader_goes_on_anywhere_where_no_point_is_ever_marked() {
    let (channel, mut publisher) = start(GopCache::default());
    let mut slow = channel.join(Join::default()).follower;
    publish(&mut publisher, "AAA", &[0], &[]);
    assert_eq!(read(&channel, &mut slow), "AAA");
    let mut at = 3;
    while channel.skips() == 0 {
        let units = Units::At([at].into_iter().collect());
        publisher.publish(vec![b'.'; 1 << 20].into(), Marks { units, ..Marks::default() });
        slow.skip_if_late(&channel, &channel.edge(), 1 << 20);
        at += 1 << 20;
        assert!(at < 40 << 20, "it does not let go");
    }
    publish(&mut publisher, "ZZZ", &[at], &[]);
    assert!(read(&channel, &mut slow).ends_with("thenZZZ"));
}

#[test]
fn rates_stop_with_the_publisher() {
    let (channel, mut publisher) = start(GopCache::default());
    assert_eq!(channel.qos().silent_for, None);
    publish(&mut publisher, "AAA", &[0], &[0]);
    let qos = channel.qos();
    assert_eq!((qos.bytes_in, qos.random_access_points, qos.gop), (3, 1, Duration::ZERO));
    assert!(qos.silent_for.is_some());
}
