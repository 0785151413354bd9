use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use millrace_link::engine::{Filter, SendError, Verdict};
use millrace_link::net::{
    Backoff, ChannelError, Link, Pool, SUBPROTOCOL, accept_tcp, accept_tls, accept_upgraded, connect_tcp,
    connect_tls, connect_websocket,
};
use millrace_link::secure::Secrecy;
use millrace_link::wire::{ChannelType, Code, OpenOptions, Role};
use millrace_link::{CloseReason, Config, Notice, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::secure::World;

fn dialer() -> Config {
    Config::clear(Side::Dialer, Role::SERVER)
}

fn acceptor() -> Config {
    Config::clear(Side::Acceptor, Role::CLIENT)
}

async fn tcp(ours: Config, theirs: Config) -> (Link, Link) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialed = connect_tcp(listener.local_addr().unwrap(), ours).await.unwrap();
    let accepted = accept_tcp(listener.accept().await.unwrap().0, theirs).unwrap();
    (dialed, accepted)
}

/// Messages of many sizes there and back again.
async fn exercise(dialed: &Link, accepted: &Link) {
    dialed.ready().await.unwrap();
    accepted.ready().await.unwrap();
    let echo = async {
        let channel = accepted.accept().await.unwrap().accept().unwrap();
        while let Ok(message) = channel.recv().await {
            channel.send(message).await.unwrap();
        }
    };
    let ask = async {
        let channel = dialed.open_channel(ChannelType::MEDIA).await.unwrap();
        for size in [0, 1, 100, 16_384, 16_385, 400_000] {
            // Noise, so that none of it is compressed away.
            let message = crate::pair::Random(7).bytes(size);
            channel.send_parts(message.slice(..size / 2), message.slice(size / 2..)).await.unwrap();
            assert_eq!(channel.recv().await.unwrap(), message);
        }
    };
    tokio::join!(echo, ask);
}

#[tokio::test]
async fn messages_pass_over_tcp() {
    let (dialed, accepted) = tcp(dialer(), acceptor()).await;
    exercise(&dialed, &accepted).await;
    let stats = dialed.stats();
    assert!(stats.packets_sent > 30 && stats.bytes_received > 400_000, "{stats:?}");
}

#[tokio::test]
async fn sealed_messages_pass_over_tcp() {
    let world = World::new();
    let config = |side| world.config(side, Secrecy::Packets);
    let (dialed, accepted) = tcp(config(Side::Dialer), config(Side::Acceptor)).await;
    exercise(&dialed, &accepted).await;
    assert_eq!(accepted.peer().unwrap().id, Some(world.server.id()));
}

#[tokio::test]
async fn messages_pass_over_tls_and_the_handshake_is_bound_to_it() {
    let world = World::new();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let (dialed, accepted) = tokio::join!(
        connect_tls(stream, name, client.into(), world.config(Side::Dialer, Secrecy::Transport)),
        accept_tls(accepted, server.into(), world.config(Side::Acceptor, Secrecy::Transport)),
    );
    exercise(&dialed.unwrap(), &accepted.unwrap()).await;
}

#[tokio::test]
async fn messages_pass_over_a_websocket_through_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The upgrade, as an HTTP server does it.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let request = String::from_utf8(request).unwrap();
        let header = |name: &str| {
            request
                .lines()
                .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
                .unwrap()
                .1
        };
        assert_eq!(header("sec-websocket-protocol"), SUBPROTOCOL);
        let key = tokio_tungstenite::tungstenite::handshake::derive_accept_key(
            header("sec-websocket-key").as_bytes(),
        );
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        accept_upgraded(stream, acceptor()).await.unwrap()
    };
    let dial = async {
        let stream = TcpStream::connect(address).await.unwrap();
        connect_websocket(stream, &format!("ws://{address}/link"), dialer()).await.unwrap()
    };
    let (accepted, dialed) = tokio::join!(accept, dial);
    exercise(&dialed, &accepted).await;
    dialed.close(&Notice::new(Code::SUCCESS, "bye"));
    assert!(matches!(accepted.closed().await, CloseReason::Peer(notice) if notice.text == "bye"));
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_its_channel_and_no_other() {
    let (dialed, accepted) = tcp(dialer(), acceptor()).await;
    let (idle, media) =
        tokio::join!(async { dialed.open_channel(ChannelType::FILE).await.unwrap() }, async {
            accepted.accept().await.unwrap().accept().unwrap()
        });
    let message = Bytes::from(vec![1; 100_000]);
    let mut sent = 0;
    loop {
        match idle.try_send(Bytes::new(), message.clone()) {
            Ok(()) => sent += 1,
            Err(ChannelError::Send(SendError::Full)) => break,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 1000);
        tokio::task::yield_now().await;
    }
    exercise(&dialed, &accepted).await;
    assert!(idle.try_send(Bytes::new(), message.clone()).is_err(), "still full");
    let read = async {
        for _ in 0..sent {
            media.readable().await;
            assert_eq!(media.try_recv().unwrap().unwrap().len(), 100_000);
        }
    };
    tokio::join!(read, idle.writable());
    idle.try_send(Bytes::new(), message).unwrap();
}

