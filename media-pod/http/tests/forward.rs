//! Requests that another server answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};
use millrace_bus::{Marks, egress::Egress};
use millrace_http::{
    AccessRequest, BoxFuture, Certificates, Forward, FrontDoor, Options, PageRequest, Site, Source,
};
use support::{Bench, curl, exchange, head, local, stdout, until};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// Has nothing of its own.
struct Elsewhere(SocketAddr);

impl Site for Elsewhere {
    fn stream(&self, _path: &str) -> Option<Arc<dyn Source>> {
        None
    }

    fn page(&self, request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
        let mut response = Response::new(Bytes::from(format!("nothing at {}\n", request.path)));
        *response.status_mut() = StatusCode::NOT_FOUND;
        Box::pin(async move { response })
    }

    fn forward(&self, request: &AccessRequest<'_>) -> Option<Forward> {
        (request.relay != Some(b"token") && request.path != "/here").then(|| Forward {
            address: self.0.to_string(),
            relay: "token".into(),
            cache: None,
        })
    }
}

/// A door that has nothing, and the one behind it.
struct Both {
    front: FrontDoor,
    owner: Bench,
    files: tempfile::TempDir,
}

impl Both {
    async fn open() -> Self {
        let owner = Bench::plain().await;
        let to = owner.http();
        Self::leading(owner, to).await
    }

