//! What the log says, and what it must never say. One test: the log is the process's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use support::{Bench, curl, head, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self, with: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn viewers_are_logged_passwords_never_and_unknown_paths_together() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("millrace_http=trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let bench = Bench::plain().await;
    for mode in ["--http1.1", "--http2-prior-knowledge"] {
        for path in ["/locked", "/locked.ts"] {
            let wrong = curl(&[mode, "-u", "ann:wrongsecret", &bench.url(path)]).await.unwrap();
            assert!(wrong.status.success());
        }
        let right = curl(&[mode, "-u", "ann:secret", &bench.url("/locked.ts?keyframe")]);
        bench.viewers(1).await;
        right.abort();
        bench.viewers(0).await;
    }
    let joined = log.lines("viewer joined");
    assert_eq!(joined.len(), 2, "{joined:?}");
    for field in ["peer=127.0.0.1:", "path=\"/locked.ts\"", "protocol=\"http/1.1\"", "user_agent=\"curl/"] {
        assert!(joined[0].contains(field), "{field} is missing in {}", joined[0]);
    }
    until("both left", || log.lines("viewer left").len() == 2).await;
    let left = log.lines("viewer left");
    for field in ["viewer=1 ", "bytes=", "seconds=0", "skips=0", "reason=hung up"] {
        assert!(left[0].contains(field), "{field} is missing in {}", left[0]);
    }

    let mut socket = TcpStream::connect(bench.http()).await.unwrap();
    for number in 0..1000 {
        let path = format!("/{number}%0aforged");
        socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        head(&mut socket).await;
        socket.read_exact(&mut [0; 10]).await.unwrap();
    }
    assert_eq!(log.lines("not found").len(), 1);
    // `ann:secret` and `ann:wrongsecret` in base64.
    for secret in ["secret", "YW5uOnNlY3JldA", "YW5uOndyb25nc2VjcmV0"] {
        assert_eq!(log.lines(secret), [""; 0]);
    }
    assert!(log.text().len() < 20_000, "{}", log.text().len());
}
