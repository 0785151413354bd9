//! Peers that do what they should not, over real sockets: each is ended or refused with its code, and nobody else notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_link::net::{Channel, Link, accept_tcp, connect_tcp};
use millrace_link::secure::Secrecy;
use millrace_link::wire::{
    ChannelId, ChannelType, Code, Control, Echo, HEADER_LEN, Header, Notice, OpenOptions, Role,
};
use millrace_link::{CloseReason, Config, Side};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::pair::packet;
use crate::secure::World;

/// Echoes MEDIA, sends without end on SERVICE, never reads FILE.
struct Victim {
    address: SocketAddr,
    links: mpsc::UnboundedReceiver<Link>,
    bystander: (Link, Channel),
}

impl Victim {
    async fn new(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (to, mut links) = mpsc::unbounded_channel();
        let theirs = config.clone();
        tokio::spawn(async move {
            loop {
                let link = accept_tcp(listener.accept().await.unwrap().0, theirs.clone()).unwrap();
                let _ = to.send(link.clone());
                tokio::spawn(serve(link));
            }
        });
        let ours = Config { side: Side::Dialer, ..config };
        let link = connect_tcp(address, ours).await.unwrap();
        let channel = link.open_channel(ChannelType::MEDIA).await.unwrap();
        links.recv().await.unwrap();
        Self { address, links, bystander: (link, channel) }
    }

    async fn clear() -> Self {
        Self::new(Config::clear(Side::Acceptor, Role::CLIENT)).await
    }

    /// An attacker's socket, and the victim's end of it.
    async fn attacked(&mut self) -> (TcpStream, Link) {
        let socket = TcpStream::connect(self.address).await.unwrap();
        (socket, self.links.recv().await.unwrap())
    }

    /// Nobody else has noticed anything.
    async fn is_well(&self) {
        let (link, channel) = &self.bystander;
        channel.send(Bytes::from_static(b"still there?")).await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), &b"still there?"[..]);
        assert_eq!(link.close_reason(), None);
    }
}

async fn serve(link: Link) {
    let mut held = Vec::new();
    while let Ok(incoming) = link.accept().await {
        let kind = incoming.kind();
        let Ok(channel) = incoming.accept() else { continue };
        if kind == ChannelType::MEDIA {
            tokio::spawn(async move {
                while let Ok(message) = channel.recv().await {
                    if channel.send(message).await.is_err() {
                        return;
                    }
                }
            });
        } else if kind == ChannelType::SERVICE {
            tokio::spawn(async move { while channel.send(Bytes::from(vec![7; 60_000])).await.is_ok() {} });
        } else {
            held.push(channel);
        }
    }
}

fn open(sequence: u32, kind: ChannelType, credit: u32) -> Bytes {
    let open = Control::Open { channel: ChannelId::of(kind), kind, options: OpenOptions::NONE, credit };
    packet(2, sequence, ChannelId::CONTROL, 0, &open.encode())
}

/// Reads until the victim has opened the channel; what is sent on it before that is refused, and takes nothing of what was granted.
async fn accepted(socket: &mut TcpStream, kind: ChannelType) {
    loop {
        let mut head = [0; HEADER_LEN];
        socket.read_exact(&mut head).await.unwrap();
        let mut data = vec![0; Header::decode(head).size as usize];
        socket.read_exact(&mut data).await.unwrap();
        let control = Control::decode(&data);
        if matches!(control, Some(Control::Accept { channel, .. }) if channel == ChannelId::of(kind)) {
            return;
        }
    }
}

