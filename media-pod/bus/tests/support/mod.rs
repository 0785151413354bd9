//! Packets that say where they are from, viewers over real sockets, and a sink without one.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod queue;

use std::{
    io::{self, Read},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::{
    Channel, Container, Format, GopCache, Join, Marks, Publisher, Units,
    egress::{Egress, Left, PlainSink, Sink, Viewer, ViewerHandle, ViewerStats},
};

pub const PACKET: usize = 188;
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `is` is true.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn format(container: Container) -> Arc<Format> {
    Arc::new(Format { container, content_type: "video/x".into(), tracks: [].into() })
}

/// Bytes in all chunks that are still in memory.
#[derive(Clone, Default)]
pub struct Held(Arc<AtomicUsize>);

struct Owned(Vec<u8>, Held);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.1.0.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

impl Held {
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn chunk(&self, bytes: Vec<u8>) -> Bytes {
        self.0.fetch_add(bytes.len(), Ordering::SeqCst);
        Bytes::from_owner(Owned(bytes, self.clone()))
    }
}

/// An encoder of packets as those of MPEG-TS: each holds its number and whether a decoder can begin with it.
pub struct Encoder {
    pub publisher: Publisher,
    pub held: Held,
    packets: u64,
    begun_at: u64,
    gop: u64,
}

impl Encoder {
    /// Each `gop` packets there is a random access point, the first packet being one.
    pub fn start(gop: u64, cache: GopCache) -> (Arc<Channel>, Self) {
        let channel = Channel::new("made up", cache);
        let publisher = channel.publisher().expect("the first");
        let mut encoder = Self { publisher, held: Held::default(), packets: 0, begun_at: 0, gop };
        encoder.begin(Container::MpegTs);
        (channel, encoder)
    }

    pub fn begin(&mut self, container: Container) {
        self.begun_at = self.packets;
        self.publisher.begin(0, Some(format(container)));
        self.publisher.set_header(Arc::default());
    }

    /// As [`Self::publish`], as the first chunk of a run.
    pub fn publish_since_run(&mut self, count: u64) {
        self.begun_at = self.packets;
        self.publish(count);
    }

    /// Publishes so many packets as one chunk.
    pub fn publish(&mut self, count: u64) {
        let begin = self.packets;
        self.packets += count;
        let mut bytes = vec![0x47; count as usize * PACKET];
        for (number, packet) in (begin..).zip(bytes.chunks_exact_mut(PACKET)) {
            packet[1..9].copy_from_slice(&number.to_be_bytes());
            packet[9] = u8::from(number % self.gop == 0);
        }
        let place = |number: u64| (number - self.begun_at) * PACKET as u64;
        let units =
            Units::Every { first: place(begin), stride: PACKET as u32, last: place(self.packets - 1) };
        let points = (begin..self.packets).filter(|number| number % self.gop == 0);
        let marks = Marks { units, random_access: points.map(place).collect(), frames: 1 };
        self.publisher.publish(self.held.chunk(bytes), marks);
    }

    pub fn packets(&self) -> u64 {
        self.packets
    }
}

/// Numbers of the first and last packet, and the numbers after each jump. Panics at a cut packet, a repeated one, or
/// a jump that lands anywhere but on a random access point.
pub fn packets(bytes: &[u8]) -> Option<(u64, u64, Vec<u64>)> {
    assert_eq!(bytes.len() % PACKET, 0, "a packet was cut");
    let mut seen: Option<(u64, u64, Vec<u64>)> = None;
    for packet in bytes.chunks_exact(PACKET) {
        let number = u64::from_be_bytes(packet[1..9].try_into().expect("eight"));
        assert!(packet[0] == 0x47 && packet[10..] == [0x47; PACKET - 10], "not a packet");
        match &mut seen {
            None => seen = Some((number, number, Vec::new())),
            Some((_, last, _)) if number == *last + 1 => *last = number,
            Some((_, last, jumps)) => {
                assert!(number > *last, "{number} after {last}");
                assert_eq!(packet[9], 1, "jumped from {last} to {number}, where no decoder can begin");
                jumps.push(number);
                *last = number;
            }
        }
    }
    seen
}

/// A viewer's own end, and how it is seen from the egress.
pub struct Guest {
    pub socket: TcpStream,
    pub seen: Seen,
}

pub struct Seen {
    pub handle: ViewerHandle,
    left: Receiver<Left>,
}

impl Seen {
    pub fn left(&self) -> Left {
        self.left.recv_timeout(PATIENCE).expect("it leaves")
    }

    pub fn is_there(&self) -> bool {
        self.left.try_recv().is_err()
    }
}

/// Two ends of a connection: a viewer's and the server's.
pub fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    ours.set_read_timeout(Some(PATIENCE)).expect("not zero");
    (ours, listener.accept().expect("somebody connected").0)
}

pub fn seat(
    egress: &Egress,
    channel: &Arc<Channel>,
    join: Join,
    flush: Duration,
    sink: Box<dyn Sink>,
) -> Seen {
    let (tell, left) = channel_of_left();
    let viewer = Viewer { sink, head: Bytes::new(), joined: channel.join(join), flush, on_leave: tell };
    Seen { handle: egress.attach(viewer), left }
}

fn channel_of_left() -> (millrace_bus::egress::OnLeave, Receiver<Left>) {
    let (tell, left) = channel();
    let tell = move |why: Left, _: &ViewerStats| {
        let _ = tell.send(why);
    };
    (Box::new(tell), left)
}

pub fn guest(egress: &Egress, channel: &Arc<Channel>, join: Join) -> Guest {
    let (socket, theirs) = connection();
    let sink = PlainSink::new(theirs).expect("it is connected");
    Guest { socket, seen: seat(egress, channel, join, Duration::ZERO, Box::new(sink)) }
}

impl Guest {
    /// Everything until the end.
    pub fn read_all(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.socket.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => bytes,
            Err(e) => panic!("after {} bytes: {e}", bytes.len()),
        }
    }

    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.socket.read_exact(&mut bytes).expect("as much comes");
        bytes
    }
}
