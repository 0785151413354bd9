//! Answers of another server that are kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

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
use support::{curl, exchange, head, local, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What the owner answers to a request, of which so many came before.
type Script = dyn Fn(&str, usize) -> Vec<u8> + Send + Sync;

struct Balancer {
    to: SocketAddr,
    cache: Arc<EdgeCache>,
    owner: Mutex<Arc<str>>,
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

struct Bench {
    front: FrontDoor,
    site: Arc<Balancer>,
    heads: Arc<Mutex<Vec<String>>>,
    /// Whether the owner says anything.
    gate: watch::Sender<bool>,
    /// Who hung up before the owner had said anything.
    gone: Arc<AtomicUsize>,
}

impl Bench {
    async fn new(limit: u64, script: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
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
    async fn get(&self, rest: &str, lines: &[&str]) -> String {
        self.ask("GET", rest, lines).await
    }

    async fn ask(&self, method: &str, rest: &str, lines: &[&str]) -> String {
        let lines = joined(lines);
        let request = format!("{method} {rest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n");
        exchange(self.http(), request.as_bytes()).await
    }

    fn many(&self, count: usize, rest: &str) -> Vec<JoinHandle<String>> {
        let request = format!("GET {rest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let one = |_| {
            let (to, request) = (self.http(), request.clone());
            tokio::spawn(async move { exchange(to, request.as_bytes()).await })
        };
        (0..count).map(one).collect()
    }

    fn http(&self) -> SocketAddr {
        self.front.http_addrs()[0]
    }

    /// How often the owner was asked.
    fn asked(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    fn last(&self) -> String {
        self.heads.lock().unwrap().last().unwrap().to_ascii_lowercase()
    }

    fn figures(&self) -> CacheFigures {
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

fn said(status: &str, lines: &[&str], body: &[u8]) -> Vec<u8> {
    let lines = joined(lines);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{lines}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

const MINUTE: &str = "Cache-Control: public, max-age=60";
const MIB: u64 = 1 << 20;

/// The body of an answer.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}")).1
}

fn has(answer: &str, line: &str) {
    assert!(answer.lines().any(|l| l.eq_ignore_ascii_case(line)), "{line} is not in\n{answer}");
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_cost_the_owner_one_answer_and_those_who_come_later_none() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("picture {n}").as_bytes())).await;
    bench.gate.send_replace(false);
    let all = bench.many(100, "/a.ts/pic");
    until("all are there", || bench.front.counts().open == 100).await;
    until("the owner was asked", || bench.asked() == 1).await;
    bench.gate.send_replace(true);
    for one in all {
        let answer = one.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && body(&answer) == "picture 0", "{answer}");
    }
    let later = bench.get("/a.ts/pic", &[]).await;
    assert_eq!(body(&later), "picture 0");
    has(&later, "Age: 0");
    assert!(later.contains("millrace; hit; ttl=5"), "{later}");
    assert_eq!((bench.asked(), bench.front.counts().forwarded), (1, 1));
    let [hits, collapsed, misses, again, passed] = bench.figures().requests;
    assert_eq!((hits + collapsed, misses, again, passed), (100, 1, 0, 0));
}

#[tokio::test]
async fn what_is_for_one_viewer_goes_to_him_alone() {
    let bench = Bench::new(MIB, |_, n| {
        let control = ["Cache-Control: private, max-age=60", "Cache-Control: no-store", "X-None: 1"][n % 3];
        said("200 OK", &[control], format!("for {n}").as_bytes())
    })
    .await;
    let mut bodies = Vec::new();
    for _ in 0..6 {
        bodies.push(body(&bench.get("/a.ts/pic", &[]).await).to_owned());
    }
    for one in bench.many(20, "/b.ts/pic") {
        bodies.push(body(&one.await.unwrap()).to_owned());
    }
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!((bodies.len(), bench.asked()), (26, 26));
    assert_eq!(bench.figures().requests, [0, 0, 0, 0, 26]);
}

#[tokio::test]
async fn who_shows_who_he_is_for_what_is_asked_about_goes_to_the_owner() {
    let bench = Bench::new(MIB, |head, n| {
        let ann = head.to_ascii_lowercase().contains("authorization: basic ann");
        let control = if ann { "Cache-Control: max-age=60" } else { "Cache-Control: public, max-age=60" };
        said("200 OK", &[control], format!("{n} {ann}").as_bytes())
    })
    .await;
    let ann = ["Authorization: Basic ann"];
    assert_eq!(body(&bench.get("/locked/pic", &ann).await), "0 true");
    assert_eq!(body(&bench.get("/locked/pic", &[]).await), "1 false");
    assert_eq!(body(&bench.get("/locked/pic", &[]).await), "1 false", "the owner says that it is for all");
    assert_eq!(body(&bench.get("/locked/pic", &ann).await), "2 true");
    // Where nobody needs to ask, what is kept is for all; what is kept was asked for by nobody in particular.
    assert_eq!(body(&bench.get("/open/pic", &ann).await), "3 true");
    assert_eq!(body(&bench.get("/open/pic", &[]).await), "4 false");
    assert_eq!(body(&bench.get("/open/pic", &ann).await), "4 false");
}

#[tokio::test]
async fn conditions_and_ranges_are_answered_from_what_is_kept() {
    let bench =
        Bench::new(MIB, |_, _| said("200 OK", &[MINUTE, "ETag: \"x\"", "Vary: Accept"], b"0123456789")).await;
    let part = bench.get("/a/pic", &["Range: bytes=2-3"]).await;
    assert!(part.starts_with("HTTP/1.1 200") && part.contains("fwd=uri-miss"), "the owner answers: {part}");
    assert_eq!(body(&bench.get("/a/pic", &["If-None-Match: \"y\""]).await), "0123456789");
    assert!(!bench.last().contains("if-none-match"), "{}", bench.last());
    let same = bench.get("/a/pic", &["If-None-Match: \"z\", W/\"x\""]).await;
    assert!(same.starts_with("HTTP/1.1 304") && body(&same).is_empty(), "{same}");
    for other in ["content-length: 0", "transfer-encoding"] {
        assert!(!same.to_ascii_lowercase().contains(other), "{same}");
    }
    has(&same, "ETag: \"x\"");
    let part = bench.get("/a/pic", &["Range: bytes=2-3"]).await;
    assert!(part.starts_with("HTTP/1.1 206") && body(&part) == "23", "{part}");
    has(&part, "Content-Range: bytes 2-3/10");
    let head = bench.ask("HEAD", "/a/pic", &[]).await;
    assert!(head.starts_with("HTTP/1.1 200") && body(&head).is_empty(), "{head}");
    has(&head, "Content-Length: 10");
    assert_eq!(bench.asked(), 2);
    assert!(bench.get("/a/pic", &["Accept: image/png"]).await.contains("fwd=vary-miss"));
    let url = format!("http://{}/a/pic", bench.http());
    let h2 = curl(&["--http2-prior-knowledge", "-i", "-H", "If-None-Match: \"x\"", "-H", "Accept:", &url]);
    let h2 = String::from_utf8(h2.await.unwrap().stdout).unwrap();
    assert!(h2.starts_with("HTTP/2 304") && h2.contains("hit"), "{h2}");
    assert_eq!(bench.asked(), 3);
}

#[tokio::test]
async fn what_is_stale_is_fetched_by_its_tag_and_is_new_again_where_it_did_not_change() {
    let bench = Bench::new(MIB, |head, n| {
        if n < 3 && head.to_ascii_lowercase().contains("if-none-match: \"x\"") {
            return said("304 Not Modified", &["Cache-Control: public, max-age=1", "X-New: 1"], b"");
        }
        said("200 OK", &["Cache-Control: public, max-age=1", "ETag: \"x\""], format!("{n}").as_bytes())
    })
    .await;
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    let mut answers = Vec::new();
    let began = std::time::Instant::now();
    while bench.asked() < 4 {
        assert!(began.elapsed().as_secs() < 20);
        answers.push(bench.get("/a/pic", &[]).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let again: Vec<&String> = answers.iter().filter(|answer| answer.contains("fwd-status=304")).collect();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|answer| body(answer) == "0" && answer.to_ascii_lowercase().contains("x-new")));
    assert_eq!(body(answers.last().unwrap()), "3");
    assert_eq!(bench.figures().requests[3], 2);
    assert!(bench.figures().requests[0] > 10, "{:?}", bench.figures());
}

#[tokio::test]
async fn an_owner_that_breaks_off_or_is_gone_is_an_error_to_all_who_wait_and_not_for_long() {
    let bench = Bench::new(MIB, |_, n| match n {
        0 => b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 100\r\n\r\nhalf"
            .to_vec(),
        1 => said("503 Service Unavailable", &["Retry-After: 7"], b"no picture yet\n"),
        _ => said("200 OK", &[MINUTE], b"whole"),
    })
    .await;
    bench.gate.send_replace(false);
    let all = bench.many(30, "/a/pic");
    until("all are there", || bench.front.counts().open == 30).await;
    until("the owner was asked", || bench.asked() == 1).await;
    bench.gate.send_replace(true);
    let mut errors = 0;
    for one in all {
        let answer = one.await.unwrap();
        // Who came a moment too late to wait asked once more.
        errors += usize::from(answer.starts_with("HTTP/1.1 503"));
        assert!(!answer.contains("half"), "{answer}");
    }
    assert!(errors >= 1 && bench.front.counts().forward_failures >= 1, "{errors}");
    let answer = bench.get("/b/pic", &[]).await;
    assert!(bench.asked() == 2 || body(&answer) == "whole", "{answer}");
    if bench.asked() == 2 {
        assert!(answer.starts_with("HTTP/1.1 503") && body(&answer) == "no picture yet\n", "{answer}");
        has(&answer, "Retry-After: 7");
    }
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "whole");
    until("nothing is held", || bench.figures().bytes < 2000).await;
}

#[tokio::test]
async fn a_fetch_goes_on_without_who_asked_first_and_ends_with_the_last_who_waits() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("{n}").as_bytes())).await;
    bench.gate.send_replace(false);
    let mut first = TcpStream::connect(bench.http()).await.unwrap();
    first.write_all(b"GET /a/pic HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    until("the owner was asked", || bench.asked() == 1).await;
    let second = bench.many(1, "/a/pic").remove(0);
    until("both are there", || bench.front.counts().open == 2).await;
    // Nothing shows that the second one waits, but that it does not ask.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    drop(first);
    until("the first one is gone", || bench.front.counts().open == 1).await;
    assert_eq!((bench.asked(), bench.gone.load(Ordering::SeqCst)), (1, 0));
    second.abort();
    until("the owner is asked no more", || bench.gone.load(Ordering::SeqCst) == 1).await;
    bench.gate.send_replace(true);
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "1");
    until("nothing is held but what is kept", || bench.figures().entries == 1).await;
}