/// Everything the victim says until it hangs up; the last notice on channel 0.
async fn last_words(socket: &mut TcpStream) -> Notice {
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    let (mut rest, mut last) = (Bytes::from(said), None);
    while let Some(header) = rest.first_chunk::<HEADER_LEN>() {
        let header = Header::decode(*header);
        let mut one = rest.split_to(HEADER_LEN + header.size as usize);
        if (header.kind, header.channel) == (4, ChannelId::CONTROL) {
            last = Some(Notice::decode(&one.split_off(HEADER_LEN)));
        }
    }
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_answered_with_a_code_and_ends_its_link_alone() {
    let mut victim = Victim::clear().await;
    for garbage in [&[0xff; 100][..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n\r\n"] {
        let (mut socket, link) = victim.attacked().await;
        socket.write_all(garbage).await.unwrap();
        let reason = link.closed().await;
        assert!(
            matches!(&reason, CloseReason::Failed(notice) if notice.code == Code::ARG_INCORRECT),
            "{reason}"
        );
        assert_eq!(last_words(&mut socket).await.code, Code::ARG_INCORRECT);
        victim.is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_with_questions_and_reads_no_answer_is_cut_off() {
    let mut victim = Victim::clear().await;
    let (mut socket, link) = victim.attacked().await;
    let mut sequence = 0;
    while link.close_reason().is_none() {
        let questions: Vec<u8> = (0..2000)
            .flat_map(|number| packet(3, sequence + number, ChannelId::CONTROL, 0, &Echo::Ask(1).encode()))
            .collect();
        sequence += 2000;
        if socket.write_all(&questions).await.is_err() {
            break;
        }
    }
    let reason = link.closed().await;
    let cut = matches!(&reason, CloseReason::Failed(notice) if notice.code == Code::ERROR);
    assert!(cut || reason == CloseReason::Stalled, "{reason}");
    victim.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_more_than_was_granted_is_cut_off_and_what_waits_is_bounded() {
    let mut victim = Victim::clear().await;
    let (mut socket, link) = victim.attacked().await;
    socket.write_all(&open(0, ChannelType::FILE, 100_000)).await.unwrap();
    accepted(&mut socket, ChannelType::FILE).await;
    let mut sent = 0;
    for sequence in 0.. {
        let data = packet(1, sequence, ChannelId::of(ChannelType::FILE), 0, &vec![0; 60_000]);
        if link.close_reason().is_some() || socket.write_all(&data).await.is_err() {
            break;
        }
        sent += 1;
        tokio::task::yield_now().await;
    }
    let reason = link.closed().await;
    assert!(
        matches!(&reason, CloseReason::Failed(notice) if notice.code == Code::ERROR),
        "{reason} after {sent}"
    );
    let received = link.stats().bytes_received;
    assert!(received <= 2 * 1024 * 1024, "{received} bytes were taken of who may send one MiB");
    victim.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lives_and_never_reads_is_stalled_and_what_waits_for_it_is_bounded() {
    let mut victim = Victim::clear().await;
    let (mut socket, link) = victim.attacked().await;
    socket.write_all(&open(0, ChannelType::SERVICE, u32::MAX)).await.unwrap();
    for sequence in 1.. {
        let alive = packet(3, sequence, ChannelId::CONTROL, 0, &Echo::Answer(1).encode());
        if link.close_reason().is_some() || socket.write_all(&alive).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(link.closed().await, CloseReason::Stalled);
    victim.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replayed_and_reordered_packets_are_dropped_and_counted_and_the_link_goes_on() {
    let mut victim = Victim::clear().await;
    let (mut socket, link) = victim.attacked().await;
    let id = ChannelId::of(ChannelType::MEDIA);
    socket.write_all(&open(0, ChannelType::MEDIA, 100_000)).await.unwrap();
    while link.channel_stats().is_empty() || link.stats().active_channels < 3 {
        tokio::task::yield_now().await;
    }
    let mut wire = Vec::new();
    for sequence in [0, 1, 1, 0, 5, 3, 6] {
        wire.extend_from_slice(&packet(1, sequence, id, 0, &sequence.to_le_bytes()));
    }
    socket.write_all(&wire).await.unwrap();
    let mut echoed = Vec::new();
    while echoed.len() < 4 {
        let mut header = [0; HEADER_LEN];
        socket.read_exact(&mut header).await.unwrap();
        let header = Header::decode(header);
        let mut data = vec![0; header.size as usize];
        socket.read_exact(&mut data).await.unwrap();
        if (header.channel, header.kind) == (id, 1) {
            echoed.push(data[0]);
        }
    }
    assert_eq!(echoed, [0, 1, 5, 6]);
    let stats = link.stats();
    assert_eq!((stats.replayed, stats.lost), (3, 3));
    assert_eq!(link.close_reason(), None);
    victim.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_peer_is_given_up_before_and_after_the_handshake() {
    let mut victim = Victim::clear().await;
    let (socket, link) = victim.attacked().await;
    let began = Instant::now();
    assert_eq!(link.closed().await, CloseReason::KeepaliveTimeout);
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    victim.is_well().await;
    drop(socket);
    let world = World::new();
    let mut victim = Victim::new(world.config(Side::Acceptor, Secrecy::Packets)).await;
    let (mut socket, link) = victim.attacked().await;
    socket.write_all(&[1, 5, 0, 0, 1]).await.unwrap();
    assert_eq!(link.closed().await, CloseReason::HandshakeTimeout);
    victim.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_said_once_lets_nobody_else_in() {
    let world = World::new();
    let mut victim = Victim::new(world.config(Side::Acceptor, Secrecy::Packets)).await;
    // A member's whole side of a handshake, recorded.
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let (mut real, _link) = victim.attacked().await;
    let member = Link::start(far, world.config(Side::Dialer, Secrecy::Packets)).unwrap();
    let mut recorded = Vec::new();
    let (mut ours, mut theirs) = ([0; 8192], [0; 8192]);
    while member.peer().is_none() {
        tokio::select! {
            Ok(count) = near.read(&mut ours) => {
                recorded.extend_from_slice(&ours[..count]);
                real.write_all(&ours[..count]).await.unwrap();
            }
            Ok(count) = real.read(&mut theirs) => near.write_all(&theirs[..count]).await.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    let mut rest = [0; 8192];
    if let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(100), near.read(&mut rest)).await {
        recorded.extend_from_slice(&rest[..count]);
    }
    let (mut socket, link) = victim.attacked().await;
    socket.write_all(&recorded).await.unwrap();
    let reason = link.ready().await.unwrap_err();
    assert!(
        matches!(&reason, CloseReason::Failed(notice) if notice.code == Code::MEMBER_SECURITY_ISSUE),
        "{reason}"
    );
    victim.is_well().await;
}
