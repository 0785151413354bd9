//! The follower reads streams made up at random, in pieces of any size, with stalls anywhere.

use std::sync::{Arc, Weak};

use proptest::prelude::*;

use super::{
    script::{Kind, Script, draws, play},
    trace::Trace,
};
use crate::{
    Channel, GopCache, Join, Publisher, Start,
    follow::{Follower, Parts},
    node::{Cursor, Node},
};

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The publisher does what the script says next, so often.
    Publish(usize),
    /// The shard looks at the live edge.
    Look,
    /// Reads with a budget, and takes so many bytes of what there is.
    Read(usize, usize),
    /// Skips if it is so many bytes behind.
    Judge(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1..12_usize).prop_map(Op::Publish),
        4 => Just(Op::Look),
        6 => (1..3000_usize, prop_oneof![1..40_usize, 1..4000_usize]).prop_map(|(budget, take)| Op::Read(budget, take)),
        2 => prop_oneof![0..200_u64, 0..3000_u64].prop_map(Op::Judge),
    ];
    proptest::collection::vec(op, 0..120)
}

fn joins() -> impl Strategy<Value = Join> {
    let start = prop_oneof![Just(Start::Live), Just(Start::Last), Just(Start::Next)];
    (any::<bool>(), start).prop_map(|(header, start)| Join { header, start })
}

struct Reader {
    channel: Arc<Channel>,
    follower: Follower,
    edge: Cursor,
    trace: Trace,
    parts: Parts,
}

impl Reader {
    fn join(channel: &Arc<Channel>, join: Join) -> Self {
        let edge = channel.edge();
        let point = channel.cached_point().map(|point| point.offset);
        let trace = Trace { join, joined_at: edge.offset(), point, ..Trace::default() };
        let follower = channel.join(join).follower;
        Self { channel: channel.clone(), follower, edge, trace, parts: Parts::new() }
    }

    fn read(&mut self, budget: usize, take: usize) -> usize {
        self.follower.pending(&self.channel, self.edge.offset(), budget, &mut self.parts);
        let all = self.parts.concat();
        let taken = take.min(all.len());
        self.trace.bytes.extend_from_slice(&all[..taken]);
        self.follower.advance(taken);
        taken
    }

    fn judge(&mut self, allowed: u64) {
        let edge = self.channel.edge();
        let behind = self.follower.holds_from();
        if self.follower.skip_if_late(&self.channel, &edge, allowed).is_some() {
            self.trace.skips += 1;
            return;
        }
        let late = behind.is_some_and(|from| edge.offset() - from > allowed);
        let ahead =
            self.channel.random_access.get().zip(behind).is_some_and(|(point, from)| point.offset > from);
        let follows = self.follower.lag(edge.offset()) > 0;
        assert!(!late || !ahead || !follows, "{behind:?} of {} is too late", edge.offset());
    }
}

/// Every chunk that is alive is held by someone who has a right to it.
fn check_memory(nodes: &[Weak<Node>], channel: &Channel, publisher: &Publisher, reader: Option<&Reader>) {
    let mut lowest = channel.tail().start.min(publisher.holds_from());
    if let Some(point) = channel.random_access.get() {
        lowest = lowest.min(point.node.start);
    }
    if let Some(reader) = reader {
        lowest = lowest.min(reader.edge.node.start);
        lowest = lowest.min(reader.follower.holds_from().unwrap_or(u64::MAX));
    }
    for node in nodes.iter().filter_map(Weak::upgrade) {
        assert!(
            node.end() >= lowest,
            "{}..{} is held, but only {lowest} on is needed",
            node.start,
            node.end()
        );
    }
}

/// A few seconds' worth, or what `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_gets_every_byte_once_from_a_unit_on_but_for_the_skips_it_is_told_of(
        draws in draws(),
        before in 0..60_usize,
        join in joins(),
        ops in ops(),
        cache in prop_oneof![Just(GopCache::Off), (0..4000_u64).prop_map(GopCache::Bytes), (0..5_u64).prop_map(GopCache::Frames)],
    ) {
        let script = Script::new(draws);
        // Skips in bytes of no known container land anywhere: they have a test of their own.
        let judged = script.runs.iter().all(|run| run.kind != Kind::Bytes && run.kind != Kind::Void);
        let channel = Channel::new("made up", cache);
        let mut publisher = channel.publisher().expect("the first");
        let mut events = script.events.iter();
        let mut nodes = Vec::new();
        for _ in 0..before {
            play(&mut events, &mut publisher);
            nodes.push(Arc::downgrade(&channel.tail()));
        }
        let mut reader = Reader::join(&channel, join);
        for op in ops {
            match op {
                Op::Publish(times) => for _ in 0..times {
                    play(&mut events, &mut publisher);
                    nodes.push(Arc::downgrade(&channel.tail()));
                },
                Op::Look => reader.edge = channel.edge(),
                Op::Read(budget, take) => { reader.read(budget, take); }
                Op::Judge(allowed) if judged => reader.judge(allowed),
                Op::Judge(_) => {}
            }
            check_memory(&nodes, &channel, &publisher, Some(&reader));
        }
        // The publisher ends, and the reader has all the time it wants.
        loop {
            let more = play(&mut events, &mut publisher);
            nodes.push(Arc::downgrade(&channel.tail()));
            reader.edge = channel.edge();
            while reader.read(4096, 4096) > 0 {}
            if !more {
                break;
            }
        }
        prop_assert_eq!(channel.offset(), script.end());
        reader.trace.ended = reader.follower.ended();
        reader.trace.waits = reader.follower.holds_from().is_none() && reader.trace.ended.is_none();
        reader.trace.check(&script);
        drop(reader);
        check_memory(&nodes, &channel, &publisher, None);
    }
}
