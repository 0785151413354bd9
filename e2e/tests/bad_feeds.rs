//! Feeds that do what they should not: a clear word about it, bounded memory, and nothing of it at their neighbours.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::{fs, time::Duration};

use millrace_e2e::{Mark, Pod, STEADY, Watcher, eventually, feed, resource, stream};
use serde_json::json;

fn continuous(name: &str, argv: &[String]) -> String {
    resource("Feed", name, &json!({"source": {"command": argv}, "activation": "Continuous"}))
}

fn passed_through(name: &str) -> String {
    stream(name, &json!({"path": format!("/{name}"), "feeds": [name]}))
}

/// A good feed beside the bad one, with a viewer, and what must not change of it.
struct Neighbour {
    viewer: Watcher,
    pid: u64,
    mark: Mark,
}

impl Neighbour {
    fn yaml(mark: &Mark) -> String {
        feed("good", &mark.shell(STEADY)) + &passed_through("good")
    }

    fn watch(pod: &Pod, mark: Mark) -> Self {
        let viewer = Watcher::new(pod.viewer("/good"));
        viewer.flows(10_000);
        let pid = pod.feed_is("good", "Running")["pid"].as_u64().unwrap();
        Self { viewer, pid, mark }
    }

    fn is_untouched(&self, pod: &Pod) {
        self.viewer.flows(40_000);
        let good = pod.entry("feeds", "good");
        assert_eq!((good["pid"].as_u64(), good["restarts"].as_u64()), (Some(self.pid), Some(0)), "{good}");
        assert_eq!(good["state"], "Running");
        assert!(self.mark.alive().contains(&u32::try_from(self.pid).unwrap()));
    }
}

#[test]
fn garbage_is_passed_on_and_harms_nobody() {
    let (bad, good) = (Mark::default(), Mark::default());
    let spew = bad.shell("while :; do head -c 200000 /dev/urandom; sleep 0.05; done");
    let pod = Pod::start(&(continuous("bad", &spew) + &passed_through("bad") + &Neighbour::yaml(&good)));
    let neighbour = Neighbour::watch(&pod, good);
    let viewer = Watcher::new(pod.viewer("/bad?header&keyframe=last"));
    let plain = Watcher::new(pod.viewer("/bad"));
    plain.flows(1_000_000);
    let before = pod.rss();
    plain.flows(10_000_000);
    assert!(pod.rss() < before + (64 << 20), "{} to {}", before, pod.rss());
    assert!(viewer.head().starts_with("HTTP/1.1 200"), "{}", viewer.head());
    viewer.flows(100_000);
    let picture = pod.status("/bad/pic");
    assert!((400..600).contains(&picture), "{picture}");
    neighbour.is_untouched(&pod);
    assert_eq!(pod.entry("feeds", "bad")["restarts"], 0);
    assert!(pod.log().len() < 100, "{}", pod.log().len());
    assert_eq!(bad.alive().len(), 1);
}

#[test]
fn a_feed_that_exits_at_once_is_started_again_at_once_and_says_why_without_end_but_not_without_limit() {
    let (bad, good) = (Mark::default(), Mark::default());
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let script = format!("date +%s%N >> {}; echo 'the camera is not there' >&2; exit 3", starts.display());
    let pod = Pod::start(
        &(continuous("bad", &bad.shell(&script)) + &passed_through("bad") + &Neighbour::yaml(&good)),
    );
    let neighbour = Neighbour::watch(&pod, good);
    eventually("eight restarts", || (pod.entry("feeds", "bad")["restarts"].as_u64()? >= 8).then_some(()));
    let bad_feed = pod.entry("feeds", "bad");
    assert_eq!(bad_feed["lastExit"]["code"], 3, "{bad_feed}");
    assert_eq!(bad_feed["lastExit"]["stderr"], json!(["the camera is not there"]));

    let times = fs::read_to_string(&starts).unwrap();
    let times: Vec<u64> = times.lines().map(|line| line.parse().unwrap()).collect();
    let first = Duration::from_nanos(times[1] - times[0]);
    assert!(first < Duration::from_secs(3), "the first restart came after {first:?}");
    assert!(Duration::from_nanos(times[7] - times[0]) > Duration::from_secs(1), "it spins");

    let lines = pod.log().iter().filter(|line| line.contains("bad")).count();
    assert!((3..=12).contains(&lines), "{lines} lines about it");
    pod.logged("the camera is not there");

    let refused = pod.curl("/bad", &["-i"]);
    let refused = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("the camera is not there"), "{refused}");
    assert!(refused.to_lowercase().contains("retry-after"), "{refused}");
    neighbour.is_untouched(&pod);
    pod.edit(&Neighbour::yaml(&neighbour.mark));
    bad.gone();
}

