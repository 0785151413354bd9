//! Media pods of one cluster: each answers for all, and feeds go from one to the other.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test ends by it"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    net::TcpStream,
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use millrace_e2e::{PATTERN, Pod, eventually, live, read_from, remux, resource, run, stream, tracks};
use millrace_report::{
    message::Directory,
    server::{Event, Options, Server},
    tls::self_signed,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TOKEN: &str = "what-the-pods-of-this-cluster-know";

type Directories = Arc<Mutex<BTreeMap<String, Arc<Directory>>>>;

/// The operator's end, and the directory that it gives to each pod, again after each time that it joins.
struct Cluster {
    _runtime: Runtime,
    server: Arc<Server>,
    directories: Directories,
    joined: Arc<Mutex<Vec<String>>>,
    files: TempDir,
    revision: u64,
}

impl Cluster {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let shown = self_signed("millrace-operator").unwrap();
        let options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
        let (server, mut events) = runtime.block_on(Server::start(options, &shown, |_| Ok(()))).unwrap();
        let joined: Arc<Mutex<Vec<String>>> = Arc::default();
        let to = joined.clone();
        runtime.spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Joined { hello, .. } = event {
                    to.lock().unwrap().push(hello.uid);
                }
            }
        });
        let (server, directories) = (Arc::new(server), Directories::default());
        let (telling, told) = (server.clone(), directories.clone());
        runtime.spawn(async move {
            loop {
                for (uid, directory) in told.lock().unwrap().iter() {
                    telling.direct(uid, directory.clone());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("operator.crt"), &shown.certificate).unwrap();
        fs::write(files.path().join("token"), "any").unwrap();
        Self { _runtime: runtime, server, directories, joined, files, revision: 0 }
    }

    /// A media pod of it, that has joined.
    fn pod(&self, uid: &str, yaml: &str, more: &[&str]) -> Pod {
        let file = |name: &str| self.files.path().join(name).display().to_string();
        let (address, certificate, token) =
            (self.server.address().to_string(), file("operator.crt"), file("token"));
        let mut arguments = vec!["--operator", &address, "--operator-ca", &certificate];
        arguments.extend(["--operator-token", &token, "--slot", uid, "--pod-uid", uid, "--pod-name", uid]);
        arguments.extend(["--pod-namespace", "video", "--internal", "127.0.0.1:0"]);
        arguments.extend(more);
        let pod = Pod::start_with(yaml, &arguments).unwrap_or_else(|e| panic!("{e:#}"));
        eventually(&format!("{uid} joins"), || {
            self.joined.lock().unwrap().iter().any(|one| one == uid).then_some(())
        });
        pod
    }

    /// Tells `uids` where streams and feeds are.
    fn direct(&mut self, uids: &[&str], streams: &[(&str, &str)], feeds: &[(&str, &str)]) {
        let map = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            all.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect()
        };
        self.revision += 1;
        let directory = Directory {
            revision: self.revision,
            token: TOKEN.to_owned(),
            streams: map(streams),
            feeds: map(feeds),
        };
        let directory = Arc::new(directory);
        for uid in uids {
            self.directories.lock().unwrap().insert((*uid).to_owned(), directory.clone());
        }
    }
}

/// Where a pod's internal listener is.
fn inside(pod: &Pod) -> String {
    let line = pod.logged("listening internal=");
    line.rsplit_once("internal=").unwrap().1.trim().to_owned()
}

/// Reads on, `least` bytes or to the end: how many came.
fn more(socket: &mut TcpStream, least: usize) -> usize {
    let (mut came, mut buffer) = (0, vec![0; 1 << 16]);
    while came < least {
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => came += n,
        }
    }
    came
}

fn camera() -> String {
    let spec = json!({"source": {"command": live(PATTERN, 10, "-c:a aac")}, "activation": "OnDemand"});
    resource("Feed", "cam", &spec)
}

fn pass_through() -> String {
    stream("cam", &json!({"path": "/cam.ts", "feeds": ["cam"]}))
}

/// What has another path, so that a pod has something of its own.
fn other() -> String {
    resource("Feed", "own", &json!({"source": {"command": ["cat"]}}))
        + &stream("own", &json!({"path": "/own.ts", "feeds": ["own"]}))
}

fn curl(url: &str, arguments: &[&str]) -> Output {
    Command::new("curl").args(["-sS", "--max-time", "30"]).args(arguments).arg(url).output().unwrap()
}

fn code(url: &str, arguments: &[&str]) -> String {
    let all = [&["-o", "/dev/null", "-w", "%{http_code}"], arguments].concat();
    String::from_utf8(curl(url, &all).stdout).unwrap()
}

fn locked() -> String {
    let login = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "ann", "password": "secret"}
    });
    let basic = json!({"basic": {"secretRef": {"name": "login"}}});
    format!("---\n{login}\n")
        + &resource("Cluster", "default", &json!({"access": {"play": basic, "operate": basic}}))
}

