//! What a publish costs the publisher while viewers are parked, beside a `tokio::sync::broadcast` of the same chunk:
//! `cargo run --release -p millrace-bus --example publish [SHARDS]` (1: a core is left to the publisher).
//!
//! Between two publishes everybody gets the chunk and parks again, as between two frames of a live stream.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::{
    Channel, GopCache, Join, Marks,
    egress::{Egress, Sink, Viewer},
};
use tokio::{runtime::Builder, sync::broadcast};

const ROUNDS: u32 = 2_000;
const CHUNK: usize = 16 << 10;

/// Takes everything: what the kernel does is not measured here.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, parts: &[Bytes]) -> io::Result<usize> {
        Ok(parts.iter().map(Bytes::len).sum())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let shards = std::env::args().nth(1).map_or(Ok(1), |shards| shards.parse())?;
    println!("{:>28} {:>10} {:>10}", "nanoseconds per publish", "median", "mean");
    for viewers in [0, 1, 1000] {
        report(&format!("egress, {viewers} viewers"), egress(shards, viewers)?);
    }
    for receivers in [1, 1000] {
        report(&format!("broadcast, {receivers} tasks"), broadcast(receivers)?);
    }
    Ok(())
}

fn report(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let median = took.get(took.len() / 2).map_or(0, Duration::as_nanos);
    let mean = took.iter().sum::<Duration>().as_nanos() / took.len().max(1) as u128;
    println!("{name:>28} {median:>10} {mean:>10}");
}

fn egress(shards: usize, viewers: u64) -> Result<Vec<Duration>, Box<dyn Error>> {
    let egress = Egress::start(shards)?;
    let channel = Channel::new("bench", GopCache::Off);
    let mut publisher = channel.publisher().ok_or("somebody else publishes")?;
    publisher.begin(0, None);
    publisher.set_format(None);
    for _ in 0..viewers {
        egress.attach(Viewer {
            sink: Box::new(Nowhere),
            head: Bytes::new(),
            joined: channel.join(Join::default()),
            flush: Duration::ZERO,
            on_leave: Box::new(|_, _| {}),
        });
    }
    let chunk = Bytes::from(vec![0; CHUNK]);
    let mut took = Vec::new();
    for round in 1..=u64::from(ROUNDS) {
        let begun = Instant::now();
        publisher.publish(chunk.clone(), Marks::default());
        took.push(begun.elapsed());
        wait(|| channel.bytes_out() == round * viewers * CHUNK as u64);
    }
    Ok(took)
}

fn broadcast(receivers: u64) -> Result<Vec<Duration>, Box<dyn Error>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
    let (sender, _) = broadcast::channel::<Bytes>(64);
    let count = Arc::new(AtomicU64::new(0));
    for _ in 0..receivers {
        let (mut receiver, count) = (sender.subscribe(), count.clone());
        runtime.spawn(async move {
            while receiver.recv().await.is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let chunk = Bytes::from(vec![0; CHUNK]);
    let mut took = Vec::new();
    for round in 1..=u64::from(ROUNDS) {
        let begun = Instant::now();
        sender.send(chunk.clone())?;
        took.push(begun.elapsed());
        wait(|| count.load(Ordering::Relaxed) == round * receivers);
    }
    Ok(took)
}

/// Until everybody has it, and a little longer, so that they are parked again.
fn wait(everybody_has_it: impl Fn() -> bool) {
    while !everybody_has_it() {
        thread::yield_now();
    }
    thread::sleep(Duration::from_micros(50));
}
