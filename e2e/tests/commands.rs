//! Commands: what they are given, and what of it arrives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use millrace_e2e::{
    Pod, binary, feed, live, packets, processes_marked, read_from, remux, resource, run, script, stream,
    words,
};
use serde_json::json;

/// Bytes that are no media, and nowhere the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

fn written(path: &Path) -> String {
    millrace_e2e::eventually("the command has written", || {
        fs::read_to_string(path).ok().filter(|t| t.ends_with(".\n"))
    })
}

#[test]
fn placeholders_are_filled_in_once_and_anything_can_be_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let said = directory.path().join("said");
    let program = script(
        directory.path(),
        "myenc",
        &format!(
            "for a in \"$@\"; do echo \"[$a]\"; done > {0}.new; echo . >> {0}.new; mv {0}.new {0}; cat",
            said.display()
        ),
    );
    let cluster = json!({"templates": {"mine": {
        "command": [program, "{input}", "{output}", "{{x}}", "%{localtime}", "{text}", "a{output}b", "{deep}"],
        "args": {"text": "default", "deep": "deep"}
    }}});
    let yaml = resource("Cluster", "default", &cluster)
        + &feed("zeros", &words("cat /dev/zero"))
        + &stream(
            "odd",
            &json!({
                "path": "/odd", "feeds": ["zeros"], "container": "Raw",
                "template": {"name": "mine", "args": {"text": "$HOME; it's a \"test\" & *"}}
            }),
        );
    let pod = Pod::start(&yaml);
    let (head, bytes) = pod.read("/odd", 1000);
    assert!(head.to_lowercase().contains("content-type: application/octet-stream"), "{head}");
    assert!(bytes.iter().all(|byte| *byte == 0), "what the command gives");
    let expected =
        "[pipe:0]\n[pipe:1]\n[{x}]\n[%{localtime}]\n[$HOME; it's a \"test\" & *]\n[apipe:1b]\n[deep]\n.\n";
    assert_eq!(written(&said), expected);
}

#[test]
fn several_feeds_come_on_descriptors_of_their_own_in_the_order_of_feeds() {
    let directory = tempfile::tempdir().unwrap();
    let said = directory.path().join("said");
    let program = script(
        directory.path(),
        "reads",
        &format!(
            "{{ echo \"$@\"; head -c 3 <&3; echo; head -c 3 <&4; echo; readlink /proc/$$/fd/0; echo .; }} > {0}.new; \
             mv {0}.new {0}; cat /dev/zero",
            said.display()
        ),
    );
    let yaml = feed("one", &words("yes 111"))
        + &feed("two", &words("yes 222"))
        + &stream(
            "both",
            &json!({
                "path": "/both", "feeds": ["two", "one"], "container": "Raw",
                "command": [program, "{feed:one}", "{feed:two}"]
            }),
        );
    let pod = Pod::start(&yaml);
    assert!(pod.read("/both", 1).0.starts_with("HTTP/1.1 200"));
    assert_eq!(written(&said), "pipe:4 pipe:3\n222\n111\n/dev/null\n.\n");
}

#[test]
fn an_unknown_placeholder_is_an_error_that_says_which_there_are() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrong.yaml");
    for (wrong, right) in [("{inptu}", &["did you mean {input}"][..]), ("{xyzzy}", &["{input}", "{output}"])]
    {
        let yaml = feed("one", &words("cat /dev/zero"))
            + &stream("wrong", &json!({"path": "/x", "feeds": ["one"], "command": ["cat", wrong]}));
        fs::write(&file, yaml).unwrap();
        let said = run(binary(), &["check", "-f", &file.display().to_string()], 20);
        assert_eq!(said.code, Some(1));
        let all = said.text() + &said.err;
        assert!(all.contains(wrong) && right.iter().all(|right| all.contains(right)), "{all}");
        assert!(all.contains("wrong.yaml:4: ") && all.contains("spec.command[1]"), "{all}");
    }
}

/// The time of day, in seconds, at which the first picture and the first sound of `path` were made.
fn first_of_each(pod: &Pod, path: &str) -> (f64, f64) {
    let (head, bytes) = pod.read(&format!("{path}?keyframe"), 60_000);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let file = pod.directory().join("muxed.ts");
    fs::write(&file, bytes).unwrap();
    let packets = packets(&file);
    let first = |video| packets.iter().find(|packet| packet.video == video).unwrap().pts;
    (first(true), first(false))
}

