//! Many viewers, of whom some do not behave.

#[cfg(test)]
mod support;

use std::{io::Write, thread, time::Duration};

use millrace_bus::{
    End, GopCache, Join, Start,
    egress::{Egress, Left},
};
use support::{Encoder, Guest, PACKET, guest, packets, until};

#[test]
fn three_hundred_viewers_on_two_shards_get_every_byte() {
    let egress = Egress::start(2).unwrap();
    let (channel, mut encoder) = Encoder::start(50, GopCache::default());
    let mut guests: Vec<Guest> = (0..300).map(|_| guest(&egress, &channel, Join::default())).collect();
    assert_eq!((channel.viewers(), egress.viewers()), (300, 300));
    assert!(format!("{egress:?}").contains("Shard(256 viewers)"), "{egress:?}");
    assert!(format!("{egress:?}").contains("Shard(44 viewers)"), "{egress:?}");
    for count in [1, 7, 348, 2, 100, 348, 348, 3] {
        encoder.publish(count);
    }
    channel.close();
    for guest in &mut guests {
        let (first, last, jumps) = packets(&guest.read_all()).expect("it got some");
        assert_eq!((first, last, jumps.len()), (0, encoder.packets() - 1, 0));
        assert_eq!(guest.seen.left(), Left::Ended(End::Closed));
    }
    assert_eq!(channel.bytes_out(), 300 * encoder.packets() * PACKET as u64);
    assert_eq!((channel.viewers(), egress.viewers(), channel.skips()), (0, 0, 0));
}

#[test]
fn a_viewer_that_never_reads_costs_its_neighbours_nothing_and_little_memory() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(1000, GopCache::default());
    let stuck = guest(&egress, &channel, Join::default());
    let mut neighbour = guest(&egress, &channel, Join::default());
    let (mut after_skip, mut two_seconds) = (0, 0);
    let mut read = Vec::new();
    // As fast as the neighbour reads it.
    while after_skip < 300 {
        encoder.publish(100);
        read.extend(neighbour.read(100 * PACKET));
        after_skip += u32::from(stuck.seen.handle.stats().skips() > 0);
        two_seconds = two_seconds.max(channel.qos().bitrate as usize / 4);
        let allowed = two_seconds.max(1 << 20) + (1 << 20);
        assert!(encoder.held.bytes() < allowed, "{} bytes are held", encoder.held.bytes());
    }
    assert_eq!(packets(&read), Some((0, encoder.packets() - 1, Vec::new())));
    assert_eq!(channel.skips(), stuck.seen.handle.stats().skips());
    // All that it holds now is in the kernel.
    until("its lag was measured", || stuck.seen.handle.stats().lag() > 0);
    assert!(stuck.seen.handle.stats().lag() <= 512 << 10, "{}", stuck.seen.handle.stats().lag());
    channel.close();
    assert!(neighbour.read_all().is_empty());
}

#[test]
fn a_slow_reader_goes_on_at_a_random_access_point() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(900, GopCache::default());
    let mut slow = guest(&egress, &channel, Join { header: false, start: Start::Next });
    let mut read = Vec::new();
    for round in 1..=3 {
        let stats = slow.seen.handle.stats().clone();
        until("it skips", || {
            encoder.publish(97);
            stats.skips() >= round
        });
        // Then it reads until it has what was published last.
        encoder.publish(900);
        let newest = encoder.packets() - 1;
        loop {
            let packet = slow.read(PACKET);
            read.extend_from_slice(&packet);
            if packets(&packet).is_some_and(|(number, _, _)| number == newest) {
                break;
            }
        }
    }
    channel.close();
    read.extend(slow.read_all());
    let (first, last, jumps) = packets(&read).expect("it got some");
    assert_eq!((first, last), (0, encoder.packets() - 1));
    assert!((1..=slow.seen.handle.stats().skips() as usize).contains(&jumps.len()), "{jumps:?}");
}

#[test]
fn hang_ups_are_noticed_while_nothing_is_published() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut quiet = guest(&egress, &channel, Join::default());
    let mut chatty = guest(&egress, &channel, Join::default());
    let waiting = guest(&egress, &channel, Join { header: false, start: Start::Next });
    encoder.publish(5);
    quiet.read(5 * PACKET);
    chatty.read(5 * PACKET);
    // What a viewer says is of no interest.
    chatty.socket.write_all(b"GET /favicon.ico HTTP/1.1\r\n\r\n").unwrap();
    assert!(quiet.seen.is_there() && chatty.seen.is_there() && waiting.seen.is_there());
    for guest in [quiet, chatty, waiting] {
        drop(guest.socket);
        assert_eq!(guest.seen.left(), Left::HungUp);
    }
    until("nobody is left", || channel.viewers() == 0);
}

#[test]
fn a_viewer_that_talks_without_end_is_sent_away() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut neighbour = guest(&egress, &channel, Join::default());
    let talker = guest(&egress, &channel, Join::default());
    let mut socket = talker.socket;
    let talking = thread::spawn(move || while socket.write_all(&[0; 4096]).is_ok() {});
    assert_eq!(talker.seen.left(), Left::HungUp);
    talking.join().unwrap();
    encoder.publish(1);
    neighbour.read(PACKET);
}

#[test]
fn a_channel_that_floods_leaves_time_for_the_others() {
    let egress = Egress::start(1).unwrap();
    let (flooded, mut flood) = Encoder::start(1000, GopCache::default());
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let mut drinker = guest(&egress, &flooded, Join::default());
    let mut neighbour = guest(&egress, &channel, Join::default());
    let ended = flooded.clone();
    let flooding = thread::spawn(move || {
        while !ended.is_closed() {
            flood.publish(348);
        }
    });
    let drinking = thread::spawn(move || drinker.read_all().len());
    until("the flood runs", || flooded.bytes_out() > 1 << 20);
    for _ in 0..50 {
        encoder.publish(1);
        neighbour.socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        neighbour.read(PACKET);
    }
    flooded.close();
    flooding.join().unwrap();
    assert!(drinking.join().unwrap() > 1 << 20);
}
