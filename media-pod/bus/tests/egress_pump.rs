//! Pipes that a shard reads: every byte, the end, and nothing more once it is over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

#[cfg(test)]
mod support;

use std::{
    io::{self, Read, Write},
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use millrace_bus::{
    Channel, GopCache, Join, Marks, Publisher,
    egress::{Egress, Flow, Pump},
};
use support::{guest, until};

/// Publishes what it reads, `most` bytes at a time.
struct Pass {
    publisher: Publisher,
    most: usize,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    bytes: usize,
    over: bool,
    dropped: bool,
}

impl Pump for Pass {
    fn read(&mut self, pipe: &mut dyn Read, closed: bool) -> Flow {
        let mut buffer = vec![0; self.most];
        let mut seen = self.seen.lock().unwrap();
        match pipe.read(&mut buffer) {
            Ok(0) => {
                seen.over = true;
                Flow::Over
            }
            Ok(read) => {
                seen.bytes += read;
                self.publisher.publish(Bytes::copy_from_slice(&buffer[..read]), Marks::default());
                if read == self.most || closed { Flow::More } else { Flow::Empty }
            }
            Err(e) => {
                assert_eq!(e.kind(), io::ErrorKind::WouldBlock);
                Flow::Empty
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.seen.lock().unwrap().dropped = true;
    }
}

type Fixture = (Arc<Channel>, Box<Pass>, Arc<Mutex<Seen>>, mio::unix::pipe::Sender, OwnedFd);

fn fixture(most: usize) -> Fixture {
    let channel = Channel::new("pumped", GopCache::Off);
    let mut publisher = channel.publisher().unwrap();
    publisher.begin(0, None);
    publisher.set_format(None);
    let (sender, receiver) = mio::unix::pipe::new().unwrap();
    sender.set_nonblocking(false).unwrap();
    let seen = Arc::<Mutex<Seen>>::default();
    (channel, Box::new(Pass { publisher, most, seen: seen.clone() }), seen, sender, receiver.into())
}

#[test]
fn viewers_on_all_shards_get_every_byte_of_a_pipe() {
    let egress = Egress::start(2).unwrap();
    let (channel, pump, seen, mut pipe, receiver) = fixture(1000);
    let mut viewers: Vec<_> = (0..300).map(|_| guest(&egress, &channel, Join::default())).collect();
    let _pumping = egress.pump(std::slice::from_ref(&channel), receiver, pump);
    let all: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    for part in all.chunks(777) {
        pipe.write_all(part).unwrap();
    }
    for viewer in &mut viewers {
        assert_eq!(viewer.read(all.len()), all);
    }
    assert_eq!(seen.lock().unwrap().bytes, all.len());
}

#[test]
fn the_end_is_seen_even_right_after_the_last_bytes() {
    let egress = Egress::start(1).unwrap();
    for most in [64, 100, 65_536] {
        let (channel, pump, seen, mut pipe, receiver) = fixture(most);
        let _pumping = egress.pump(std::slice::from_ref(&channel), receiver, pump);
        pipe.write_all(&[7; 100]).unwrap();
        drop(pipe);
        until("the end was seen", || seen.lock().unwrap().dropped);
        let seen = seen.lock().unwrap();
        assert_eq!((seen.bytes, seen.over), (100, true), "{most} bytes at a time");
    }
}

#[test]
fn a_pump_that_is_let_go_reads_no_more() {
    let egress = Egress::start(1).unwrap();
    let (channel, pump, seen, mut pipe, receiver) = fixture(65_536);
    let pumping = egress.pump(std::slice::from_ref(&channel), receiver, pump);
    pipe.write_all(b"read").unwrap();
    until("it was read", || seen.lock().unwrap().bytes == 4);
    drop(pumping);
    until("it was dropped", || seen.lock().unwrap().dropped);
    assert!(pipe.write_all(b"nobody reads").is_err());
    assert_eq!(seen.lock().unwrap().bytes, 4);
}

#[test]
fn a_pipe_that_floods_leaves_time_for_another() {
    let egress = Egress::start(1).unwrap();
    let (flooded, flood, _, mut flooding, receiver) = fixture(65_536);
    let drowning = egress.pump(std::slice::from_ref(&flooded), receiver, flood);
    let writer = std::thread::spawn(move || while flooding.write_all(&vec![0; 65_536]).is_ok() {});
    let (channel, pump, seen, mut pipe, receiver) = fixture(65_536);
    let _pumping = egress.pump(std::slice::from_ref(&channel), receiver, pump);
    for n in 1..100 {
        pipe.write_all(&[1]).unwrap();
        until("the quiet pipe was read", || seen.lock().unwrap().bytes == n);
    }
    drop(egress);
    drop(drowning);
    drop(writer);
}
