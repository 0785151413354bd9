//! What a viewer gets over HTTP/1.x in the clear and over HTTP/2 with prior knowledge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use millrace_bus::Marks;
use support::{Bench, curl, exchange, head, packets, rest, stdout, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Publishes `pieces` once a viewer is there, then ends the stream.
async fn feed(bench: &Bench, pieces: usize) -> Vec<u8> {
    let live = bench.live();
    let mut publisher = live.publisher();
    bench.viewers(1).await;
    until("seated", || bench.egress.viewers() == 1).await;
    let mut all = Vec::new();
    for number in 0..pieces {
        let piece = Bytes::from(vec![number as u8; 1 + number * 97 % 30_000]);
        all.extend_from_slice(&piece);
        publisher.publish(piece, Marks::default());
        tokio::task::yield_now().await;
    }
    live.channel.close();
    all
}

async fn curl_gets_all(arguments: &[&str], protocol: &str) {
    let bench = Bench::plain().await;
    let url = bench.url("/live.ts");
    let peer = curl(&[arguments, &[&url]].concat());
    bench.viewers(1).await;
    assert_eq!(bench.door.viewers()[0].protocol, protocol);
    assert!(bench.door.viewers()[0].user_agent.starts_with("curl/"));
    let published = feed(&bench, 50).await;
    let output = peer.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == published, "{} of {} bytes", output.stdout.len(), published.len());
    bench.viewers(0).await;
    until("held no more", || bench.live().held() == 0).await;
    until("closed", || bench.door.counts().open == 0).await;
    assert_eq!(bench.door.counts().responses, [0, 1, 0, 0, 0]);
}

#[tokio::test]
async fn curl_gets_every_byte_over_http_1_0() {
    curl_gets_all(&["--http1.0"], "http/1.0").await;
}

#[tokio::test]
async fn curl_gets_every_byte_over_http_1_1() {
    curl_gets_all(&["--http1.1"], "http/1.1").await;
}

#[tokio::test]
async fn curl_gets_every_byte_over_http_2_with_prior_knowledge() {
    curl_gets_all(&["--http2-prior-knowledge"], "h2c").await;
}

#[tokio::test]
async fn a_stream_s_head_says_what_a_player_needs() {
    let bench = Bench::plain().await;
    let mut publisher = bench.source("/cams/a b/é.ts").ts_publisher();
    let (bytes, marks) = packets(0, 7);
    publisher.publish(bytes, marks);
    let mut socket = TcpStream::connect(bench.http()).await.unwrap();
    socket
        .write_all(b"GET /cams/a%20b/%C3%A9.ts?keyframe=last&x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let head = head(&mut socket).await;
    for line in [
        "HTTP/1.1 200 OK",
        "Content-Type: video/mp2t",
        "Cache-Control: no-store",
        "Access-Control-Allow-Origin: *",
        "Connection: close",
        "X-Accel-Buffering: no",
        concat!("Server: millrace/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|l| l == line), "{line} is missing in {head}");
    }
    let age = head.lines().find_map(|l| l.strip_prefix("Millrace-Picture-Age: ")).expect(&head);
    assert!((0.0..20.0).contains(&age.parse::<f64>().unwrap()), "{age}");
    let mut body = [0; 6 + 7 * 188];
    socket.read_exact(&mut body).await.unwrap();
    assert_eq!(&body[..7], b"HEADER\x47");
}

#[tokio::test]
async fn without_a_parameter_a_viewer_begins_at_the_next_unit() {
    let bench = Bench::plain().await;
    let live = bench.live();
    let mut publisher = live.ts_publisher();
    let (bytes, marks) = packets(0, 3);
    publisher.publish(bytes, marks);
    let mut socket = TcpStream::connect(bench.http()).await.unwrap();
    socket.write_all(b"GET /live.ts HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let head = head(&mut socket).await;
    assert!(!head.contains("Picture-Age"), "{head}");
    let (bytes, marks) = packets(3, 2);
    publisher.publish(bytes.clone(), marks);
    live.channel.close();
    assert_eq!(rest(&mut socket).await, String::from_utf8_lossy(&bytes));
}

#[tokio::test]
async fn a_second_request_on_a_connection_streams_too() {
    let bench = Bench::plain().await;
    let mut socket = TcpStream::connect(bench.http()).await.unwrap();
    socket.write_all(b"GET /stat HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let first = head(&mut socket).await;
    assert!(first.starts_with("HTTP/1.1 200") && first.contains("Server: millrace/"), "{first}");
    let mut body = [0; 10];
    socket.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"here I am\n");
    socket.write_all(b"GET /live.ts HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let second = head(&mut socket).await;
    assert!(second.contains("Content-Type: video/mp2t\r\n"), "{second}");
    let published = feed(&bench, 30).await;
    let chunked = async {
        let mut all = Vec::new();
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.push(socket.read_u8().await.unwrap());
            }
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            socket.read_exact(&mut chunk).await.unwrap();
            if size == 0 {
                return all;
            }
            all.extend_from_slice(&chunk[..size]);
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), chunked).await.unwrap() == published);
}

#[tokio::test]
async fn ffprobe_reads_a_live_transport_stream() {
    let bench = Bench::plain().await;
    let mut publisher = bench.live().publisher();
    let mut ffmpeg = tokio::process::Command::new("ffmpeg")
        .args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25"])
        .args(["-c:v", "mpeg2video", "-g", "10", "-f", "mpegts", "-flush_packets", "1", "-"])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut pipe = ffmpeg.stdout.take().unwrap();
    let feeding = tokio::spawn(async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            publisher.publish(Bytes::copy_from_slice(&buffer[..read]), Marks::default());
        }
    });
    let mut ffprobe = tokio::process::Command::new("ffprobe");
    ffprobe
        .args(["-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0"])
        .arg(bench.url("/live.ts?header"))
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(30), ffprobe.output()).await.unwrap().unwrap();
    assert!(stdout(&output).contains("mpeg2video,160"), "{}", stdout(&output));
    bench.viewers(0).await;
    feeding.abort();
}