#[test]
fn a_feed_that_gives_a_little_and_ends_does_not_spin() {
    let mark = Mark::default();
    let pod = Pod::start(&continuous("bad", &mark.shell("echo a word; exit 0")));
    let restarts = || pod.entry("feeds", "bad")["restarts"].as_u64();
    eventually("ten restarts", || (restarts()? >= 10).then_some(()));
    let (before, began) = (restarts().unwrap(), std::time::Instant::now());
    eventually("ten more", || (restarts()? >= before + 10).then_some(()));
    let more = restarts().unwrap() - before;
    let least = Duration::from_millis(100) * u32::try_from(more - 2).unwrap();
    assert!(began.elapsed() >= least / 2, "{more} restarts in {:?}", began.elapsed());
    assert!(pod.log().len() < 40, "{:#?}", pod.log());
}

#[test]
fn a_flood_is_read_and_forgotten() {
    let (bad, good) = (Mark::default(), Mark::default());
    let flood = bad.shell("exec dd if=/dev/zero bs=64k of=/dev/fd/1 status=none");
    let pod = Pod::start(&(feed("bad", &flood) + &passed_through("bad") + &Neighbour::yaml(&good)));
    let neighbour = Neighbour::watch(&pod, good);
    let before = pod.rss();
    let never_reads = pod.viewer("/bad");
    let reads = Watcher::new(pod.viewer("/bad"));
    reads.flows(1_000_000);
    eventually("1.5 GB went in", || {
        (pod.entry("feeds", "bad")["bytesIn"].as_u64()? > 1_500_000_000).then_some(())
    });
    // Two seconds of it would be more than a gigabyte.
    assert!(pod.rss() < before + (256 << 20), "{before} to {}", pod.rss());
    neighbour.is_untouched(&pod);
    drop(reads);
    drop(never_reads);
    pod.feed_is("bad", "Idle");
    bad.gone();
    neighbour.is_untouched(&pod);
}

#[test]
fn a_feed_that_is_alive_and_silent_is_noticed_shown_and_started_again() {
    let (bad, good) = (Mark::default(), Mark::default());
    let hang = bad.shell("head -c 70000 /dev/zero; echo stuck >&2; exec sleep 1000");
    let hangs = json!({"source": {"command": hang}, "activation": "Continuous", "silence": "5s"});
    let pod =
        Pod::start(&(resource("Feed", "bad", &hangs) + &passed_through("bad") + &Neighbour::yaml(&good)));
    let neighbour = Neighbour::watch(&pod, good);
    let first = pod.feed_is("bad", "Running")["pid"].clone();
    pod.feed_is("bad", "Silent");
    let again = eventually("it is started again", || {
        Some(pod.entry("feeds", "bad")).filter(|bad| bad["restarts"] == 1 && bad["pid"].is_u64())
    });
    assert_ne!(again["pid"], first);
    let reason = again["lastExit"]["reason"].as_str().unwrap();
    assert_eq!(reason, "gave nothing for 5 s, and was ended");
    assert_eq!(again["lastExit"]["stderr"], json!(["stuck"]));
    neighbour.is_untouched(&pod);
    pod.edit(&Neighbour::yaml(&neighbour.mark));
    bad.gone();
}

#[test]
fn a_trickle_of_no_known_container_reaches_its_viewer() {
    let mark = Mark::default();
    let trickle = mark.shell("while :; do echo tick; sleep 0.2; done");
    let pod = Pod::start(&(feed("slow", &trickle) + &passed_through("slow")));
    let viewer = Watcher::new(pod.viewer("/slow"));
    eventually("it ticks", || (viewer.body().len() >= 50).then_some(()));
    assert!(viewer.head().starts_with("HTTP/1.1 200"), "{}", viewer.head());
    let body = String::from_utf8(viewer.body()).unwrap();
    assert!(body.starts_with("tick\ntick\n"), "nothing is kept back: {body}");
    drop(viewer);
    mark.gone();
}