/// ffmpeg, whose timestamps are the time of day, so that it can be seen what belongs together.
fn wall_clock(filter: &str, codec: &str) -> Vec<String> {
    let mut argv = words("ffmpeg -nostdin -hide_banner -loglevel error -re -f lavfi -i");
    argv.push(filter.to_owned());
    argv.extend(words(codec));
    // MPEG-TS counts 33 bits at 90 kHz: the time of day modulo 26 hours. Both feeds wrap at once.
    argv.extend(words("-f mpegts -muxdelay 0 -muxpreload 0 -pes_payload_size 0 -flush_packets 1 {output}"));
    argv
}

fn muxed(gop: u32, sound_first: bool) -> String {
    // RTCTIME is the time of day in microseconds when the frame passes by; reduced, so that 33 bits hold it.
    let clock = "(RTCTIME/1000000-3600*floor(RTCTIME/3600000000))/TB";
    let picture = wall_clock(
        &format!("testsrc2=size=160x120:rate=25,realtime,setpts='{clock}'"),
        &format!(
            "-vsync passthrough -copyts -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g {gop} -sc_threshold 0"
        ),
    );
    let sound = wall_clock(
        &format!("sine=frequency=440:sample_rate=48000:samples_per_frame=1024,arealtime,asetpts='{clock}'"),
        "-copyts -c:a mp2 -b:a 64k",
    );
    let mux = "ffmpeg -nostdin -hide_banner -loglevel error -copyts -probesize 1M -analyzeduration 200k -f mpegts \
               -i {feed:picture} -probesize 32k -analyzeduration 200k -f mpegts -i {feed:sound} -map 0:v -map 1:a -c copy \
               -f mpegts -muxdelay 0 -muxpreload 0 -pes_payload_size 0 -flush_packets 1 {output}";
    let always = if sound_first { "Continuous" } else { "OnDemand" };
    resource("Feed", "picture", &json!({"source": {"command": picture}}))
        + &resource("Feed", "sound", &json!({"source": {"command": sound}, "activation": always}))
        + &stream("both", &json!({"path": "/both.ts", "feeds": ["picture", "sound"], "command": words(mux)}))
        + &stream("sound", &json!({"path": "/sound.ts", "feeds": ["sound"]}))
        + &stream("picture", &json!({"path": "/picture.ts", "feeds": ["picture"]}))
}

#[test]
fn muxed_feeds_start_together() {
    let pod = Pod::start(&muxed(25, false));
    let (picture, sound) = first_of_each(&pod, "/both.ts");
    assert!((picture - sound).abs() <= 0.1, "picture {picture}, sound {sound}");
}

#[test]
fn muxed_feeds_start_together_where_one_ran_long_before_and_random_access_points_are_rare() {
    let pod = Pod::start(&muxed(125, true));
    // Both run, the picture in the middle of a GOP.
    let mut runs = pod.viewer("/picture.ts");
    read_from(&mut runs, 40_000);
    pod.feed_is("sound", "Running");
    let (picture, sound) = first_of_each(&pod, "/both.ts");
    assert!((picture - sound).abs() <= 0.1, "picture {picture}, sound {sound}");
    drop(runs);
}

fn file_feed(name: &str, path: &Path, more: &serde_json::Value) -> String {
    let mut spec = json!({"source": {"file": {"path": path}}, "resurrect": false});
    for (key, value) in more.as_object().into_iter().flatten() {
        if key == "file" {
            for (key, value) in value.as_object().unwrap() {
                spec["source"]["file"][key] = value.clone();
            }
        } else {
            spec[key] = value.clone();
        }
    }
    resource("Feed", name, &spec)
}

#[test]
fn an_unpaced_file_loses_nothing_on_its_way_through_a_slow_command() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, file) = (noise(6 << 20), directory.path().join("noise"));
    fs::write(&file, &bytes).unwrap();
    let slow = "import sys, time\nout = sys.stdout.buffer\nwhile b := sys.stdin.buffer.read(65536):\n    out.write(b); out.flush(); time.sleep(0.03)";
    let yaml = file_feed("noise", &file, &json!({}))
        + &stream(
            "slow",
            &json!({
                "path": "/slow", "feeds": ["noise"], "container": "Raw", "command": ["python3", "-c", slow], "resurrect": false
            }),
        );
    let pod = Pod::start(&yaml);
    let began = Instant::now();
    let got = pod.curl("/slow", &[]).stdout;
    assert!(got == bytes, "{} of {} bytes", got.len(), bytes.len());
    assert!(began.elapsed() > Duration::from_millis(96 * 30), "it was held back by the command");
}

#[test]
fn an_unpaced_file_is_held_back_by_a_viewer_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (bytes, file) = (noise(12 << 20), directory.path().join("noise"));
    fs::write(&file, &bytes).unwrap();
    let yaml =
        file_feed("noise", &file, &json!({})) + &stream("raw", &json!({"path": "/raw", "feeds": ["noise"]}));
    let pod = Pod::start(&yaml);
    let got = pod.curl("/raw", &["--limit-rate", "4M"]).stdout;
    assert!(got == bytes, "{} of {} bytes", got.len(), bytes.len());
}