#[tokio::test]
async fn head_answers_as_get_would_and_opens_nothing() {
    let bench = Bench::plain().await;
    let request = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let response = exchange(bench.http(), &request("HEAD", "/never.ts")).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\n"), "{response}");
    assert!(response.contains("Content-Type: video/mp2t\r\n") && !response.contains("Content-Length"));
    assert_eq!(bench.source("/never.ts").waiting.load(std::sync::atomic::Ordering::SeqCst), 0);
    for h2 in [&["--http2-prior-knowledge"][..], &["--http1.1"]] {
        let output = curl(&[h2, &["-I", &bench.url("/live.ts")]].concat()).await.unwrap();
        assert!(stdout(&output).to_lowercase().contains("content-type: video/mp2t"));
    }
    assert_eq!(bench.door.counts().viewers, 0);
}

#[tokio::test]
async fn the_head_of_a_page_has_its_length_and_nothing_follows() {
    let bench = Bench::plain().await;
    for mode in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
        let output = curl(&[mode, "-I", &bench.url("/stat")]).await.unwrap();
        assert!(stdout(&output).to_lowercase().contains("content-length: 10\r\n"), "{}", stdout(&output));
    }
    let twice =
        b"HEAD /stat HTTP/1.1\r\nHost: x\r\n\r\nHEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = exchange(bench.http(), twice).await;
    assert!(!answers.contains("here I am") && answers.contains("\r\n\r\nHTTP/1.1 404 "), "{answers}");
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_stream_is_answered_with_what_can() {
    let bench = Bench::plain().await;
    let ask = |line: &'static str| {
        let bytes = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes();
        let to = bench.http();
        async move { exchange(to, &bytes).await }
    };
    let response = ask("GET /live.ts?keyframe=first").await;
    assert!(response.starts_with("HTTP/1.1 400 ") && response.contains("use ?keyframe=last"), "{response}");
    let response = ask("DELETE /live.ts").await;
    assert!(response.starts_with("HTTP/1.1 405 ") && response.contains("Allow: GET, HEAD, OPTIONS\r\n"));
    let response = ask("OPTIONS /live.ts").await;
    assert!(response.starts_with("HTTP/1.1 204 ") && response.contains("Access-Control-Allow-Methods: GET"));
    let response = ask("GET /refused.ts").await;
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("Retry-After: 3\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\nThe camera is not there.\n"), "{response}");
    let response = ask("GET /nothing/here?x").await;
    assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    let output = curl(&["--http2-prior-knowledge", "-i", &bench.url("/refused.ts")]).await.unwrap();
    assert!(stdout(&output).contains("retry-after: 3"), "{}", stdout(&output));
    let output = curl(&["-i", "-d", "body", &bench.url("/live.ts")]).await.unwrap();
    assert!(stdout(&output).starts_with("HTTP/1.1 405 "));
    let counts = bench.door.counts();
    assert_eq!((counts.responses, counts.not_found), ([0, 1, 0, 4, 2], 1));
}

#[tokio::test]
async fn a_locked_stream_opens_with_the_right_password_only() {
    let bench = Bench::plain().await;
    for mode in ["--http1.1", "--http2-prior-knowledge"] {
        let code = |path: &str, user: &'static str| {
            let url = bench.url(path);
            async move {
                let output = curl(&[mode, "-I", "-o", "/dev/null", "-w", "%{http_code}", "-u", user, &url])
                    .await
                    .unwrap();
                stdout(&output)
            }
        };
        assert_eq!(code("/locked.ts", "ann:wrong").await, "401");
        assert_eq!(code("/locked.ts", "ann:secret").await, "200");
        assert_eq!(code("/locked", "bob:secret").await, "401");
        assert_eq!(code("/locked", "ann:secret").await, "404");
        assert_eq!(code("/forbidden.ts", "ann:secret").await, "403");
    }
    let response = exchange(bench.http(), b"GET /locked.ts HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(response.contains("Www-Authenticate: Basic realm=\"cameras\""), "{response}");
}
