//! Streams and pages over TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use millrace_bus::Marks;
use millrace_http::{Certificates, HttpError, Options};
use support::{Bench, curl, exchange, local, stdout, until};

/// A certificate for 127.0.0.1 and localhost that vouches for itself, and its key.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

struct Secure {
    bench: Bench,
    certificates: Arc<Certificates>,
    files: tempfile::TempDir,
}

impl Secure {
    async fn open() -> Self {
        let (chain, key) = certificate();
        let certificates = Certificates::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("first.pem"), &chain).unwrap();
        let options =
            Options { https: vec![local()], certificates: Some(certificates.clone()), ..Options::default() };
        Self { bench: Bench::open(options).await, certificates, files }
    }

    fn url(&self, rest: &str) -> String {
        format!("https://{}{rest}", self.bench.door.https_addrs()[0])
    }

    fn trusted(&self, name: &str) -> String {
        Path::new(self.files.path()).join(name).display().to_string()
    }
}

async fn curl_gets_all(arguments: &[&str], protocol: &str) {
    let secure = Secure::open().await;
    let (bench, live) = (&secure.bench, secure.bench.live());
    let mut publisher = live.publisher();
    let peer =
        curl(&[arguments, &["--cacert", &secure.trusted("first.pem"), &secure.url("/live.ts")]].concat());
    bench.viewers(1).await;
    assert_eq!(bench.door.viewers()[0].protocol, protocol);
    until("seated", || live.channel.viewers() == 1).await;
    let mut all = Vec::new();
    for number in 0..200_usize {
        let piece = Bytes::from(vec![number as u8; 1 + number * 1231 % 60_000]);
        all.extend_from_slice(&piece);
        publisher.publish(piece, Marks::default());
        // At the viewer's pace, so that it does not skip.
        let enough = all.len().saturating_sub(60_000) as u64;
        until("sent", || bench.door.viewers().iter().all(|v| v.stats.sent() >= enough)).await;
    }
    live.channel.close();
    let output = peer.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == all, "{} of {} bytes", output.stdout.len(), all.len());
    until("held no more", || live.held() == 0).await;
    until("closed", || bench.door.counts().open == 0).await;
}

#[tokio::test]
async fn curl_gets_every_byte_over_https_1_1() {
    curl_gets_all(&["--http1.1"], "https/1.1").await;
}

#[tokio::test]
async fn curl_gets_every_byte_over_tls_1_2() {
    curl_gets_all(&["--http1.1", "--tls-max", "1.2"], "https/1.1").await;
}

#[tokio::test]
async fn curl_gets_every_byte_over_h2() {
    curl_gets_all(&["--http2"], "h2").await;
}

#[tokio::test]
async fn pages_are_served_over_tls_too() {
    let secure = Secure::open().await;
    for mode in ["--http1.1", "--http2", "--http1.0"] {
        let output =
            curl(&[mode, "--cacert", &secure.trusted("first.pem"), &secure.url("/stat")]).await.unwrap();
        assert_eq!(stdout(&output), "here I am\n");
    }
}

#[tokio::test]
async fn a_viewer_over_tls_that_hangs_up_is_noticed_while_the_channel_is_silent() {
    let secure = Secure::open().await;
    let _publisher = secure.bench.live().publisher();
    let peer = curl(&["--http1.1", "-k", &secure.url("/live.ts")]);
    secure.bench.viewers(1).await;
    until("seated", || secure.bench.live().channel.viewers() == 1).await;
    peer.abort();
    secure.bench.viewers(0).await;
    until("held no more", || secure.bench.live().held() == 0).await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_newcomers_and_leaves_viewers_alone() {
    let secure = Secure::open().await;
    let live = secure.bench.live();
    let mut publisher = live.publisher();
    let old = curl(&["--http1.1", "--cacert", &secure.trusted("first.pem"), &secure.url("/live.ts")]);
    secure.bench.viewers(1).await;
    let (chain, key) = certificate();
    std::fs::write(secure.trusted("second.pem"), &chain).unwrap();
    secure.certificates.replace(chain.as_bytes(), key.as_bytes()).unwrap();
    let trusts = |name: &'static str| {
        let (url, file) = (secure.url("/stat"), secure.trusted(name));
        async move { curl(&["--cacert", &file, &url]).await.unwrap().status.success() }
    };
    assert!(trusts("second.pem").await);
    assert!(!trusts("first.pem").await);
    // A pair that does not belong together changes nothing.
    let (_, other_key) = certificate();
    let error = secure.certificates.replace(chain.as_bytes(), other_key.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("cannot be used"), "{error}");
    assert!(secure.certificates.replace(b"", key.as_bytes()).is_err());
    assert!(secure.certificates.replace(chain.as_bytes(), b"no key").is_err());
    assert!(trusts("second.pem").await);
    publisher.publish(Bytes::from_static(b"undisturbed"), Marks::default());
    live.channel.close();
    assert_eq!(stdout(&old.await.unwrap()), "undisturbed");
}

#[tokio::test]
async fn plain_http_on_the_https_port_is_told_so() {
    let secure = Secure::open().await;
    let to = secure.bench.door.https_addrs()[0];
    let answer = exchange(to, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
    // A record that is none.
    exchange(to, &[22; 500]).await;
    assert_eq!(secure.bench.door.counts().bad_handshakes, 2);
}

#[tokio::test]
async fn https_without_a_certificate_does_not_open() {
    let bench = Bench::plain().await;
    let options = Options { https: vec![local()], ..Options::default() };
    let result = millrace_http::FrontDoor::bind(options, bench.site.clone(), bench.egress.clone()).await;
    assert!(matches!(result.err(), Some(HttpError::NoCertificate { .. })));
}
