//! Peers that do what they should not: with a member's key, and without.

use std::{collections::VecDeque, fs, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use millrace_e2e::{Pod, Watcher, eventually};
use millrace_fencing::Holder;
use millrace_link::{
    Config, Role, Security, Side,
    avrs::{
        Announcement, ClusterMessage, Content, ContentFlags, Generation, Return, RolesOnly, ServerEvent,
        Serving,
    },
    net::{Channel, Link, Served, SessionServer, connect_tcp},
    secure::{MemberKey, Members, Secrecy, handshake::Credentials},
    wire::{ChannelType, Code, Notice, TsdWriter, tag},
};
use tokio::{net::TcpSocket, runtime::Runtime};

use crate::support::{Cluster, camera, known, link_of, ts};

/// The id of its stream.
const STREAM: u64 = 9;

fn member(cluster: &Cluster, name: &str) -> Arc<MemberKey> {
    let pem = fs::read(cluster.path(&format!("{name}.key"))).unwrap();
    Arc::new(MemberKey::from_pem(&pem).unwrap())
}

async fn dial(to: &str, key: &Arc<MemberKey>, holder: &str, members: Members) -> Link {
    let credentials = Credentials {
        key: Some(key.clone()),
        role: Role::SERVER,
        grant: Bytes::copy_from_slice(holder.as_bytes()),
        trust: Arc::new(members),
        secrecy: Secrecy::Packets,
        binding: Bytes::new(),
    };
    connect_tcp(to, Config::new(Side::Dialer, Security::Handshake(credentials))).await.unwrap()
}

/// The balancers of the cluster.
fn trust(cluster: &Cluster) -> Members {
    let members = Members::new();
    members.insert(member(cluster, "edge").id(), Role::BALANCER);
    members
}

fn content(run: u64, item: u64, data: &Bytes) -> Content {
    Content {
        stream: STREAM,
        flags: ContentFlags::NONE,
        generation: Generation { epoch: 1, run },
        timestamp: u64::MAX,
        item,
        data: data.clone(),
    }
}

fn announcement(cluster: &Cluster, path: &str, feed: &str, holder: &Holder) -> ClusterMessage {
    ClusterMessage::Announce(Announcement {
        path: path.into(),
        feed_uid: format!("uid-{feed}"),
        epoch: 1,
        grant: cluster.signed(feed, holder, 1).into(),
        stream: STREAM,
        serving: Serving::default(),
    })
}

/// Announces `/fake.ts`, and gives each session to `give`, which sends what it likes.
async fn fake<F>(link: Link, announce: Bytes, give: impl Fn(Arc<Channel>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut server = SessionServer::new(link.clone(), Arc::new(RolesOnly), 100).await.unwrap();
    let mut channels = std::collections::HashMap::new();
    tokio::spawn(async move {
        let said = link.open_channel(ChannelType::CLUSTER).await.unwrap();
        said.send(announce).await.unwrap();
        said.closed().await;
    });
    while let Ok(served) = server.next().await {
        match served {
            Served::Session(ServerEvent::Select { session, .. }) => {
                let stream = TsdWriter::new().with(tag::STREAM, &STREAM.to_le_bytes());
                server.sessions().answer(session, Ok(stream));
            }
            Served::Session(ServerEvent::Opened { session, channel, .. }) => {
                channels.insert(session, Arc::new(server.take_channel(channel).unwrap()));
            }
            Served::Session(ServerEvent::Synchronise { session, .. }) => {
                server.sessions().answer(session, Ok(TsdWriter::new()));
            }
            Served::Session(ServerEvent::Stream { session }) => {
                tokio::spawn(give(channels[&session].clone()));
            }
            Served::Session(ServerEvent::Closed { session }) => {
                channels.remove(&session);
            }
            _ => {}
        }
    }
}

fn refused(edge: &Pod, reason: &str) -> i64 {
    edge.metric(&format!("millrace_edge_content_refused_total{{reason=\"{reason}\"}}"))
}

/// Bytes of no known container, enough to be known for that.
fn plain() -> Bytes {
    Bytes::from(vec![0; 70_000])
}

#[test]
fn content_that_is_not_signed_or_wrongly_or_by_a_stranger_or_too_old_reaches_no_viewer() {
    let cluster = Cluster::new();
    let runtime = Runtime::new().unwrap();
    let holder: Holder = "pod-one_boot-fake".parse().unwrap();
    for reason in ["unsigned", "wrong signature", "alien", "older", "broken"] {
        let edge = cluster.balancer("edge", "", &[]);
        let (own, alien) = (member(&cluster, "one"), member(&cluster, "alien"));
        let give = move |channel: Arc<Channel>| {
            let (own, alien) = (own.clone(), alien.clone());
            async move {
                let good = content(5, 0, &plain());
                let _ = channel.send_parts(good.sign_head(&own).unwrap(), good.data.clone()).await;
                let evil = Bytes::from(vec![0xee; 50_000]);
                let bad = content(5, 70_000, &evil);
                let head = match reason {
                    "unsigned" => bad.encode_head(),
                    "alien" => bad.sign_head(&alien).unwrap(),
                    "wrong signature" => content(5, 70_000, &plain()).sign_head(&own).unwrap(),
                    "older" => Content { generation: Generation { epoch: 1, run: 4 }, ..bad.clone() }
                        .sign_head(&own)
                        .unwrap(),
                    _ => Content { stream: 10, ..bad.clone() }.sign_head(&own).unwrap(),
                };
                let _ = channel.send_parts(head, evil).await;
                channel.closed().await;
            }
        };
        let (to, key, holder) = (link_of(&edge), member(&cluster, "one"), holder.to_string());
        let link = runtime.block_on(dial(&to, &key, &holder, trust(&cluster)));
        let announce = announcement(&cluster, "/fake.ts", "fake", &holder.parse().unwrap()).encode(1);
        let faking = runtime.spawn(fake(link.clone(), announce, give));
        known(&edge, "/fake.ts");
        let viewer = Watcher::new(edge.viewer("/fake.ts"));
        eventually(&format!("content is refused: {reason}"), || (refused(&edge, reason) > 0).then_some(()));
        let body = eventually("the good content", || Some(viewer.body()).filter(|body| !body.is_empty()));
        assert!(body.iter().all(|byte| *byte == 0), "{reason}: it reached a viewer");
        link.close(&Notice::done());
        let _ = runtime.block_on(faking);
        eventually("the link is over", || (edge.metric("millrace_edge_links") == 0).then_some(()));
    }
}

#[test]
fn who_fills_the_port_with_silence_keeps_nobody_else_out() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let to: SocketAddr = link_of(&edge).parse().unwrap();
    let runtime = Runtime::new().unwrap();
    // As many as there is room for, all the time, from one address.
    let flood = runtime.spawn(async move {
        let mut silent = VecDeque::new();
        loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
            silent.push_back(socket.connect(to).await.unwrap());
            if silent.len() > 400 {
                silent.pop_front();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let failed = || edge.metric("millrace_edge_handshakes_failed_total");
    eventually("it is full", || (failed() > 300).then_some(()));
    let _server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let before = failed();
    Watcher::new(edge.viewer("/a.ts")).flows(10_000);
    eventually("it went on", || (failed() > before + 50).then_some(()));
    assert!(!flood.is_finished());
    flood.abort();
}

#[test]
fn strangers_are_not_let_in_and_members_announce_only_what_was_granted_to_them() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let runtime = Runtime::new().unwrap();
    let to = link_of(&edge);
    runtime.block_on(async {
        let (alien, two) = (member(&cluster, "alien"), member(&cluster, "two"));
        let link = dial(&to, &alien, "pod-alien_boot-1", trust(&cluster)).await;
        assert!(link.closed().await.to_string().contains("AVRS_ERROR_SIGN_ALIEN"));
        // Nor is one that says it is another's pod.
        let thief = dial(&to, &two, &server.holder.to_string(), trust(&cluster)).await;
        assert!(thief.closed().await.to_string().contains("AVRS_ERROR_MEMBER_SECURITY_ISSUE"));
        let nameless = dial(&to, &two, "nobody", trust(&cluster)).await;
        nameless.closed().await;

        // A member with another's grant, with one that nobody signed, and with none.
        let link = dial(&to, &two, "pod-two_boot-1", trust(&cluster)).await;
        let mut sessions = SessionServer::new(link.clone(), Arc::new(RolesOnly), 10).await.unwrap();
        let own: Holder = "pod-two_boot-1".parse().unwrap();
        let other = announcement(&cluster, "/a.ts", "a", &server.holder);
        let mut forged = announcement(&cluster, "/b.ts", "b", &own);
        let mut none = announcement(&cluster, "/c.ts", "c", &own);
        if let (ClusterMessage::Announce(forged), ClusterMessage::Announce(none)) = (&mut forged, &mut none) {
            let mut grant = forged.grant.to_vec();
            *grant.last_mut().unwrap() ^= 1;
            forged.grant = grant.into();
            none.grant = Bytes::new();
        }
        let all = [other, forged, none, ClusterMessage::Drain];
        let wanted =
            [Code::SIGN_ALIEN, Code::SIGN_INCORRECT, Code::SIGN_NOT_PRESENT, Code::MEMBER_SECURITY_ISSUE];
        let saying = link.clone();
        tokio::spawn(async move {
            let said = saying.open_channel(ChannelType::CLUSTER).await.unwrap();
            for (number, message) in all.iter().enumerate() {
                said.send(message.encode(number as u32 + 1)).await.unwrap();
            }
            said.closed().await;
        });
        for (number, code) in wanted.into_iter().enumerate() {
            let returned = loop {
                let next = tokio::time::timeout(Duration::from_secs(30), sessions.next()).await.unwrap();
                if let Served::Return(returned) = next.unwrap() {
                    break returned;
                }
            };
            let Return { code: told, request, .. } = returned;
            assert_eq!((told, request), (code, number as u32 + 1));
        }
    });
    assert_eq!(edge.metric("millrace_edge_paths"), 1);
    known(&edge, "/a.ts");
}