fn clip(directory: &Path, seconds: u32) -> PathBuf {
    let path = directory.join("clip.ts");
    let mut argv = live("testsrc2=size=160x120:rate=25", 25, &format!("-t {seconds} -b:v 400k"));
    argv.retain(|word| word != "-re" && word != "{output}" && word != "ffmpeg");
    argv.push(path.display().to_string());
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    assert_eq!(run("ffmpeg", &argv, 60).code, Some(0));
    path
}

#[test]
fn a_paced_file_goes_by_its_clock_and_loops_without_a_stall() {
    let directory = tempfile::tempdir().unwrap();
    let clip = clip(directory.path(), 3);
    let size = fs::metadata(&clip).unwrap().len() as usize;
    let yaml = file_feed("clip", &clip, &json!({"file": {"loop": true, "paced": true}, "resurrect": true}))
        + &stream("clip", &json!({"path": "/clip.ts", "feeds": ["clip"]}));
    let pod = Pod::start(&yaml);
    let mut viewer = pod.viewer("/clip.ts");
    let (_, first) = read_from(&mut viewer, 1);
    // Three times the clip takes nine seconds, and no second of it is without bytes.
    let (began, mut heard, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
    let (mut got, mut buffer) = (first.len(), vec![0; 1 << 16]);
    while got < size * 3 {
        got += viewer.read(&mut buffer).unwrap();
        longest = longest.max(heard.elapsed());
        heard = Instant::now();
    }
    let took = began.elapsed().as_secs_f64();
    assert!((7.5..14.0).contains(&took), "{took} s for nine");
    assert!(longest < Duration::from_secs(2), "{longest:?} without bytes");
    assert_eq!(pod.entry("feeds", "clip")["restarts"], 0, "it was not begun again, it looped");
}

#[test]
fn a_command_has_its_environment_and_no_more_memory_than_it_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let said = directory.path().join("said");
    let tells = script(
        directory.path(),
        "tells",
        &format!("echo \"$GREETING-$HIDDEN.\" > {}; cat /dev/zero", said.display()),
    );
    let eats =
        "import sys, time; b = bytearray(400 << 20); time.sleep(20); sys.stdout.buffer.write(b[:1000])";
    let yaml = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: hidden-value}\n"
        .to_owned()
        + &stream(
            "tells",
            &json!({
                "path": "/tells", "command": [tells], "container": "Raw",
                "env": [
                    {"name": "GREETING", "value": "hello"},
                    {"name": "HIDDEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}}
                ]
            }),
        )
        + &stream(
            "eats",
            &json!({
                "path": "/eats", "command": ["python3", "-c", eats], "container": "Raw",
                "resources": {"memoryPerProcess": "200Mi"}
            }),
        );
    let pod = Pod::start(&yaml);
    assert!(pod.read("/tells", 1).0.starts_with("HTTP/1.1 200"));
    assert_eq!(written(&said), "hello-hidden-value.\n");
    let refused = String::from_utf8(pod.curl("/eats", &["-i"]).stdout).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("use of memory"), "{refused}");
}

#[test]
fn a_command_is_fed_the_header_and_a_random_access_point_first() {
    let directory = tempfile::tempdir().unwrap();
    let fed = directory.path().join("fed.ts");
    let tees = script(directory.path(), "tees", &format!("exec tee {}", fed.display()));
    let yaml = feed("pattern", &live("testsrc2=size=160x120:rate=10", 30, ""))
        + &stream("plain", &json!({"path": "/plain.ts", "feeds": ["pattern"]}))
        + &stream(
            "through",
            &json!({"path": "/through.ts", "feeds": ["pattern"], "command": [tees, "{input}"]}),
        )
        + &stream(
            "again",
            &json!({"path": "/again.ts", "feeds": ["pattern"], "command": remux("-c copy -f mpegts")}),
        );
    let pod = Pod::start(&yaml);
    let mut runs = pod.viewer("/plain.ts");
    read_from(&mut runs, 40_000);
    let (_, bytes) = pod.read("/through.ts", 30_000);
    assert!(bytes.starts_with(&[0x47, 0x40, 0x00]), "the PAT is first");
    let packets = packets(&fed);
    assert!(packets.first().is_some_and(|first| first.key), "{:?}", packets.first());
    assert!(pod.read("/again.ts", 10_000).0.starts_with("HTTP/1.1 200"));
    let mark = fed.display().to_string();
    drop((pod, runs));
    millrace_e2e::eventually("nothing is left of it", || processes_marked(&mark).is_empty().then_some(()));
}
