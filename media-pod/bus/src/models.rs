//! Models of what is lock-free, tried by loom in every order of steps that a few preemptions allow:
//! `RUSTFLAGS="--cfg loom" cargo test -p millrace-bus --release --lib --target-dir target/loom`.

mod relays;
mod subscribers;

use std::sync::Arc;

use bytes::Bytes;

use crate::{Channel, Container, Format, GopCache, Marks, Publisher, Units};

/// Runs `model` under every schedule with at most `preemptions` forced switches.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

fn channel() -> (Arc<Channel>, Publisher) {
    let channel = Channel::new("model", GopCache::Off);
    let publisher = channel.publisher().expect("the first one");
    (channel, publisher)
}

fn format(container: Container) -> Option<Arc<Format>> {
    Some(Arc::new(Format { container, content_type: "video/x".into(), tracks: [].into() }))
}

fn chunk(publisher: &mut Publisher, bytes: &'static [u8]) {
    publisher.publish(Bytes::from_static(bytes), Marks::default());
}

/// A chunk that is one unit.
fn unit(publisher: &mut Publisher, at: u64, bytes: &'static [u8]) {
    let units = Units::At([at].into_iter().collect());
    publisher.publish(Bytes::from_static(bytes), Marks { units, ..Marks::default() });
}
