//! Keepalive, in simulated time.

use std::time::Duration;

use millrace_link::wire::ChannelId;
use millrace_link::{CloseReason, Event};

use crate::pair::{Pair, drain, events, packet};

#[test]
fn silence_ends_a_link_after_three_seconds_and_not_before() {
    let mut pair = Pair::clear();
    pair.pump();
    for _ in 0..100 {
        pair.pass(Duration::from_secs(1));
        pair.pump();
    }
    assert!(!pair.dialer.is_closed() && !pair.acceptor.is_closed());
    events(&mut pair.dialer);
    // From here on the wire is cut, but everything that is to be sent is taken.
    for _ in 0..29 {
        pair.pass(Duration::from_millis(100));
        drain(&mut pair.dialer);
    }
    assert!(!pair.dialer.is_closed());
    pair.pass(Duration::from_millis(100));
    assert_eq!(events(&mut pair.dialer), [Event::Closed(CloseReason::KeepaliveTimeout)]);
    assert_eq!(pair.dialer.poll_timeout(), None);
}

#[test]
fn what_is_replayed_is_no_sign_of_life() {
    let mut pair = Pair::clear();
    pair.pump();
    let alive = packet(3, 1, ChannelId::CONTROL, 0, b"");
    pair.dialer.handle_input(pair.now, alive.clone());
    for _ in 0..4 {
        pair.pass(Duration::from_millis(500));
        drain(&mut pair.dialer);
        pair.dialer.handle_input(pair.now, alive.clone());
    }
    assert_eq!(pair.dialer.silence(pair.now), Duration::from_secs(2));
    assert_eq!(pair.dialer.stats().replayed, 4);
}

#[test]
fn a_peer_that_sends_and_never_reads_ends_the_link() {
    let mut pair = Pair::clear();
    pair.pump();
    for sequence in 0..100 {
        pair.pass(Duration::from_millis(500));
        let alive = packet(3, sequence, ChannelId::CONTROL, 0, b"");
        pair.dialer.handle_input(pair.now, alive);
        if pair.dialer.is_closed() {
            return assert!(events(&mut pair.dialer).contains(&Event::Closed(CloseReason::Stalled)));
        }
    }
    panic!("it lives on");
}

#[test]
fn latency_and_jitter_come_from_the_echo() {
    let mut pair = Pair::clear();
    pair.pump();
    for trip in [40, 40, 60, 20, 40] {
        pair.pass(Duration::from_secs(1));
        let ask = drain(&mut pair.dialer);
        pair.now += Duration::from_millis(trip);
        pair.acceptor.handle_input(pair.now, ask.into());
        let answer = drain(&mut pair.acceptor);
        pair.dialer.handle_input(pair.now, answer.into());
    }
    let stats = pair.dialer.stats();
    assert!((30.0..50.0).contains(&stats.avg_latency), "{}", stats.avg_latency);
    assert!(stats.jitter > 1.0 && stats.jitter < 20.0, "{}", stats.jitter);
}