#[test]
fn any_pod_answers_for_the_streams_of_the_others() {
    let mut cluster = Cluster::new();
    let owner = cluster.pod("owner", &(camera() + &pass_through()), &[]);
    let front = cluster.pod("front", &other(), &[]);
    assert_eq!(front.status("/cam.ts"), 404);
    let to = inside(&owner);
    cluster.direct(&["owner", "front"], &[("/cam.ts", &to)], &[]);
    eventually("the directory is there", || (code(&front.url("/cam.ts/pic"), &[]) == "200").then_some(()));
    let sent = tracks(&front.url("/cam.ts?keyframe"));
    assert!(sent.iter().any(|t| t.contains("h264")) && sent.iter().any(|t| t.contains("aac")), "{sent:?}");
    for way in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
        let picture = curl(&front.url("/cam.ts/pic?format=png"), &[way, "-w", "%{content_type}"]).stdout;
        assert!(picture.starts_with(b"\x89PNG") && picture.ends_with(b"image/png"), "{way}");
        let head = String::from_utf8(curl(&front.url("/cam.ts"), &[way, "-I"]).stdout).unwrap();
        assert!(head.to_ascii_lowercase().contains("content-type: video/mp2t"), "{head}");
    }
    assert_eq!(code(&front.url("/cam.ts?keyframe=first"), &[]), "400", "the query goes with it");
    assert_eq!(front.status("/unknown.ts"), 404);
    let metrics = String::from_utf8(front.curl("/metrics", &[]).stdout).unwrap();
    let forwarded = metrics.lines().find(|line| line.starts_with("millrace_http_forwarded_total ")).unwrap();
    assert!(forwarded.rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 8.0, "{forwarded}");
    // The status is each pod's own.
    assert_eq!(front.entry("streams", "cam"), json!(null));

    let mut viewer = front.viewer("/cam.ts");
    read_from(&mut viewer, 1000);
    let viewers = || owner.entry("streams", "cam")["viewers"].as_u64().unwrap();
    eventually("the owner sees the viewer", || (viewers() == 1).then_some(()));
    let began = Instant::now();
    drop(viewer);
    eventually("and that it is gone", || (viewers() == 0).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    owner.feed_is("cam", "Idle");

    // What was sent on once is not sent on again, even by two that are wrong about each other.
    let back = inside(&front);
    cluster.direct(&["owner"], &[("/own.ts", &back), ("/lost.ts", &back)], &[]);
    cluster.direct(&["front"], &[("/lost.ts", &to)], &[]);
    eventually("the new directory is there", || (front.status("/cam.ts") == 404).then_some(()));
    eventually("and at the other, too", || (owner.status("/lost.ts") == 404).then_some(()));
    assert_eq!(front.status("/lost.ts"), 404);
}

