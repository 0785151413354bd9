//! A balancer, and an owner that answers by a script.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Response, StatusCode};
use millrace_bus::egress::Egress;
use millrace_http::{
    AccessRequest, BoxFuture, CacheFigures, EdgeCache, Forward, FrontDoor, Options, PageRequest, Scope, Site,
    Source,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
};

use crate::support::{exchange, head, local};

/// What the owner answers to a request, of which so many came before.
type Script = dyn Fn(&str, usize) -> Vec<u8> + Send + Sync;

pub struct Balancer {
    to: SocketAddr,
    pub cache: Arc<EdgeCache>,
    pub owner: Mutex<Arc<str>>,
}

impl Site for Balancer {
    fn stream(&self, _path: &str) -> Option<Arc<dyn Source>> {
        None
    }

    fn page(&self, _request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        Box::pin(async move { response })
    }

    fn forward(&self, request: &AccessRequest<'_>) -> Option<Forward> {
        let owner = self.owner.lock().unwrap().clone();
        let scope = Scope { cache: self.cache.clone(), owner, open: !request.path.starts_with("/locked") };
        Some(Forward { address: self.to.to_string(), relay: "token".into(), cache: Some(scope) })
    }
}

pub struct Bench {
    pub front: FrontDoor,
    pub site: Arc<Balancer>,
    heads: Arc<Mutex<Vec<String>>>,
    /// Whether the owner says anything.
    pub gate: watch::Sender<bool>,
    /// Who hung up before the owner had said anything.
    pub gone: Arc<AtomicUsize>,
}

impl Bench {
    pub async fn new(limit: u64, script: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(local()).await.unwrap();
        let to = listener.local_addr().unwrap();
        let (heads, gone, gate) = (Arc::default(), Arc::default(), watch::Sender::new(true));
        tokio::spawn(serve(
            listener,
            Arc::new(script),
            Arc::clone(&heads),
            gate.subscribe(),
            Arc::clone(&gone),
        ));
        let site = Arc::new(Balancer { to, cache: EdgeCache::new(limit), owner: Mutex::new("one".into()) });
        let options = Options { http: vec![local()], ..Options::default() };
        let egress = Arc::new(Egress::start(1).unwrap());
        let front = FrontDoor::bind(options, site.clone(), egress).await.unwrap();
        Self { front, site, heads, gate, gone }
    }

    /// The answer to a request with these lines in its head.
    pub async fn get(&self, rest: &str, lines: &[&str]) -> String {
        self.ask("GET", rest, lines).await
    }

    pub async fn ask(&self, method: &str, rest: &str, lines: &[&str]) -> String {
        let lines = joined(lines);
        let request = format!("{method} {rest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n");
        exchange(self.http(), request.as_bytes()).await
    }

    pub fn many(&self, count: usize, rest: &str) -> Vec<JoinHandle<String>> {
        let request = format!("GET {rest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let one = |_| {
            let (to, request) = (self.http(), request.clone());
            tokio::spawn(async move { exchange(to, request.as_bytes()).await })
        };
        (0..count).map(one).collect()
    }

    pub fn http(&self) -> SocketAddr {
        self.front.http_addrs()[0]
    }

    /// How often the owner was asked.
    pub fn asked(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    pub fn last(&self) -> String {
        self.heads.lock().unwrap().last().unwrap().to_ascii_lowercase()
    }

    pub fn figures(&self) -> CacheFigures {
        self.site.cache.figures()
    }
}

async fn serve(
    listener: TcpListener,
    script: Arc<Script>,
    heads: Arc<Mutex<Vec<String>>>,
    gate: watch::Receiver<bool>,
    gone: Arc<AtomicUsize>,
) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (script, heads, mut gate, gone) = (script.clone(), heads.clone(), gate.clone(), gone.clone());
        tokio::spawn(async move {
            let asked = head(&mut socket).await;
            let before = {
                let mut heads = heads.lock().unwrap();
                heads.push(asked.clone());
                heads.len() - 1
            };
            tokio::select! {
                _ = gate.wait_for(|open| *open) => {}
                _ = socket.read_u8() => {
                    gone.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            let _ = socket.write_all(&script(&asked, before)).await;
        });
    }
}

/// Lines of a head.
fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\r\n"]).collect()
}

pub fn said(status: &str, lines: &[&str], body: &[u8]) -> Vec<u8> {
    let lines = joined(lines);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{lines}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub const MINUTE: &str = "Cache-Control: public, max-age=60";
pub const MIB: u64 = 1 << 20;

/// The body of an answer.
pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}")).1
}

pub fn has(answer: &str, line: &str) {
    assert!(answer.lines().any(|l| l.eq_ignore_ascii_case(line)), "{line} is not in\n{answer}");
}