#[tokio::test]
async fn a_dropped_channel_closes_and_a_dropped_link_too() {
    let (dialed, accepted) = tcp(dialer(), acceptor()).await;
    let (ours, theirs) =
        tokio::join!(async { dialed.open_channel(ChannelType::CUSTOM).await.unwrap() }, async {
            accepted.accept().await.unwrap().accept().unwrap()
        });
    ours.send(Bytes::from_static(b"last words")).await.unwrap();
    drop(ours);
    assert_eq!(theirs.recv().await.unwrap(), &b"last words"[..]);
    assert!(matches!(theirs.recv().await, Err(ChannelError::Closed(_))));
    drop(dialed);
    assert!(matches!(accepted.closed().await, CloseReason::Peer(_)));
}

#[tokio::test]
async fn a_channel_that_nobody_wants_is_refused() {
    let (dialed, accepted) = tcp(dialer(), acceptor()).await;
    let (asked, ()) = tokio::join!(dialed.open_channel(ChannelType::CUSTOM), async {
        accepted.accept().await.unwrap().refuse(Code::MEMBER_SECURITY_ISSUE, "not for you");
    });
    let error = asked.unwrap_err();
    assert!(error.to_string().contains("not for you"), "{error}");
}

#[tokio::test]
async fn callbacks_see_messages_before_the_reader() {
    let (dialed, accepted) = tcp(dialer(), acceptor()).await;
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    accepted.on_packet(Filter::Type(ChannelType::CUSTOM), move |packet| {
        counter.fetch_add(1, Ordering::Relaxed);
        if packet.data.is_empty() { Verdict::Consume } else { Verdict::Pass }
    });
    let (ours, theirs) =
        tokio::join!(async { dialed.open_channel(ChannelType::CUSTOM).await.unwrap() }, async {
            accepted.accept().await.unwrap().accept().unwrap()
        });
    ours.send(Bytes::new()).await.unwrap();
    ours.send(Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(theirs.recv().await.unwrap(), &b"x"[..]);
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_pool_has_one_link_per_address_and_makes_it_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let dials = Arc::new(AtomicUsize::new(0));
    let counter = dials.clone();
    let pool = Pool::new(move |address| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { connect_tcp(address, dialer()).await }
    });
    let (first, second) = tokio::join!(pool.link(&address), pool.link(&address));
    let (first, _second) = (first.unwrap(), second.unwrap());
    assert_eq!(dials.load(Ordering::Relaxed), 1);
    assert_eq!(pool.links().len(), 1);
    let accepted = accept_tcp(listener.accept().await.unwrap().0, acceptor()).unwrap();
    accepted.close(&Notice::done());
    first.closed().await;
    let again = pool.link(&address).await.unwrap();
    assert!(again.close_reason().is_none());
    assert_eq!(dials.load(Ordering::Relaxed), 2);
    drop(listener);
    let error = pool.link("127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().starts_with("127.0.0.1:1: "), "{error}");
}

#[test]
fn backoff_doubles_up_to_its_bound_and_starts_again() {
    let mut backoff = Backoff::default();
    let mut bound = Duration::from_millis(100);
    for _ in 0..40 {
        let wait = backoff.failed();
        assert!(wait <= bound && wait >= bound * 3 / 4, "{wait:?} of {bound:?}");
        bound = (bound * 2).min(Duration::from_secs(5));
    }
    backoff.succeeded();
    assert!(backoff.failed() <= Duration::from_millis(100));
}

#[tokio::test]
async fn custom_channels_are_sealed_or_keyed_each_by_itself() {
    let world = World::new();
    let (dialed, accepted) =
        tcp(world.config(Side::Dialer, Secrecy::Transport), world.config(Side::Acceptor, Secrecy::Transport))
            .await;
    let accept = async {
        let plain = accepted.accept().await.unwrap();
        assert_eq!(plain.options(), OpenOptions::NONE);
        let plain = plain.accept().unwrap();
        let sealed = accepted.accept().await.unwrap();
        assert_eq!((sealed.kind(), sealed.options()), (ChannelType(0x20), OpenOptions::ENCRYPTED));
        let sealed = sealed.accept().unwrap();
        let keyed = accepted.accept().await.unwrap();
        assert!(keyed.options().has(OpenOptions::KEYED));
        [plain, sealed, keyed.accept_keyed([9; 32]).unwrap()]
    };
    let open = async {
        let plain = dialed.open_channel(ChannelType::CUSTOM).await.unwrap();
        let sealed = dialed.open_sealed(ChannelType(0x20)).await.unwrap();
        [plain, sealed, dialed.open_keyed(ChannelType(0x21), [9; 32]).await.unwrap()]
    };
    let (theirs, ours) = tokio::join!(accept, open);
    for (near, far) in ours.iter().zip(&theirs) {
        near.writable().await;
        near.send(Bytes::from_static(b"each by itself")).await.unwrap();
        far.readable().await;
        assert_eq!(far.try_recv().unwrap().unwrap(), &b"each by itself"[..]);
    }
    let sizes = dialed.channel_stats().into_iter().map(|(_, stats)| stats.bytes_sent);
    assert_eq!(sizes.collect::<Vec<_>>(), [26, 42, 42], "a tag of 16 bytes where it is sealed");
}