    async fn leading(owner: Bench, to: SocketAddr) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("chain.pem"), made.cert.pem()).unwrap();
        let certificates =
            Certificates::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes());
        let options = Options {
            http: vec![local()],
            https: vec![local()],
            certificates: Some(certificates.unwrap()),
            ..Options::default()
        };
        let egress = Arc::new(Egress::start(1).unwrap());
        let front = FrontDoor::bind(options, Arc::new(Elsewhere(to)), egress).await.unwrap();
        Self { front, owner, files }
    }

    fn http(&self) -> SocketAddr {
        self.front.http_addrs()[0]
    }

    /// Arguments for curl, with `rest` of a URL.
    fn request(&self, how: &[&str], rest: &str) -> Vec<String> {
        let secure = how.contains(&"--tls");
        let (scheme, address) =
            if secure { ("https", self.front.https_addrs()[0]) } else { ("http", self.http()) };
        let how = how.iter().filter(|argument| **argument != "--tls").map(|argument| (*argument).to_owned());
        let chain = self.files.path().join("chain.pem").display().to_string();
        let url = format!("{scheme}://{address}{rest}");
        how.chain(["--cacert".to_owned(), chain, url]).collect()
    }

    fn curl(&self, how: &[&str], rest: &str) -> tokio::task::JoinHandle<std::process::Output> {
        let arguments = self.request(how, rest);
        curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

const WAYS: [&[&str]; 5] = [
    &["--http1.0"],
    &["--http1.1"],
    &["--http2-prior-knowledge"],
    &["--tls", "--http1.1"],
    &["--tls", "--http2"],
];

#[tokio::test]
async fn every_byte_gets_through_however_the_viewer_asks() {
    for way in WAYS {
        let both = Both::open().await;
        let live = both.owner.live();
        let mut publisher = live.publisher();
        let peer = both.curl(way, "/live.ts?header=0&x=%2F");
        both.owner.viewers(1).await;
        assert_eq!(both.owner.door.viewers()[0].protocol, "http/1.1");
        assert!(both.owner.door.viewers()[0].user_agent.starts_with("curl/"));
        until("seated", || live.channel.viewers() == 1).await;
        let mut all = Vec::new();
        for number in 0..200_usize {
            let piece = Bytes::from(vec![number as u8; 1 + number * 1231 % 60_000]);
            all.extend_from_slice(&piece);
            publisher.publish(piece, Marks::default());
            // At the viewer's pace, so that it does not skip.
            let enough = all.len().saturating_sub(60_000) as u64;
            until("sent", || both.owner.door.viewers().iter().all(|v| v.stats.sent() >= enough)).await;
        }
        live.channel.close();
        let output = peer.await.unwrap();
        assert!(output.status.success(), "{way:?} {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == all, "{way:?}: {} of {} bytes", output.stdout.len(), all.len());
        until("held no more", || live.held() == 0).await;
        until("closed", || both.front.counts().open == 0 && both.owner.door.counts().open == 0).await;
        assert_eq!((both.front.counts().forwarded, both.front.counts().forward_failures), (1, 0));
    }
}

#[tokio::test]
async fn a_viewer_that_hangs_up_is_gone_from_the_other_server_at_once_even_while_nothing_flows() {
    for way in WAYS {
        let both = Both::open().await;
        for (path, never) in [("/live.ts", false), ("/never.ts", true)] {
            let source = both.owner.source(path);
            let held = || {
                if never { source.waiting.load(std::sync::atomic::Ordering::SeqCst) } else { source.held() }
            };
            let peer = both.curl(way, path);
            until("held", || held() == 1).await;
            peer.abort();
            let began = std::time::Instant::now();
            until("held no more", || held() == 0).await;
            assert!(began.elapsed() < Duration::from_secs(8), "{way:?} {path}: {:?}", began.elapsed());
            until("closed", || both.owner.door.counts().open == 0).await;
        }
    }
}

#[tokio::test]
async fn who_may_watch_is_for_the_owner_to_say() {
    let both = Both::open().await;
    for way in WAYS {
        let code = ["-o", "/dev/null", "-w", "%{http_code} %header{www-authenticate}"];
        let said = stdout(&both.curl(&[way, &code].concat(), "/locked.ts").await.unwrap());
        assert_eq!(said, "401 Basic realm=\"cameras\", charset=\"UTF-8\"", "{way:?}");
        let said =
            stdout(&both.curl(&[way, &["-I", "-u", "ann:secret"]].concat(), "/locked.ts").await.unwrap());
        assert!(
            said.contains(" 200") && said.to_ascii_lowercase().contains("content-type: video/mp2t"),
            "{said}"
        );
        let said = stdout(&both.curl(&[way, &["-i", "-X", "OPTIONS"]].concat(), "/live.ts").await.unwrap());
        assert!(said.contains(" 204") && said.contains("GET, HEAD, OPTIONS"), "{said}");
        let said = stdout(&both.curl(&[way, &["-X", "POST"]].concat(), "/live.ts").await.unwrap());
        assert!(said.starts_with("A stream can be read with GET"), "{said}");
        let said = both.curl(way, "/big").await.unwrap().stdout;
        assert!(said == vec![b'b'; 8 << 20], "{} bytes", said.len());
    }
}

#[tokio::test]
async fn what_was_forwarded_once_is_not_forwarded_again() {
    let both = Both::open().await;
    let said = stdout(&both.curl(&["-i", "-H", "Millrace-Relay: token"], "/live.ts").await.unwrap());
    assert!(said.starts_with("HTTP/1.1 404") && said.ends_with("nothing at /live.ts\n"), "{said}");
    let said = stdout(&both.curl(&["-i"], "/here").await.unwrap());
    assert!(said.starts_with("HTTP/1.1 404"), "{said}");
    let said = stdout(&both.curl(&["-i", "-H", "Millrace-Relay: forged"], "/stat").await.unwrap());
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("here I am\n"), "{said}");
    // Two that send each other everything do not do so for ever.
    let (one, two) = (Both::open().await, Both::open().await);
    let to_each_other = Both::leading(one.owner, two.http()).await;
    let said =
        exchange(to_each_other.http(), b"GET /live.ts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
    assert!(said.starts_with("HTTP/1.1 404"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_503_to_be_tried_again() {
    let nobody = tokio::net::TcpListener::bind(local()).await.unwrap().local_addr().unwrap();
    let both = Both::leading(Bench::plain().await, nobody).await;
    for way in WAYS {
        let said =
            stdout(&both.curl(&[way, &["-i"]].concat(), "/live.ts").await.unwrap()).to_ascii_lowercase();
        assert!(said.contains(" 503") && said.contains("retry-after: 2"), "{said}");
        assert!(said.contains("/live.ts is served by another media pod, which is not reachable"), "{said}");
    }
    assert_eq!((both.front.counts().forwarded, both.front.counts().forward_failures), (5, 5));
}

#[tokio::test]
async fn a_server_that_ends_in_the_middle_is_no_proper_end_of_a_stream_with_a_length() {
    let listener = tokio::net::TcpListener::bind(local()).await.unwrap();
    let both = Both::leading(Bench::plain().await, listener.local_addr().unwrap()).await;
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        head(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await.unwrap();
    });
    let output = both.curl(&[], "/x").await.unwrap();
    assert!(!output.status.success() && output.stdout == b"half");
}

#[tokio::test]
async fn a_slow_viewer_holds_back_its_own_connection_only() {
    let both = Both::open().await;
    let live = both.owner.live();
    let mut publisher = live.publisher();
    let mut slow = TcpStream::connect(both.http()).await.unwrap();
    slow.write_all(b"GET /live.ts HTTP/1.1\r\nHost: slow\r\nUser-Agent: slow\r\n\r\n").await.unwrap();
    head(&mut slow).await;
    let quick = both.curl(&[], "/live.ts");
    both.owner.viewers(2).await;
    until("seated", || live.channel.viewers() == 2).await;
    let of = |slow: bool| {
        let viewers = both.owner.door.viewers();
        viewers.iter().find(|v| (&*v.user_agent == "slow") == slow).map_or(0, |v| v.stats.sent())
    };
    let (mut given, piece) = (0, Bytes::from(vec![7; 64 << 10]));
    while given < 64 << 20 {
        publisher.publish(piece.clone(), Marks::default());
        given += piece.len() as u64;
        until("the quick one has it", || of(false) + (256 << 10) >= given).await;
    }
    let taken = of(true);
    live.channel.close();
    assert_eq!(quick.await.unwrap().stdout.len() as u64, given);
    // What the kernel takes for two connections, and little more.
    assert!(taken < 24 << 20, "{taken} bytes went to who reads nothing");
    drop(slow);
    until("closed", || both.owner.door.counts().open == 0).await;
}
