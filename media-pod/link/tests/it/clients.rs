//! The client of a stream, and of a place to publish to, against a server made of this crate.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use millrace_link::avrs::{Content, ContentFlags, Direction, Generation, Opinion, ServerEvent, Verifier};
use millrace_link::client::{Address, ClientError, Options, Player, Publisher};
use millrace_link::net::{Link, Served, SessionServer, accept_tcp, accept_websocket};
use millrace_link::secure::{Claim, Members, Secrecy, handshake::Credentials};
use millrace_link::wire::{Code, Role, TsdWriter, tag};
use millrace_link::{Config, Security, Side};
use tokio::net::TcpListener;

use crate::secure::World;

/// Lets in who says `ann:secret`, to anything.
struct Ann;

impl Verifier for Ann {
    fn authenticate(&self, member: &Claim, credentials: &Bytes) -> Opinion {
        assert_eq!((member.id, member.role), (None, Role::CLIENT));
        if credentials == "ann:secret" { Opinion::Allow } else { Opinion::Deny(Code::MEMBER_INFO_PROBLEM) }
    }

    fn select(&self, _: &Claim, _: &str, _: Direction) -> Opinion {
        Opinion::Allow
    }
}

fn acceptor(world: &World) -> Config {
    let credentials = Credentials {
        trust: Arc::new(Members::with_nameless_clients()),
        ..world.credentials(Some(&world.server), Role::SERVER, Secrecy::Packets)
    };
    Config::new(Side::Acceptor, Security::Handshake(credentials))
}

/// Generations and numbers of what is sent to who watches.
const SENT: [(u64, u64, &str); 6] =
    [(1, 0, "a"), (1, 1, "b"), (2, 0, "c"), (1, 2, "old"), (2, 5, "e"), (2, 6, "f")];

async fn serve(link: Link, published: Arc<Mutex<Vec<Content>>>) {
    let mut server = SessionServer::new(link, Arc::new(Ann), 4).await.unwrap();
    let mut open = None;
    while let Ok(served) = server.next().await {
        let Served::Session(event) = served else { continue };
        match event {
            ServerEvent::Select { session, target, .. } => {
                let answer = match target.content.as_str() {
                    "/live" => Ok(TsdWriter::new().with(tag::STREAM, &7_u64.to_le_bytes())),
                    _ => Err((Code::SESSION_CONTENT_ID_WRONG, "no such stream")),
                };
                server.sessions().answer(session, answer);
            }
            ServerEvent::Opened { session, channel, target } => {
                open = Some((session, server.take_channel(channel).unwrap(), target.direction));
            }
            ServerEvent::Synchronise { session, .. } => {
                server.sessions().answer(session, Ok(TsdWriter::new()));
            }
            ServerEvent::Stream { .. } => match open.take().unwrap() {
                (session, channel, Direction::Watch) => {
                    for (epoch, item, data) in SENT {
                        let content = Content {
                            stream: 7,
                            flags: ContentFlags::NONE,
                            generation: Generation { epoch, run: 1 },
                            timestamp: 0,
                            item,
                            data: data.into(),
                        };
                        channel.send_parts(content.encode_head(), content.data.clone()).await.unwrap();
                    }
                    channel.close(Code::SUCCESS, "over");
                    server.sessions().end(session, Code::SUCCESS, "over");
                }
                (_, channel, Direction::Publish) => {
                    let published = published.clone();
                    tokio::spawn(async move {
                        while let Ok(message) = channel.recv().await {
                            published.lock().unwrap().push(Content::decode(&message).unwrap());
                        }
                    });
                }
            },
            _ => {}
        }
    }
}

async fn server(websocket: bool) -> (u16, Arc<Mutex<Vec<Content>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let published: Arc<Mutex<Vec<Content>>> = Arc::default();
    let to = published.clone();
    let world = World::new();
    tokio::spawn(async move {
        loop {
            let socket = listener.accept().await.unwrap().0;
            let link = if websocket {
                accept_websocket(socket, acceptor(&world)).await.unwrap()
            } else {
                accept_tcp(socket, acceptor(&world)).unwrap()
            };
            tokio::spawn(serve(link, to.clone()));
        }
    });
    (port, published)
}

#[tokio::test]
async fn a_player_gets_a_stream_in_order_and_never_an_older_generation_after_a_newer() {
    for (scheme, websocket) in [("millrace", false), ("millrace+ws", true)] {
        let (port, _) = server(websocket).await;
        let address: Address = format!("{scheme}://ann:secret@127.0.0.1:{port}/live").parse().unwrap();
        let mut player = Player::open(&address, &Options::default()).await.unwrap();
        let mut got = Vec::new();
        while let Some(content) = player.next().await.unwrap() {
            got.push(content.data);
        }
        assert_eq!(got, ["a", "b", "c", "e", "f"]);
        let numbers = player.numbers();
        assert_eq!((numbers.packets, numbers.stale, numbers.skipped, numbers.generations), (5, 1, 4, 1));
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_apart_from_what_may_pass() {
    let (port, _) = server(false).await;
    let open = |text: String| async move {
        let address: Address = text.parse().unwrap();
        Player::open(&address, &Options::default()).await.err().unwrap()
    };
    let wrong = open(format!("millrace://bob:x@127.0.0.1:{port}/live")).await;
    assert!(matches!(wrong, ClientError::Password(_)) && !wrong.may_pass(), "{wrong}");
    let nothing = open(format!("millrace://ann:secret@127.0.0.1:{port}/nothing")).await;
    assert!(nothing.to_string().contains("no such stream") && !nothing.may_pass(), "{nothing}");
    let nobody = open("millrace://127.0.0.1:1/live".to_owned()).await;
    assert!(matches!(nobody, ClientError::Connect { .. }) && nobody.may_pass(), "{nobody}");
    let no_tls = open("millraces://127.0.0.1:1/live".to_owned()).await;
    assert!(matches!(no_tls, ClientError::NoTls(_)) && !no_tls.may_pass(), "{no_tls}");
}

#[tokio::test]
async fn what_is_published_arrives_in_order_and_its_end_is_marked() {
    let (port, arrived) = server(false).await;
    let address: Address = format!("millrace://ann:secret@127.0.0.1:{port}/live").parse().unwrap();
    let mut publisher = Publisher::open(&address, &Options::default()).await.unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    publisher.send(Bytes::from(bytes.clone())).await.unwrap();
    publisher.finish().await.unwrap();
    let arrived = arrived.lock().unwrap();
    let all: Vec<u8> = arrived.iter().flat_map(|content| content.data.to_vec()).collect();
    assert!(all == bytes);
    assert!(arrived.last().unwrap().flags.has(ContentFlags::END));
    let items: Vec<u64> = arrived.iter().map(|content| content.item).collect();
    assert_eq!(items, [0, 65_536, 131_072, 196_608, 262_144, 300_000]);
}
