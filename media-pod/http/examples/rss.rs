//! How much memory a viewer adds: `cargo run --release -p millrace-http --example rss -- plain|tls|h2c|h2 COUNT`.
//!
//! Serves one stream to as many viewers, which are in a process of their own, and prints what the resident memory of
//! this one grows by: while the stream is silent, while it flows (1 Mbit/s), and after all have left.
#![allow(missing_docs, reason = "an example")]

use std::{
    error::Error,
    io::BufRead,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use millrace_bus::{Channel, GopCache, Join, Marks, egress::Egress};
use millrace_http::{
    BoxFuture, Certificates, FrontDoor, Opened, Options, PageRequest, Refusal, Site, Source,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Live(Arc<Channel>);

impl Source for Live {
    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        let opened = Opened {
            joined: self.0.join(join),
            content_type: "video/mp2t".into(),
            flush: Duration::ZERO,
            hold: Box::new(()),
        };
        Box::pin(async { Ok(opened) })
    }
}

struct OneStream(Arc<Live>);

impl Site for OneStream {
    fn stream(&self, path: &str) -> Option<Arc<dyn Source>> {
        (path == "/live.ts").then(|| self.0.clone() as Arc<dyn Source>)
    }

    fn page(&self, _request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        Box::pin(async { response })
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        [mode, count] => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?
            .block_on(serve(mode, count.parse()?)),
        ["watch", mode, address, certificate, count] => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(watch(mode, address.parse()?, Path::new(certificate), count.parse()?)),
        _ => Err("usage: rss plain|tls|h2c|h2 COUNT".into()),
    }
}

async fn serve(mode: &str, count: usize) -> Outcome<()> {
    let pair = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let directory = tempfile::tempdir()?;
    let certificate = directory.path().join("cert.pem");
    std::fs::write(&certificate, pair.cert.pem())?;
    let certificates =
        Certificates::from_pem(pair.cert.pem().as_bytes(), pair.signing_key.serialize_pem().as_bytes())?;
    let channel = Channel::new("live", GopCache::default());
    let site = Arc::new(OneStream(Arc::new(Live(channel.clone()))));
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options {
        http: vec![local],
        https: vec![local],
        certificates: Some(certificates),
        ..Options::default()
    };
    let door = FrontDoor::bind(options, site, Arc::new(Egress::start(2)?)).await?;
    let addresses = if matches!(mode, "tls" | "h2") { door.https_addrs() } else { door.http_addrs() };
    let address = addresses.first().ok_or("no address")?.to_string();
    let mut publisher = channel.publisher().ok_or("published already")?;
    publisher.begin(1, None);
    publisher.set_format(None);

    // The first round warms up: threads, allocator, code.
    for count in [count.min(50), count] {
        let before = resident()?;
        let mut watchers = std::process::Command::new(std::env::current_exe()?)
            .args(["watch", mode, &address, &certificate.display().to_string(), &count.to_string()])
            .stdin(std::process::Stdio::piped())
            .spawn()?;
        while channel.viewers() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let silent = resident()?;
        let begun = Instant::now();
        let mut pieces = tokio::time::interval(Duration::from_millis(40));
        let mut flowing = 0;
        while begun.elapsed() < Duration::from_secs(6) {
            pieces.tick().await;
            publisher.publish(Bytes::from(vec![0x47; 5000]), Marks::default());
            flowing = flowing.max(resident()?);
        }
        let skips = channel.skips();
        drop(watchers.stdin.take());
        watchers.wait()?;
        while !door.viewers().is_empty() || door.counts().open > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let after = resident()?;
        let each = |now: u64| (now.saturating_sub(before) * 1000) as f64 / 1000.0 / count as f64;
        println!(
            "{mode}: {count} viewers, kB each: {:.1} silent, {:.1} at most while it flows, {:.1} after; {skips} skips",
            each(silent),
            each(flowing),
            each(after)
        );
    }
    Ok(())
}

/// Resident memory of this process, in kB.
fn resident() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

async fn watch(mode: &str, address: SocketAddr, certificate: &Path, count: usize) -> Outcome<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    if mode == "h2" {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    let connector = TlsConnector::from(Arc::new(config));
    for _ in 0..count {
        let socket = TcpStream::connect(address).await?;
        if matches!(mode, "tls" | "h2") {
            let stream = connector.connect(ServerName::try_from("localhost")?, socket).await?;
            tokio::spawn(read(stream, mode == "h2"));
        } else {
            tokio::spawn(read(socket, mode == "h2c"));
        }
    }
    // Until the other process closes our stdin.
    tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await??;
    Ok(())
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, http2: bool) -> Outcome<()> {
    if http2 {
        stream.write_all(&http2_request()).await?;
    } else {
        stream.write_all(b"GET /live.ts HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    }
    let mut buffer = vec![0; 16 << 10];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// A request over HTTP/2 whose windows are so large that they need no updates (RFC 9113, 6.5 and 6.9).
fn http2_request() -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    let window = i32::MAX.to_be_bytes();
    // `:method GET`, `:scheme http`, `:path`, `:authority` (RFC 7541, appendix A).
    let fields = [&[0x82, 0x86, 0x04, 8][..], b"/live.ts", &[0x01, 1], b"x"].concat();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[&[0, 4], &window[..]].concat()),
        frame(8, 0, 0, &(i32::MAX - 65_535).to_be_bytes()),
        frame(1, 0b101, 1, &fields),
    ]
    .concat()
}
