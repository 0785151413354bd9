//! Sinks without a socket, sinks that hold bytes back themselves, and writes that are gathered.

#[cfg(test)]
mod support;

use std::time::Duration;

use bytes::Bytes;
use millrace_bus::{
    Container, End, GopCache, Join,
    egress::{Egress, Left, Viewer},
};
use support::{Encoder, PACKET, format, packets, queue::Queue, seat, until};

#[test]
fn a_queue_gets_everything_in_pieces_of_any_size() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let queue = Queue::with_room(0);
    let seen = seat(&egress, &channel, Join::default(), Duration::ZERO, Box::new(queue.clone()));
    let mut room = 1;
    for count in 1..60 {
        encoder.publish(count);
        room = room * 7 % 10_007;
        queue.make_room(room);
    }
    channel.close();
    queue.make_room(usize::MAX / 2);
    assert_eq!(seen.left(), Left::Ended(End::Closed));
    let state = queue.state();
    assert_eq!(packets(&state.bytes), Some((0, encoder.packets() - 1, Vec::new())));
    assert_eq!(state.closed, Some(true));
}

#[test]
fn a_viewer_that_caught_up_with_an_unknown_run_hears_when_it_is_known() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let queue = Queue::with_room(PACKET);
    let seen = seat(&egress, &channel, Join::default(), Duration::ZERO, Box::new(queue.clone()));
    encoder.publish(5);
    until("there is no room left", || queue.state().bytes.len() == PACKET);
    encoder.publisher.begin(0, None);
    encoder.publish_since_run(5);
    queue.make_room(1 << 20);
    until("it has the first run", || queue.state().bytes.len() == 5 * PACKET);
    encoder.publisher.set_format(Some(format(Container::MpegTs)));
    until("it has the second", || queue.state().bytes.len() == 10 * PACKET);
    assert_eq!(packets(&queue.state().bytes), Some((0, 9, Vec::new())));
    assert!(seen.is_there());
}

#[test]
fn what_a_sink_holds_itself_goes_out_before_it_is_closed() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let queue = Queue::with_room(PACKET);
    queue.state().hides = 1 << 20;
    let seen = seat(&egress, &channel, Join::default(), Duration::ZERO, Box::new(queue.clone()));
    encoder.publish(20);
    until("the first came through", || queue.state().bytes.len() == PACKET);
    channel.close();
    queue.make_room(19 * PACKET - 1);
    until("all but one byte came through", || queue.state().bytes.len() == 20 * PACKET - 1);
    assert!(seen.is_there() && queue.state().closed.is_none());
    queue.make_room(1);
    assert_eq!(seen.left(), Left::Ended(End::Closed));
    assert_eq!(packets(&queue.state().bytes), Some((0, 19, Vec::new())));
}

#[test]
fn a_queue_whose_viewer_is_gone_leaves_when_poked() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    for room in [0, usize::MAX / 2] {
        let queue = Queue::with_room(room);
        let seen = seat(&egress, &channel, Join::default(), Duration::ZERO, Box::new(queue.clone()));
        encoder.publish(20);
        until("it was written to", || queue.state().writes > 0);
        queue.hang_up();
        assert_eq!(seen.left(), Left::HungUp);
        // Nobody sits there any more.
        queue.make_room(1);
        queue.hang_up();
    }
    until("nobody is left", || egress.viewers() == 0);
}

#[test]
fn the_head_comes_first_and_is_not_counted_as_the_streams() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    encoder.publish(1);
    let queue = Queue::with_room(3);
    let head = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
    let handle = egress.attach(Viewer {
        sink: Box::new(queue.clone()),
        head: head.clone(),
        joined: channel.join(Join::default()),
        flush: Duration::ZERO,
        on_leave: Box::new(|_, _| {}),
    });
    encoder.publish(2);
    queue.make_room(1 << 20);
    until("all came", || queue.state().bytes.len() == head.len() + 2 * PACKET);
    let state = queue.state();
    assert!(state.bytes.starts_with(&head));
    assert_eq!(packets(&state.bytes[head.len()..]), Some((1, 2, Vec::new())));
    drop(state);
    until("it was counted", || handle.stats().sent() == (head.len() + 2 * PACKET) as u64);
    assert_eq!(channel.bytes_out(), 2 * PACKET as u64);
}

#[test]
fn writes_are_gathered_for_as_long_as_was_asked_for() {
    let egress = Egress::start(1).unwrap();
    let (channel, mut encoder) = Encoder::start(10, GopCache::default());
    let queue = Queue::with_room(1 << 20);
    let flush = Duration::from_millis(700);
    let seen = seat(&egress, &channel, Join::default(), flush, Box::new(queue.clone()));
    encoder.publish(1);
    until("it is served", || queue.state().bytes.len() == PACKET);
    for _ in 0..199 {
        encoder.publish(1);
    }
    until("all came", || queue.state().bytes.len() == 200 * PACKET);
    // Sixteen chunks to a write, however the gathering was cut; at once it would be one write each.
    assert!(queue.state().writes < 40, "{} writes", queue.state().writes);
    // The end waits for nothing.
    encoder.publish(1);
    channel.close();
    assert_eq!(seen.left(), Left::Ended(End::Closed));
    assert_eq!(packets(&queue.state().bytes), Some((0, 200, Vec::new())));
}
