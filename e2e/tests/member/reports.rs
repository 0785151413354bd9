//! What happens is told at once.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use millrace_e2e::{Mark, feed, resource, stream};
use millrace_report::message::State;
use serde_json::json;

use crate::operator::{Files, Operator};

#[test]
fn a_command_that_was_killed_is_told_with_its_exit_and_its_last_words() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let script = mark.shell("echo the lens cap is on >&2; head -c 70000 /dev/zero; exec sleep 1000");
    let source = json!({"source": {"command": script}, "activation": "Continuous", "silence": "0s"});
    // Slow beats: what is told in time is told by itself.
    let yaml = resource("Cluster", "default", &json!({"heartbeat": {"interval": "20s"}}))
        + &resource("Feed", "door", &source)
        + &stream("door", &json!({"path": "/door", "feeds": ["door"]}));
    let files = Files::new(&operator.shown, "cams-door").with(1, &yaml, "");
    let pod = files.run(&[operator.address], &[]);
    let door = |known: &crate::operator::Known| known.beat.feeds.as_ref()?.get("door").cloned();
    operator.hears("the feed runs", |known| door(known).filter(|door| door.state != State::Starting));
    let pid = pod.entry("feeds", "door")["pid"].as_u64().unwrap().to_string();
    let began = Instant::now();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    let door = operator.hears("it was killed", |known| door(known).filter(|door| door.last_exit.is_some()));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let exit = door.last_exit.unwrap();
    assert_eq!((exit.signal, exit.code), (Some(9), None), "{exit:?}");
    assert!(exit.reason.contains("SIGKILL") && exit.stderr.contains("the lens cap is on"), "{exit:?}");
    assert!(exit.at > 1_700_000_000_000);
    operator.hears("it was started again", |known| {
        let door = known.beat.feeds.as_ref()?.get("door")?;
        (door.restarts == 1 && door.state == State::Running).then_some(())
    });
    let streams = operator.pod().beat.streams.unwrap();
    assert_eq!((streams["door"].state, streams["door"].last_exit.clone()), (State::Running, None));
}

#[test]
fn a_command_that_fails_all_the_time_is_told_a_few_times_a_second() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let source = json!({"source": {"command": mark.shell("head -c 70000 /dev/zero; exit 3")}, "activation": "Continuous"});
    let yaml = resource("Feed", "door", &source) + &feed("other", &mark.shell("sleep 1000"));
    let files = Files::new(&operator.shown, "cams-door").with(1, &yaml, "");
    let _pod = files.run(&[operator.address], &[]);
    operator.hears("it fails", |known| {
        let door = known.beat.feeds.as_ref()?.get("door")?;
        door.last_exit.as_ref().filter(|exit| exit.code == Some(3) && door.restarts > 5).map(|_| ())
    });
    let (before, began) = (operator.pod().beats, Instant::now());
    std::thread::sleep(Duration::from_secs(3));
    let beats = operator.pod().beats - before;
    let most = began.elapsed().as_millis() / 100 + 2;
    assert!(u128::from(beats) <= most && beats > 3, "{beats} beats, at most {most}");
}