#[tokio::test]
async fn another_owner_has_other_pictures() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("{n}").as_bytes())).await;
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    *bench.site.owner.lock().unwrap() = "two".into();
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "1");
    *bench.site.owner.lock().unwrap() = "one".into();
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "2", "what the first one said before is gone");
}

#[tokio::test]
async fn the_limit_holds_however_much_is_asked_for_and_none_is_no_cache() {
    let bench = Bench::new(MIB, |_, _| said("200 OK", &[MINUTE], &vec![b'x'; 50_000])).await;
    for n in 0..60 {
        assert_eq!(body(&bench.get(&format!("/{n}/pic"), &[]).await).len(), 50_000);
        assert!(bench.figures().bytes <= MIB, "{:?}", bench.figures());
    }
    assert!(bench.figures().evictions > 40 && bench.figures().entries > 5, "{:?}", bench.figures());
    // One that is larger than an eighth is passed on.
    bench.site.cache.set_limit(300_000);
    assert!(bench.figures().bytes <= 300_000, "{:?}", bench.figures());
    let before = bench.asked();
    for _ in 0..3 {
        assert_eq!(body(&bench.get("/large/pic", &[]).await).len(), 50_000);
    }
    assert_eq!(bench.asked(), before + 3);
    bench.site.cache.set_limit(0);
    until("nothing is kept", || bench.figures().bytes == 0 && bench.figures().entries == 0).await;
    for n in 1..4 {
        let answer = bench.get("/off/pic", &[]).await;
        assert!(body(&answer).len() == 50_000 && !answer.to_ascii_lowercase().contains("cache-status"));
        assert_eq!(bench.asked(), before + 3 + n);
    }
    bench.site.cache.set_limit(MIB);
    bench.get("/on/pic", &[]).await;
    assert!(bench.get("/on/pic", &[]).await.contains("; hit"));
}

