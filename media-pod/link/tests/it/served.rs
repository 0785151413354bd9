//! Sessions over a real link.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use millrace_link::avrs::{
    ClusterMessage, Content, ContentFlags, ContentKind, Direction, Generation, Join, Return, RolesOnly,
    ServerEvent, Target,
};
use millrace_link::net::{
    HeldSession, Link, Served, SessionClient, SessionError, SessionServer, Wish, accept_tcp, connect_tcp,
};
use millrace_link::secure::{MemberKey, Secrecy};
use millrace_link::wire::{ChannelType, Code, Role, TsdWriter, tag};
use millrace_link::{Config, Security, Side};
use tokio::net::TcpListener;

use crate::secure::World;

async fn links(world: &World, role: Role) -> (Link, Link) {
    let key = if role == Role::CLIENT { None } else { Some(&world.server) };
    let security = Security::Handshake(world.credentials(key, role, Secrecy::Packets));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = Config::new(Side::Dialer, security);
    let dialed = connect_tcp(listener.local_addr().unwrap(), ours).await.unwrap();
    let acceptor = world.config(Side::Acceptor, Secrecy::Packets);
    (dialed, accept_tcp(listener.accept().await.unwrap().0, acceptor).unwrap())
}

fn wish(content: &str) -> Wish {
    Wish {
        target: Target {
            content: content.into(),
            direction: Direction::Watch,
            kind: ContentKind::Live,
            quality: None,
        },
        credentials: Bytes::new(),
        join: Join::LiveEdge,
        position: None,
    }
}

/// Serves `/live` (stream 7): two packets signed by the first key, one by the second, one not at all.
async fn serve(link: Link, keys: [Arc<MemberKey>; 2]) {
    let mut server = SessionServer::new(link, Arc::new(RolesOnly), 10).await.unwrap();
    let mut channel = None;
    while let Ok(served) = server.next().await {
        match served {
            Served::Session(ServerEvent::Select { session, target, .. }) => {
                let answer = if target.content == "/live" {
                    Ok(TsdWriter::new().with(tag::STREAM, &7_u64.to_le_bytes()))
                } else {
                    Err((Code::SESSION_CONTENT_ID_WRONG, "no such stream"))
                };
                assert!(server.sessions().answer(session, answer));
            }
            Served::Session(ServerEvent::Synchronise { session, .. }) => {
                assert!(server.sessions().answer(session, Ok(TsdWriter::new())));
            }
            Served::Session(ServerEvent::Opened { channel: id, .. }) => channel = server.take_channel(id),
            Served::Session(ServerEvent::Stream { .. }) => {
                let channel = channel.take().unwrap();
                for item in 0..4 {
                    let content = Content {
                        stream: 7,
                        flags: ContentFlags::NONE,
                        generation: Generation { epoch: 1, run: 1 },
                        timestamp: item,
                        item,
                        data: Bytes::from(vec![item as u8; 50_000]),
                    };
                    let head = match item {
                        0 | 1 => content.sign_head(&keys[0]).unwrap(),
                        2 => content.sign_head(&keys[1]).unwrap(),
                        _ => content.encode_head(),
                    };
                    channel.send_parts(head, content.data).await.unwrap();
                }
                channel.close(Code::CONTENT_UNAVAILABLE, "over");
                channel.closed().await;
            }
            Served::Cluster { request, .. } => {
                server.answer_cluster(&request, Code::SUCCESS, TsdWriter::new());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_client_watches_a_stream_and_takes_only_what_is_signed_by_a_member() {
    let world = World::new();
    let (dialed, accepted) = links(&world, Role::CLIENT).await;
    let alien = Arc::new(MemberKey::generate().unwrap());
    let served = tokio::spawn(serve(accepted, [world.server.clone(), alien]));
    let client = SessionClient::new(&dialed).await.unwrap();
    let error = client.begin(&wish("/other")).await.err().unwrap();
    assert!(matches!(error, SessionError::Code { code: Code::SESSION_CONTENT_ID_WRONG, .. }), "{error}");
    let session = client.begin(&wish("/live")).await.unwrap();
    assert_eq!(session.stream(), 7);
    for item in 0..2 {
        let (packet, content) = session.recv(Some(&*world.members)).await.unwrap();
        assert_eq!((content.item, content.data.len()), (item, 50_000));
        assert!(packet.len() > 50_000);
    }
    let codes = [Code::SIGN_ALIEN, Code::SIGN_NOT_PRESENT];
    for code in codes {
        let error = session.recv(Some(&*world.members)).await.unwrap_err();
        assert_eq!(error, SessionError::Content(code));
    }
    assert!(matches!(session.recv(None).await, Err(SessionError::Channel(_))), "the server closed it");
    session.close().await.unwrap();
    drop((client, dialed));
    served.await.unwrap();
}

#[tokio::test]
async fn a_held_session_that_is_dropped_is_closed_and_what_is_kept_with_it_outlives_that() {
    let world = World::new();
    let (dialed, accepted) = links(&world, Role::CLIENT).await;
    let serving = tokio::spawn(async move {
        let mut server = SessionServer::new(accepted, Arc::new(RolesOnly), 10).await.unwrap();
        loop {
            let answer = TsdWriter::new().with(tag::STREAM, &7_u64.to_le_bytes());
            match server.next().await.unwrap() {
                Served::Session(ServerEvent::Stream { .. }) => return server,
                Served::Session(
                    ServerEvent::Select { session, .. } | ServerEvent::Synchronise { session, .. },
                ) => {
                    assert!(server.sessions().answer(session, Ok(answer)));
                }
                _ => {}
            }
        }
    });
    let client = SessionClient::new(&dialed).await.unwrap();
    let kept = Arc::new(());
    let held = HeldSession::new(client.begin(&wish("/live")).await.unwrap(), kept.clone());
    assert_eq!((held.stream(), Arc::strong_count(&kept)), (7, 2));
    // Nobody answers until it is asked what is next.
    let mut server = serving.await.unwrap();
    drop(held);
    assert_eq!(Arc::strong_count(&kept), 2, "it is not closed yet");
    let next = server.next().await.unwrap();
    assert!(matches!(next, Served::Session(ServerEvent::Closed { .. })), "{next:?}");
    while Arc::strong_count(&kept) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_client_that_sends_a_cluster_command_gets_the_code_and_a_server_an_answer() {
    let world = World::new();
    for (role, code) in [(Role::CLIENT, Code::MEMBER_SECURITY_ISSUE), (Role::SERVER, Code::SUCCESS)] {
        let (dialed, accepted) = links(&world, role).await;
        tokio::spawn(serve(accepted, [world.server.clone(), world.server.clone()]));
        let returns = dialed.open_channel(ChannelType::RETCODE).await.unwrap();
        let cluster = dialed.open_channel(ChannelType::CLUSTER).await.unwrap();
        cluster.send(ClusterMessage::ListMembers.encode(4)).await.unwrap();
        let returned = Return::decode(&returns.recv().await.unwrap()).unwrap();
        assert_eq!((returned.code, returned.channel, returned.request), (code, ChannelType::CLUSTER, 4));
        assert!(dialed.close_reason().is_none());
    }
}
