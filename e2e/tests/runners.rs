//! Commands that other containers' agents run: here processes of their own, killed and started again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test ends by it"
)]

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use millrace_e2e::{
    PATTERN, Pod, binary, children_of, eventually, feed, live, merged, read_from, remux, resource, stream,
    tracks,
};
use serde_json::{Value, json};

/// `millrace-exec serve`, as in a transcoder's container.
struct Runner {
    child: Child,
    socket: PathBuf,
}

impl Runner {
    fn start(socket: &Path) -> Self {
        let program = binary().with_file_name("millrace-exec");
        let child = Command::new(&program)
            .args(["serve", "--socket", &socket.display().to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}: build it first, with `cargo build`", program.display()));
        Self { child, socket: socket.to_owned() }
    }

    /// As the kernel does it to a container that is out of memory: all of it at once, without a word.
    fn die(&mut self) {
        let all = all_below(self.child.id());
        let pids = all.iter().map(ToString::to_string);
        let _ = Command::new("kill")
            .arg("-KILL")
            .arg(self.child.id().to_string())
            .args(pids)
            .stderr(Stdio::null())
            .status();
        self.child.wait().unwrap();
        assert!(self.socket.exists(), "what is killed leaves its socket");
    }

    fn runs(&self, pid: &Value) -> bool {
        pid.as_u64().is_some_and(|pid| all_below(self.child.id()).contains(&(pid as u32)))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn all_below(pid: u32) -> Vec<u32> {
    let children = children_of(pid);
    let below: Vec<u32> = children.iter().flat_map(|child| all_below(*child)).collect();
    children.into_iter().chain(below).collect()
}

fn images(folder: &Path) -> [String; 2] {
    ["one", "two"].map(|image| format!("{image}={}", folder.join(image).display()))
}

fn pod(folder: &Path, yaml: &str) -> Pod {
    let [one, two] = images(folder);
    Pod::start_with(yaml, &["--runner", &one, "--runner", &two, "--internal", "127.0.0.1:0"]).unwrap()
}

/// A feed in an image, and a stream of its bytes.
fn camera(name: &str, more: &Value) -> String {
    let source = json!({"source": {"command": live(PATTERN, 10, "-c:a aac")}, "activation": "Continuous"});
    resource("Feed", name, &merged(source, more))
        + &stream(name, &json!({"path": format!("/{name}.ts"), "feeds": [name]}))
}

fn ready(pod: &Pod) -> (u16, String) {
    let said = String::from_utf8(pod.curl("/readyz", &["-w", "%{http_code}"]).stdout).unwrap();
    let (text, code) = said.split_at(said.len() - 3);
    (code.parse().unwrap(), text.trim().to_owned())
}

#[test]
fn each_command_runs_in_its_image_and_a_runner_that_dies_touches_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = camera("first", &json!({}))
        + &camera("second", &json!({"image": "two"}))
        + &stream(
            "third",
            &json!({"path": "/third.mkv", "feeds": ["second"], "command": remux("-an -c copy -f matroska")}),
        );
    // The pod is there before its runners are.
    let pod = pod(folder.path(), &yaml);
    let (code, said) = ready(&pod);
    assert!(code == 503 && said.contains("image one") && said.contains("image two"), "{code} {said}");
    let mut one = Runner::start(&folder.path().join("one"));
    let two = Runner::start(&folder.path().join("two"));
    let first = pod.feed_is("first", "Running");
    let second = pod.feed_is("second", "Running");
    eventually("both runners are seen", || (ready(&pod) == (200, "ok".to_owned())).then_some(()));
    assert!(one.runs(&first["pid"]) && two.runs(&second["pid"]), "{first} {second}");
    let mut viewer = pod.viewer("/third.mkv");
    assert_eq!(read_from(&mut viewer, 1000).1.get(..4), Some(&[0x1a, 0x45, 0xdf, 0xa3][..]));
    let third = pod.entry("streams", "third");
    assert!(one.runs(&third["pid"]), "a stream of no image runs in the default one: {third}");
    let pictures = pod.curl("/second.ts/pic", &["-w", "%{content_type}"]).stdout;
    assert!(pictures.ends_with(b"image/jpeg"));

    let mut watching = pod.viewer("/second.ts");
    read_from(&mut watching, 1000);
    one.die();
    eventually("the media pod says who is not there", || {
        let (code, said) = ready(&pod);
        (code == 200 && said.contains("the runner of image one does not answer")).then_some(())
    });
    let gone = eventually("the feed says why it does not run", || {
        Some(pod.entry("feeds", "first")).filter(|feed| feed["lastExit"]["reason"].is_string())
    });
    assert!(gone["lastExit"]["reason"].as_str().unwrap().contains("agent"), "{gone}");
    let one = Runner::start(&folder.path().join("one"));
    let again = pod.feed_is("first", "Running");
    assert!(one.runs(&again["pid"]) && again["pid"] != first["pid"], "{again}");
    let (_, bytes) = pod.read("/first.ts", 100_000);
    assert!(bytes.len() >= 100_000);
    eventually("it is seen again", || (ready(&pod) == (200, "ok".to_owned())).then_some(()));
    // Nobody else noticed.
    let same = pod.entry("feeds", "second");
    assert_eq!((&same["pid"], &same["restarts"]), (&second["pid"], &json!(0)), "{same}");
    let mut buffer = vec![0; 100_000];
    watching.read_exact(&mut buffer).unwrap();
}

#[test]
fn an_image_without_a_runner_is_named_and_only_its_feed_fails() {
    let folder = tempfile::tempdir().unwrap();
    let _one = Runner::start(&folder.path().join("one"));
    let _two = Runner::start(&folder.path().join("two"));
    let yaml = camera("good", &json!({})) + &camera("bad", &json!({"image": "three", "resurrect": false}));
    let pod = pod(folder.path(), &yaml);
    let bad = pod.feed_is("bad", "Failed");
    let reason = "image three: this media pod has no runner for it, only for one, two";
    assert_eq!(bad["lastExit"]["reason"], reason);
    pod.feed_is("good", "Running");
    assert_eq!(ready(&pod), (200, "ok".to_owned()));
    let refused = String::from_utf8(pod.curl("/bad.ts", &["-w", "%{http_code}"]).stdout).unwrap();
    assert!(refused.contains(reason) && refused.ends_with("503"), "{refused}");
}

#[test]
fn the_clusters_image_is_the_default_one_and_pulls_run_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let one = Runner::start(&folder.path().join("one"));
    let two = Runner::start(&folder.path().join("two"));
    let listeners = json!({"servers": {"transcoderImage": "two"}});
    let yaml = resource("Cluster", "default", &listeners) + &camera("source", &json!({"image": "one"}));
    let pod = pod(folder.path(), &yaml);
    let source = pod.feed_is("source", "Running");
    assert!(one.runs(&source["pid"]), "{source}");
    let url = pod.url("/source.ts");
    pod.edit(
        &(yaml
            + &resource("Feed", "pulled", &json!({"source": {"pull": {"url": url}}}))
            + &stream("pulled", &json!({"path": "/pulled.ts", "feeds": ["pulled"]}))),
    );
    eventually("the edit is taken", || (pod.status("/pulled.ts/pic") == 200).then_some(()));
    let mut viewer = pod.viewer("/pulled.ts");
    read_from(&mut viewer, 1000);
    let pulled = pod.feed_is("pulled", "Running");
    assert!(two.runs(&pulled["pid"]), "{pulled}");
    let sent = tracks(&pod.url("/pulled.ts"));
    assert!(sent.iter().any(|track| track.contains("h264")), "{sent:?}");
}

#[test]
fn a_command_past_its_memory_is_killed_alone_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let one = Runner::start(&folder.path().join("one"));
    let _two = Runner::start(&folder.path().join("two"));
    let greedy = ["sh", "-c", "echo eating everything >&2; tail /dev/zero"].map(str::to_owned);
    let spec = json!({
        "source": {"command": greedy}, "resources": {"memoryPerProcess": "64Mi"}, "activation": "Continuous", "resurrect": false
    });
    let yaml = camera("good", &json!({})) + &resource("Feed", "greedy", &spec) + &feed("unused", &greedy);
    let pod = pod(folder.path(), &yaml);
    let good = pod.feed_is("good", "Running");
    let greedy = pod.feed_is("greedy", "Failed");
    let exit = &greedy["lastExit"];
    let reason = exit["reason"].as_str().unwrap();
    assert!(reason.starts_with("killed for its use of memory after "), "{exit}");
    assert!(reason.contains("its limit is 64 MiB"), "{exit}");
    assert_eq!(exit["signal"], 9, "{exit}");
    assert_eq!(exit["stderr"], json!(["eating everything"]));
    let same = pod.entry("feeds", "good");
    assert!(same["pid"] == good["pid"] && one.runs(&same["pid"]), "{same}");
}