#[tokio::test]
async fn other_methods_are_passed_on_and_what_changes_something_is_the_end_of_what_is_kept() {
    let bench = Bench::new(MIB, |_, n| said("200 OK", &[MINUTE], format!("{n}").as_bytes())).await;
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    assert_eq!(body(&bench.ask("OPTIONS", "/a/pic", &[]).await), "1");
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "0");
    assert_eq!(body(&bench.ask("DELETE", "/a/pic", &[]).await), "2");
    assert_eq!(body(&bench.get("/a/pic", &[]).await), "3");
}

#[tokio::test]
async fn no_answer_of_an_owner_breaks_it() {
    let bench = Bench::new(MIB, |_, n| {
        let odd: [&[u8]; 8] = [
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\n\r\nwithout a length",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 99999999999999\r\n\r\nx",
            b"HTTP/1.1 304 Not Modified\r\nCache-Control: public, max-age=60\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=\"\r\nContent-Length: 1\r\n\r\nx",
            b"HTTP/1.1 206 Partial\r\nCache-Control: public, max-age=60\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 0\r\n\r\n",
            b"rubbish\r\n\r\n",
        ];
        odd[n % odd.len()].to_vec()
    })
    .await;
    for n in 0..8 {
        let answer = bench.get(&format!("/{n}/pic"), &[]).await;
        assert!(answer.starts_with("HTTP/1.1 "), "{n}: {answer}");
    }
    assert_eq!(bench.asked(), 8, "each was asked for once");
    assert!(bench.get("/6/pic", &[]).await.contains("; hit"), "nothing is something, too");
}
