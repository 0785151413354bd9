//! Relays that are threads, as the shards of the egress: one order for any number of publishes.

use std::sync::Arc;

use loom::{sync::Notify, thread};

use super::{channel, chunk, explore};
use crate::{
    Channel,
    node::Cursor,
    relay::{Dirty, Relay},
};

/// What `egress::lane::LaneRelay` is, with a flag for the queue of orders.
struct Shard {
    dirty: Dirty,
    orders: Notify,
}

impl Relay for Shard {
    fn wake(&self) {
        if self.dirty.mark() {
            self.orders.notify();
        }
    }
}

impl Shard {
    fn new() -> Arc<Self> {
        Arc::new(Self { dirty: Dirty::new(), orders: Notify::new() })
    }
}

/// Moves `edge` over what was published, and gives how many chunks that was.
fn look(edge: &mut Cursor) -> usize {
    let mut chunks = 0;
    while let Some(next) = edge.node.next.get() {
        *edge = Cursor::at_end(next);
        chunks += 1;
    }
    chunks
}

fn lane(looks: fn(&Shard, &mut Cursor) -> usize) {
    let (channel, mut publisher) = channel();
    publisher.begin(0, None);
    let shard = Shard::new();
    channel.add_relay(shard.clone());
    let mut edge = channel.edge();
    let publishing = thread::spawn(move || {
        chunk(&mut publisher, b"one");
        chunk(&mut publisher, b"two");
    });
    let mut seen = 0;
    while seen < 2 {
        shard.orders.wait();
        seen += looks(&shard, &mut edge);
    }
    publishing.join().unwrap();
}

#[test]
fn a_shard_that_clears_and_then_looks_sees_every_chunk() {
    explore(3, || {
        lane(|shard, edge| {
            shard.dirty.clear();
            look(edge)
        });
    });
}

/// The control: were this one to pass, the models would show nothing.
#[test]
#[should_panic(expected = "deadlock")]
fn a_shard_that_looks_and_then_clears_misses_one() {
    explore(3, || {
        lane(|shard, edge| {
            let seen = look(edge);
            shard.dirty.clear();
            seen
        });
    });
}

#[test]
fn who_comes_while_a_chunk_is_published_sees_it_or_is_woken() {
    explore(3, || {
        let (channel, mut publisher) = channel();
        publisher.begin(0, None);
        let leaving: Arc<dyn Relay> = Shard::new();
        channel.add_relay(leaving.clone());
        let publishing = thread::spawn(move || {
            chunk(&mut publisher, b"one");
            publisher
        });
        let shard = Shard::new();
        channel.add_relay(shard.clone());
        let mut edge = channel.edge();
        channel.remove_relay(&leaving);
        if edge.node.bytes.is_empty() {
            // It may be woken for nothing, but not stay asleep.
            let mut seen = 0;
            while seen == 0 {
                shard.orders.wait();
                shard.dirty.clear();
                seen = look(&mut edge);
            }
        }
        drop(publishing.join().unwrap());
        assert_eq!(&edge.node.bytes[..], b"one");
    });
}

#[test]
fn a_relay_that_was_removed_leaves_the_others_in_place() {
    explore(2, || {
        let (channel, _publisher) = channel();
        let relays = [Shard::new(), Shard::new(), Shard::new()];
        channel.add_relay(relays[0].clone());
        let other: Arc<Channel> = channel.clone();
        let (first, second): (Arc<dyn Relay>, _) = (relays[0].clone(), relays[1].clone());
        let changing = thread::spawn(move || {
            other.add_relay(second);
            other.remove_relay(&first);
        });
        channel.add_relay(relays[2].clone());
        changing.join().unwrap();
        channel.relays.wake_all();
        let woken: Vec<bool> = relays.iter().map(|relay| !relay.dirty.mark()).collect();
        assert_eq!(woken, [false, true, true]);
    });
}