#[test]
fn an_owner_that_is_gone_is_503_until_there_is_another() {
    let mut cluster = Cluster::new();
    let owner = cluster.pod("owner", &(camera() + &pass_through()), &[]);
    let front = cluster.pod("front", &other(), &[]);
    cluster.direct(&["front"], &[("/cam.ts", &inside(&owner))], &[]);
    eventually("the directory is there", || (front.status("/cam.ts/pic") == 200).then_some(()));
    let mut viewer = front.viewer("/cam.ts");
    read_from(&mut viewer, 1000);
    owner.signal("KILL");
    // Whoever watched is let go.
    more(&mut viewer, usize::MAX);
    let said = String::from_utf8(curl(&front.url("/cam.ts"), &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("Retry-After: "), "{said}");
    assert!(said.contains("/cam.ts is served by another media pod, which is not reachable"), "{said}");
    let next = cluster.pod("next", &(camera() + &pass_through()), &[]);
    cluster.direct(&["front"], &[("/cam.ts", &inside(&next))], &[]);
    eventually("the next owner is found", || (front.status("/cam.ts/pic") == 200).then_some(()));
}

#[test]
fn the_owner_says_who_may_watch_and_probes_need_no_password_inside() {
    let mut cluster = Cluster::new();
    let owner = cluster.pod("owner", &(locked() + &camera() + &pass_through()), &[]);
    let front = cluster.pod("front", &other(), &[]);
    let to = inside(&owner);
    cluster.direct(&["owner", "front"], &[("/cam.ts", &to)], &[]);
    eventually("the directory is there", || (code(&front.url("/cam.ts"), &["-I"]) == "401").then_some(()));
    assert_eq!(code(&front.url("/cam.ts/pic"), &[]), "401");
    assert_eq!(code(&front.url("/cam.ts/pic"), &["-u", "ann:wrong"]), "401");
    assert_eq!(code(&front.url("/cam.ts/pic"), &["-u", "ann:secret"]), "200");

    let internal = |path: &str| format!("http://{to}{path}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(code(&internal(path), &[]), "200", "{path}");
    }
    assert_eq!(code(&owner.url("/metrics"), &[]), "401");
    assert_eq!(code(&internal("/stat"), &[]), "401");
    let feed = "/.millrace/feeds/cam";
    for (shown, wanted) in [(None, "403"), (Some("wrong"), "403"), (Some(TOKEN), "200")] {
        let header = shown.map(|token| format!("Millrace-Relay: {token}"));
        let header: Vec<&str> = header.iter().flat_map(|header| ["-H", header.as_str()]).collect();
        let all = [&["--range", "0-10", "--max-time", "5", "--max-filesize", "1"][..], &header[..]].concat();
        assert_eq!(code(&internal(feed), &all), wanted, "{shown:?}");
    }
    let relay = format!("Millrace-Relay: {TOKEN}");
    assert_eq!(code(&internal("/.millrace/feeds/none"), &["-H", &relay]), "404");
    assert_eq!(code(&owner.url(feed), &["-H", &relay, "-u", "ann:secret"]), "404");
    assert_eq!(code(&owner.url(feed), &[]), "404");
}

#[test]
fn a_feed_of_another_pod_is_held_read_and_found_again() {
    let mut cluster = Cluster::new();
    let owner = cluster.pod("owner", &camera(), &[]);
    let away = resource("Feed", "cam", &json!({"source": {"pull": {"url": "millrace://feeds/cam"}}}));
    let mkv = json!({"path": "/cam.mkv", "feeds": ["cam"], "command": remux("-an -c copy -f matroska")});
    let user = cluster.pod("user", &(away + &pass_through() + &stream("mkv", &mkv)), &[]);
    let mut early = user.viewer("/cam.ts");
    let waits = eventually("it says what it waits for", || {
        Some(user.entry("feeds", "cam")).filter(|feed| feed["lastExit"]["reason"].is_string())
    });
    assert_eq!(waits["lastExit"]["reason"], "no media pod is known yet that runs feed cam");
    drop(early);
    cluster.direct(&["owner", "user"], &[], &[("cam", &inside(&owner))]);
    early = eventually("the directory is there", || {
        let mut viewer = user.viewer("/cam.ts");
        read_from(&mut viewer, 10_000).0.contains("200 OK").then_some(viewer)
    });
    let running = user.feed_is("cam", "Running");
    assert_eq!((&running["source"]["kind"], &running["pid"]), (&json!("Pull"), &json!(null)), "{running}");
    assert_eq!(owner.entry("feeds", "cam")["holds"], 1);
    let sent = tracks(&user.url("/cam.mkv"));
    assert!(sent.iter().any(|t| t.contains("h264")), "{sent:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cam.ts").display().to_string();
    let wait = run(
        "ffmpeg",
        &["-v", "error", "-i", &user.url("/cam.ts?keyframe"), "-t", "2", "-c", "copy", &file],
        30,
    );
    assert!(wait.code == Some(0) && wait.err.trim().is_empty(), "{}", wait.err);
    assert_eq!(owner.entry("feeds", "cam")["holds"], 1, "however many watch");

    // The owner dies, and another one has the feed: who watches goes on.
    owner.signal("KILL");
    let lost = eventually("it says that the owner is gone", || {
        Some(user.entry("feeds", "cam")).filter(|feed| feed["state"] == "Backoff")
    });
    assert!(lost["lastExit"]["reason"].as_str().unwrap().contains("127.0.0.1:"), "{lost}");
    let next = cluster.pod("next", &camera(), &[]);
    cluster.direct(&["next", "user"], &[], &[("cam", &inside(&next))]);
    user.feed_is("cam", "Running");
    assert!(more(&mut early, 100_000) >= 100_000);
    drop(early);
    user.feed_is("cam", "Idle");
    next.feed_is("cam", "Idle");
}

#[test]
fn a_pod_that_ends_says_so_first_and_lets_its_viewers_watch_on() {
    let cluster = Cluster::new();
    let mut pod = cluster.pod("one", &(camera() + &pass_through()), &["--drain", "5"]);
    let ready = format!("http://{}/readyz", inside(&pod));
    let mut viewer = pod.viewer("/cam.ts");
    read_from(&mut viewer, 1000);
    assert_eq!(code(&ready, &[]), "200");
    let began = Instant::now();
    pod.signal("TERM");
    eventually("it says that it is about to end", || (code(&ready, &[]) == "503").then_some(()));
    assert!(began.elapsed() < Duration::from_secs(2));
    let (mut last, mut bytes) = (Instant::now(), 0);
    loop {
        let some = more(&mut viewer, 1);
        if some == 0 {
            break;
        }
        (last, bytes) = (Instant::now(), bytes + some);
    }
    assert!(bytes > 10_000 && last - began > Duration::from_secs(4), "{bytes} {:?}", last - began);
    assert_eq!(pod.ended(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(12));
}
