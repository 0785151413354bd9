//! Alone in its process, because it counts what is open in it.

#[cfg(test)]
mod support;

use millrace_bus::{GopCache, Join, Start, egress::Egress};
use support::{Encoder, guest, until};

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn two_thousand_viewers_who_come_and_go_leave_nothing_behind() {
    let egress = Egress::start(2).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let before = open_files();
    for round in 0..200 {
        let starts = [Start::Live, Start::Last, Start::Next];
        let guests: Vec<_> = (0..10)
            .map(|n| guest(&egress, &channel, Join { header: n % 2 == 0, start: starts[n % 3] }))
            .collect();
        encoder.publish(1 + round % 20);
        // Some go before the shard has seen them, some after.
        if round % 2 == 0 {
            drop(guests);
        } else {
            until("they were seen", || guests.iter().any(|guest| guest.seen.handle.stats().sent() > 0));
        }
    }
    until("all have left", || egress.viewers() == 0);
    until("no socket is open", || open_files() <= before);
    assert_eq!(channel.viewers(), 0);
    until("no lane is left", || format!("{channel:?}").contains("Relays(0)"));
    // The cache and the unit in progress.
    assert!(encoder.held.bytes() < 30 * 188, "{} bytes are held", encoder.held.bytes());
}
