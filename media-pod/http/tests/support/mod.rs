//! A site with a few streams, and peers for it.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::Output,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use millrace_bus::{
    Channel, Container, Format, GopCache, Header, Join, Marks, Publisher, Units, egress::Egress,
};
use millrace_http::{
    Access, AccessRequest, BoxFuture, FrontDoor, Opened, Options, PageRequest, Peek, Refusal, Refused, Site,
    Source,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One stream of the test's.
pub struct TestSource {
    pub channel: Arc<Channel>,
    /// Viewers that hold it open.
    pub held: Arc<AtomicUsize>,
    /// Opens that wait for ever.
    pub waiting: Arc<AtomicUsize>,
    pub manner: Manner,
}

#[derive(Clone)]
pub enum Manner {
    Open,
    Refuse(Refusal),
    Never,
}

/// Counts while it is there.
pub struct Held(Arc<AtomicUsize>);

impl Held {
    pub fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl TestSource {
    pub fn new(name: &str, manner: Manner) -> Arc<Self> {
        let channel = Channel::new(name, GopCache::default());
        Arc::new(Self { channel, held: Arc::default(), waiting: Arc::default(), manner })
    }

    /// A publisher of bytes of no known container.
    pub fn publisher(&self) -> Publisher {
        let mut publisher = self.channel.publisher().unwrap();
        publisher.begin(1, None);
        publisher.set_format(None);
        publisher
    }

    /// A publisher of transport stream packets.
    pub fn ts_publisher(&self) -> Publisher {
        let mut publisher = self.channel.publisher().unwrap();
        let format =
            Format { container: Container::MpegTs, content_type: "video/mp2t".into(), tracks: Arc::new([]) };
        publisher.begin(1, Some(Arc::new(format)));
        publisher.set_header(Arc::new(Header { bytes: Bytes::from_static(b"HEADER"), splice: Bytes::new() }));
        publisher
    }

    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

impl Source for TestSource {
    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        Box::pin(async move {
            match &self.manner {
                Manner::Open => Ok(Opened {
                    joined: self.channel.join(join),
                    content_type: "video/mp2t".into(),
                    flush: Duration::ZERO,
                    hold: Box::new(Held::new(&self.held)),
                }),
                Manner::Refuse(refusal) => Err(refusal.clone()),
                Manner::Never => {
                    let _held = Held::new(&self.waiting);
                    std::future::pending().await
                }
            }
        })
    }

    fn peek(&self, _join: Join) -> Peek {
        Peek { content_type: Some("video/mp2t".into()), age: None }
    }
}

pub struct TestSite {
    streams: HashMap<&'static str, Arc<TestSource>>,
    pub refused: Mutex<Vec<Refused>>,
}

impl Site for TestSite {
    fn stream(&self, path: &str) -> Option<Arc<dyn Source>> {
        self.streams.get(path).map(|source| source.clone() as Arc<dyn Source>)
    }

    fn page(&self, request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
        Box::pin(async move {
            assert!(!request.headers.contains_key("authorization"));
            let mut response = Response::new(Bytes::from_static(b"here I am\n"));
            match &*request.path {
                "/stat" => {}
                "/big" => *response.body_mut() = Bytes::from(vec![b'b'; 8 << 20]),
                _ => {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    *response.body_mut() = Bytes::from_static(b"not found\n");
                }
            }
            response
        })
    }

    fn authorize(&self, request: &AccessRequest<'_>) -> Access {
        match request.path {
            "/locked.ts" | "/locked"
                if request.credentials.is_none_or(|c| (&*c.user, &*c.password) != ("ann", "secret")) =>
            {
                Access::Challenge { realm: "cameras".into() }
            }
            "/forbidden.ts" => Access::Forbidden,
            _ => Access::Granted,
        }
    }

    fn refused(&self, _peer: SocketAddr, why: Refused) {
        self.refused.lock().unwrap().push(why);
    }
}

/// A front door with what stands behind it.
pub struct Bench {
    pub door: FrontDoor,
    pub site: Arc<TestSite>,
    pub egress: Arc<Egress>,
}

impl Bench {
    pub async fn open(options: Options) -> Self {
        let refusal = Refusal::unavailable("The camera is not there.", Duration::from_secs(3));
        let streams = [
            ("/live.ts", Manner::Open),
            ("/cams/a b/é.ts", Manner::Open),
            ("/locked.ts", Manner::Open),
            ("/forbidden.ts", Manner::Open),
            ("/refused.ts", Manner::Refuse(refusal)),
            ("/never.ts", Manner::Never),
        ];
        let streams = streams.map(|(path, manner)| (path, TestSource::new(path, manner)));
        let site = Arc::new(TestSite { streams: streams.into(), refused: Mutex::default() });
        let egress = Arc::new(Egress::start(1).unwrap());
        let door = FrontDoor::bind(options, site.clone(), egress.clone()).await.unwrap();
        Self { door, site, egress }
    }

    pub async fn plain() -> Self {
        Self::open(Options { http: vec![local()], ..Options::default() }).await
    }

    pub fn source(&self, path: &str) -> Arc<TestSource> {
        self.site.streams[path].clone()
    }

    pub fn live(&self) -> Arc<TestSource> {
        self.source("/live.ts")
    }

    pub fn http(&self) -> SocketAddr {
        self.door.http_addrs()[0]
    }

    pub fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.http())
    }

    pub async fn viewers(&self, count: usize) {
        until("viewers", || self.door.viewers().len() == count).await;
    }
}

pub fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Waits for a condition; fails after 20 s.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Starts `curl -sS` with these; its output comes later.
pub fn curl(arguments: &[&str]) -> tokio::task::JoinHandle<Output> {
    let mut command = tokio::process::Command::new("curl");
    command.args(["-sS", "--max-time", "30", "--noproxy", "*"]).args(arguments).kill_on_drop(true);
    tokio::spawn(async move { command.output().await.unwrap() })
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{} {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sends `request` and reads until the end.
pub async fn exchange(to: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(to).await.unwrap();
    socket.write_all(request).await.unwrap();
    rest(&mut socket).await
}

pub async fn rest(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = socket.read_to_end(&mut bytes);
    let _ =
        tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the other end did not close");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads a response head.
pub async fn head(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(tokio::time::timeout(Duration::from_secs(20), socket.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// `count` packets of a transport stream, the first a random access point; `at` counts those before.
pub fn packets(at: u64, count: u64) -> (Bytes, Marks) {
    let bytes: Vec<u8> = (at..at + count)
        .flat_map(|number| {
            let mut packet = [number as u8; 188];
            packet[0] = 0x47;
            packet
        })
        .collect();
    let (first, last) = (at * 188, (at + count - 1) * 188);
    let units = Units::Every { first, stride: 188, last };
    (bytes.into(), Marks { units, random_access: [first].into_iter().collect(), frames: 1 })
}
