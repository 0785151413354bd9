//! Peers that mean ill, or are broken. None of them may cost the others anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::Marks;
use millrace_http::{Certificates, Options, Refused};
use support::{Bench, curl, exchange, head, local, rest, stdout, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const GET_LIVE: &[u8] = b"GET /live.ts HTTP/1.1\r\nHost: x\r\n\r\n";

async fn connect(bench: &Bench) -> TcpStream {
    TcpStream::connect(bench.http()).await.unwrap()
}

#[tokio::test]
async fn half_a_request_is_answered_with_408_and_no_request_with_nothing() {
    let options =
        Options { http: vec![local()], head_timeout: Duration::from_millis(200), ..Options::default() };
    let bench = Bench::open(options).await;
    let half = exchange(bench.http(), b"GET /live.ts HTTP/1.1\r\nHos").await;
    assert!(half.starts_with("HTTP/1.1 408 "), "{half}");
    assert_eq!(exchange(bench.http(), b"").await, "");
    until("closed", || bench.door.counts().open == 0).await;
    assert_eq!(*bench.site.refused.lock().unwrap(), [Refused::HeadTimeout]);
    assert_eq!(bench.door.counts().bad_heads, 1);
}

#[tokio::test]
async fn a_head_that_trickles_in_does_not_get_more_time_than_another() {
    let options =
        Options { http: vec![local()], head_timeout: Duration::from_millis(300), ..Options::default() };
    let bench = Bench::open(options).await;
    let mut socket = connect(&bench).await;
    let (mut reading, mut writing) = socket.split();
    let trickling = async {
        writing.write_all(b"GET /live.ts HTTP/1.1\r\n").await.unwrap();
        while writing.write_all(b"A: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let begun = Instant::now();
    let mut answer = vec![0; 12];
    tokio::select! {
        () = trickling => panic!("nobody answered"),
        read = reading.read_exact(&mut answer) => read.unwrap(),
    };
    assert_eq!(answer, b"HTTP/1.1 408");
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_400_and_too_much_of_one_with_431() {
    let bench = Bench::plain().await;
    let answer = exchange(bench.http(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = exchange(bench.http(), &vec![0; 100_000]).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let long = format!("GET /live.ts HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(100_000));
    let answer = exchange(bench.http(), long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!("GET /live.ts HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    let answer = exchange(bench.http(), many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    // hyper's part: HTTP/2 that is none, and a stream that ends in the preface.
    exchange(bench.http(), &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0xff; 5000]].concat()).await;
    until("closed", || bench.door.counts().open == 0).await;
    assert_eq!(bench.door.counts().viewers, 0);
}

#[tokio::test]
async fn a_connection_on_which_nothing_goes_on_is_closed() {
    let options =
        Options { http: vec![local()], idle_timeout: Duration::from_millis(300), ..Options::default() };
    let bench = Bench::open(options).await;
    let mut idle = connect(&bench).await;
    idle.write_all(b"GET /stat HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut idle).await.ends_with("here I am\n"));
    let mut silent = connect(&bench).await;
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    rest(&mut silent).await;
    let mut halfway = connect(&bench).await;
    halfway.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    rest(&mut halfway).await;
    until("closed", || bench.door.counts().open == 0).await;
}

#[tokio::test]
async fn a_stream_over_http_2_is_not_idle_while_its_feed_is_silent() {
    let options =
        Options { http: vec![local()], idle_timeout: Duration::from_millis(100), ..Options::default() };
    let bench = Bench::open(options).await;
    let mut publisher = bench.live().publisher();
    let peer = curl(&["--http2-prior-knowledge", &bench.url("/live.ts")]);
    bench.viewers(1).await;
    let begun = Instant::now();
    until("silent", || begun.elapsed() > Duration::from_millis(500)).await;
    publisher.publish(Bytes::from_static(b"after all"), Marks::default());
    bench.live().channel.close();
    assert_eq!(stdout(&peer.await.unwrap()), "after all");
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Runs an ignored test of this file in a process of its own, after `prelude` in the shell that becomes it.
fn alone(prelude: &str, test: &str) {
    let output = std::process::Command::new("bash")
        .args(["-c", &format!("{prelude}; exec \"$0\" --ignored --exact {test}")])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn ten_thousand_unknown_paths_leave_no_trace() {
    alone(":", "unknown_paths");
}

/// Run by the test above, in a process whose memory no other test fills.
#[tokio::test]
#[ignore = "measures the memory of its process"]
async fn unknown_paths() {
    let bench = Bench::plain().await;
    let ask = |from: usize, to: usize| {
        let address = bench.http();
        async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            for number in from..to {
                let path = format!("/{number}/{}", "x".repeat(1000));
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
                socket.write_all(request.as_bytes()).await.unwrap();
                assert!(head(&mut socket).await.starts_with("HTTP/1.1 404 "));
                socket.read_exact(&mut [0; 10]).await.unwrap();
            }
        }
    };
    ask(0, 1000).await;
    let before = resident();
    ask(1000, 9000).await;
    for number in 9000..10_000 {
        ask(number, number + 1).await;
    }
    let grown = resident().saturating_sub(before);
    // A kilobyte for each would be 9 MB.
    assert!(grown < 4_000, "grew by {grown} kB");
    assert_eq!(bench.door.counts().not_found, 10_000);
    until("closed", || bench.door.counts().open == 0).await;
}

#[tokio::test]
async fn a_viewer_that_hangs_up_is_noticed_while_the_channel_is_silent() {
    let bench = Bench::plain().await;
    let _publisher = bench.live().publisher();
    let mut plain = connect(&bench).await;
    plain.write_all(GET_LIVE).await.unwrap();
    head(&mut plain).await;
    let h2 = curl(&["--http2-prior-knowledge", &bench.url("/live.ts")]);
    bench.viewers(2).await;
    until("opened", || bench.live().held() == 2).await;
    drop(plain);
    bench.viewers(1).await;
    h2.abort();
    bench.viewers(0).await;
    until("held no more", || bench.live().held() == 0).await;
    until("closed", || bench.door.counts().open == 0).await;
}

#[tokio::test]
async fn a_viewer_that_hangs_up_before_the_stream_is_there_is_noticed() {
    let bench = Bench::plain().await;
    let waiting = bench.source("/never.ts").waiting.clone();
    let mut plain = connect(&bench).await;
    plain.write_all(b"GET /never.ts HTTP/1.0\r\n\r\n").await.unwrap();
    let mut second = connect(&bench).await;
    second.write_all(b"GET /stat HTTP/1.1\r\n\r\n").await.unwrap();
    head(&mut second).await;
    second.read_exact(&mut [0; 10]).await.unwrap();
    second.write_all(b"GET /never.ts HTTP/1.1\r\n\r\n").await.unwrap();
    let h2 = curl(&["--http2-prior-knowledge", &bench.url("/never.ts")]);
    until("opening", || waiting.load(Ordering::SeqCst) == 3).await;
    h2.abort();
    drop((plain, second));
    until("dropped", || waiting.load(Ordering::SeqCst) == 0).await;
    until("closed", || bench.door.counts().open == 0).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_get_503_and_those_before_go_on() {
    let options = Options { http: vec![local()], max_connections: 3, ..Options::default() };
    let bench = Bench::open(options).await;
    let mut publisher = bench.live().publisher();
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let mut viewer = connect(&bench).await;
        viewer.write_all(GET_LIVE).await.unwrap();
        head(&mut viewer).await;
        viewers.push(viewer);
    }
    for _ in 0..100 {
        let answer = exchange(bench.http(), GET_LIVE).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("Retry-After: 5\r\n"), "{answer}");
    }
    publisher.publish(Bytes::from_static(b"still here"), Marks::default());
    for viewer in &mut viewers {
        let mut body = [0; 10];
        viewer.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"still here");
    }
    assert_eq!(bench.door.counts().refused, 100);
    drop(viewers.pop());
    until("a place", || bench.door.counts().open == 2).await;
    let answer = exchange(bench.http(), b"GET /stat HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains(" 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_viewer_that_never_reads_costs_the_other_199_nothing() {
    const PIECE: usize = 10_000;
    const PIECES: usize = 600;
    let bench = Bench::plain().await;
    let live = bench.live();
    let mut publisher = live.publisher();
    let mut stalled = connect(&bench).await;
    stalled.write_all(GET_LIVE).await.unwrap();
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..199 {
        let mut viewer = connect(&bench).await;
        readers.spawn(async move {
            viewer.write_all(GET_LIVE).await.unwrap();
            head(&mut viewer).await;
            let mut buffer = vec![0; 1 << 16];
            let mut all = 0;
            loop {
                match viewer.read(&mut buffer).await.unwrap() {
                    0 => return all,
                    some => all += some,
                }
            }
        });
    }
    until("seated", || live.channel.viewers() == 200).await;
    let sent_to_readers = |least: u64| bench.door.viewers()[1..].iter().all(|v| v.stats.sent() >= least);
    for number in 0..PIECES {
        publisher.publish(Bytes::from(vec![number as u8; PIECE]), Marks::default());
        // At the pace of those who read, the slowest of them included.
        until("sent", || sent_to_readers(((number + 1) * PIECE) as u64)).await;
    }
    let infos = bench.door.viewers();
    let stuck = infos[0].stats.sent();
    assert!(stuck < (PIECE * PIECES) as u64, "{stuck}");
    assert!(infos[1..].iter().all(|v| v.stats.skips() == 0));
    bench.door.dismiss(infos[0].id);
    live.channel.close();
    while let Some(all) = readers.join_next().await {
        assert_eq!(all.unwrap(), PIECE * PIECES);
    }
    bench.viewers(0).await;
}

/// Not reading, over anything that is not plain: nothing but a queue or a buffer waits in this process.
async fn a_stalled_viewer_holds_little(bench: &Bench, arguments: &[&str]) {
    let live = bench.live();
    let mut publisher = live.publisher();
    let mut stalled = tokio::process::Command::new("curl")
        .args(["-sS", "-k", "--noproxy", "*"])
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    bench.viewers(1).await;
    until("seated", || live.channel.viewers() == 1).await;
    let mut total = 0_u64;
    // Until it skips, which it does when it is a megabyte behind.
    until("skipped", || {
        publisher.publish(Bytes::from(vec![0; 10_000]), Marks::default());
        total += 10_000;
        bench.door.viewers()[0].stats.skips() > 0
    })
    .await;
    let sent = bench.door.viewers()[0].stats.sent();
    assert!(sent < total, "{sent} of {total}");
    bench.door.dismiss(bench.door.viewers()[0].id);
    bench.viewers(0).await;
    until("held no more", || live.held() == 0).await;
    stalled.kill().await.unwrap();
    until("closed", || bench.door.counts().open == 0).await;
}

#[tokio::test]
async fn a_viewer_over_http_2_that_never_reads_is_skipped_and_can_be_dismissed() {
    let bench = Bench::plain().await;
    a_stalled_viewer_holds_little(&bench, &["--http2-prior-knowledge", &bench.url("/live.ts")]).await;
}

#[tokio::test]
async fn a_viewer_over_tls_that_never_reads_is_skipped_and_can_be_dismissed() {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificates = Certificates::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let options = Options { https: vec![local()], certificates: Some(certificates), ..Options::default() };
    let bench = Bench::open(options).await;
    let url = format!("https://{}/live.ts", bench.door.https_addrs()[0]);
    a_stalled_viewer_holds_little(&bench, &["--http1.1", &url]).await;
}

#[test]
fn without_file_descriptors_it_waits_and_goes_on_when_there_are_some() {
    alone("ulimit -n 60", "out_of_file_descriptors");
}

/// Run by the test above, in a process that may open few files.
#[tokio::test]
#[ignore = "uses up all file descriptors of its process"]
async fn out_of_file_descriptors() {
    let bench = Bench::plain().await;
    let mut taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    // One for the peer's end: none is left for the server's.
    taken.pop();
    let mut socket = connect(&bench).await;
    socket.write_all(b"GET /stat HTTP/1.0\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.door.counts().connections, 0);
    taken.clear();
    assert!(rest(&mut socket).await.ends_with("here I am\n"));
    assert!(exchange(bench.http(), b"GET /stat HTTP/1.0\r\n\r\n").await.ends_with("here I am\n"));
}
