//! Peers that do what they should not, at the ports of the balancers: viewers see nothing of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use millrace_e2e_kubernetes::{await_condition, block_on, uid, with_temp_namespace};
use millrace_link::{
    net::Link,
    wire::{ChannelId, ChannelType, HEADER_LEN, Header},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use super::{
    PATIENCE, Scene, epoch,
    stranger::{announcement, config, key_of, links, metric, say},
};

/// Longer than a balancer waits for a handshake.
const LET_GO: Duration = Duration::from_secs(20);

/// Says something, at once or for ever, and reads or not, until it is hung up on.
async fn attack(door: String, first: Vec<u8>, again: Vec<u8>, reads: bool) {
    let Ok(mut socket) = TcpStream::connect(&door).await else { return };
    let (mut from, mut to) = socket.split();
    let saying = async {
        let mut said = to.write_all(&first).await;
        while said.is_ok() && !again.is_empty() {
            said = to.write_all(&again).await;
        }
        // Still there, though it has nothing more to say.
        if said.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    let hearing = async {
        let mut buffer = [0; 4096];
        if !reads {
            std::future::pending::<()>().await;
        }
        while let Ok(1..) = from.read(&mut buffer).await {}
    };
    tokio::select! { () = saying => {}, () = hearing => {} }
}

/// A packet of the link, in clear.
fn packet(kind: u8, channel: ChannelType, size: u32, data: &[u8]) -> Vec<u8> {
    let mut out = size.to_le_bytes().to_vec();
    out.push(kind);
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.extend_from_slice(&[channel.0, 0, 0]);
    out.extend_from_slice(data);
    out
}

#[test]
fn garbage_and_floods_and_who_never_reads_harm_nobody() {
    with_temp_namespace("hostile", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(40);
        let balancers = Scene::balancers(space, 2);
        let owners = ["a", "b"].map(|feed| epoch(&space.owner(feed).0));
        let noise: Vec<u8> =
            (0..60_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let hello = packet(1, ChannelType::SECURITY, 2000, &[1; 2000]);
        let begun = packet(1, ChannelType::SECURITY, 60_000, &noise[..100]);
        let ask = packet(3, ChannelType::CONTROL, 9, &[0; 9]);
        for balancer in &balancers {
            let (door, front) = (space.door(balancer, 9100), space.door(balancer, 8080));
            block_on(async {
                let (mut linking, mut asking) = (JoinSet::new(), JoinSet::new());
                for (to, all) in [(&door, &mut linking), (&front, &mut asking)] {
                    let mut with = |first: &[u8], again: &[u8], reads: bool, count: usize| {
                        for _ in 0..count {
                            all.spawn(attack(to.clone(), first.to_vec(), again.to_vec(), reads));
                        }
                    };
                    // Garbage, as much as is taken; what is no handshake, half of one, or nothing; a viewer who never reads.
                    with(&noise, &noise, true, 4);
                    with(&noise, &noise, false, 4);
                    with(&hello, &ask, true, 8);
                    with(&hello, &ask, false, 8);
                    with(&begun, &[], true, 20);
                    with(&[], &[], true, 100);
                    with(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", &[], to == &door, 8);
                    with(b"GET /a HTTP/1.1\r\nX: ", &[], true, 20);
                    with(b"GET /a HTTP/1.1\r\n", b"X: y\r\n", true, 4);
                }
                let over = timeout(LET_GO, async { while linking.join_next().await.is_some() {} }).await;
                assert!(over.is_ok(), "{} that are no members hold on to the port for links", linking.len());
                while asking.try_join_next().is_some() {}
                println!("who is not served well is let go; {} still wait at the front door", asking.len());
            });
            let memory = metric(space, balancer, "process_resident_memory_bytes");
            println!("{} MB in memory", memory / 1e6);
            assert!(memory > 1e6 && memory < 200e6, "{memory}");
            links(space, balancer, 2);
        }
        println!("the longest gap beside all that: {:.2?}", crowd.longest_gap(None));
        crowd.all_see(20);
        crowd.unharmed();
        assert!(crowd.longest_gap(None) < PATIENCE, "{:?}", crowd.longest_gap(None));
        assert_eq!(owners, ["a", "b"].map(|feed| epoch(&space.owner(feed).0)), "no feed was moved");
    });
}

/// The wire between a link and the balancer's port: all that the link says is kept, and said twice where it is no handshake.
async fn tapped(to: &str) -> (DuplexStream, Arc<Mutex<Vec<u8>>>) {
    let (near, far) = tokio::io::duplex(1 << 20);
    let (mut ours, mut theirs) = tokio::io::split(far);
    let (mut down, mut up) = TcpStream::connect(to).await.unwrap().into_split();
    let record = Arc::<Mutex<Vec<u8>>>::default();
    let keep = record.clone();
    tokio::spawn(async move {
        let mut head = [0; HEADER_LEN];
        while ours.read_exact(&mut head).await.is_ok() {
            let header = Header::decode(head);
            let mut whole = head.to_vec();
            whole.resize(HEADER_LEN + header.size as usize, 0);
            if ours.read_exact(&mut whole[HEADER_LEN..]).await.is_err() {
                return;
            }
            keep.lock().unwrap().extend_from_slice(&whole);
            let times = if header.channel == ChannelId::of(ChannelType::SECURITY) { 1 } else { 2 };
            for _ in 0..times {
                if up.write_all(&whole).await.is_err() {
                    return;
                }
            }
        }
    });
    tokio::spawn(async move { tokio::io::copy(&mut down, &mut theirs).await });
    (near, record)
}

#[test]
fn what_was_recorded_is_worth_nothing_the_second_time() {
    with_temp_namespace("replays", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(20);
        let (_, pod) = space.owner("b");
        let (key, holder) = (key_of(space, &pod), format!("{}_again", uid(&pod)));
        for balancer in Scene::balancers(space, 2) {
            let door = space.door(&balancer, 9100);
            let replayed = || metric(space, &balancer, "millrace_link_replayed_packets_total");
            // A member's link, each of whose packets comes twice: that is noticed, and does no harm.
            let (link, record) = block_on(async {
                let (wire, record) = tapped(&door).await;
                let link = Link::start(wire, config(&key, &holder)).unwrap();
                let claim = announcement("/x", "nobody", 1, &[]);
                let codes = say(&link, vec![claim; 3]).await;
                assert_eq!(codes.len(), 3, "each was heard once");
                (link, record)
            });
            let count = await_condition("what came twice is counted", || {
                Some(replayed()).filter(|count| *count >= 3.0)
            });
            println!("{count} packets came twice");
            assert_eq!(link.close_reason(), None);
            drop(link);
            links(space, &balancer, 2);
            // All that it said, said again by somebody else.
            let record = record.lock().unwrap().clone();
            let ended = block_on(async { timeout(LET_GO, attack(door, record, Vec::new(), true)).await });
            assert!(ended.is_ok(), "a recording is let in");
            links(space, &balancer, 2);
        }
        crowd.all_see(20);
        crowd.unharmed();
    });
}
