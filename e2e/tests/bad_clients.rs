//! Clients that do what they should not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use millrace_e2e::{Mark, Pod, Watcher, eventually, feed, stream};
use serde_json::json;

/// Numbered lines of 100 bytes, a hundred thousand bytes at a time.
const NUMBERED: &str = "awk 'BEGIN { while (1) { for (j = 0; j < 1000; j++) printf \"%099d\\n\", i++; fflush(); system(\"sleep 0.02\") } }'";

fn numbered(mark: &Mark) -> String {
    feed("feed", &mark.shell(NUMBERED)) + &stream("stream", &json!({"path": "/numbers", "feeds": ["feed"]}))
}

fn connect(pod: &Pod) -> TcpStream {
    let socket = TcpStream::connect(pod.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    socket
}

#[test]
fn a_client_that_never_reads_costs_little_and_its_neighbour_gets_every_byte() {
    let mark = Mark::default();
    let pod = Pod::start(&numbered(&mark));
    let neighbour = Watcher::new(pod.viewer("/numbers"));
    neighbour.flows(1_000_000);
    let before = pod.rss();
    let deaf: Vec<_> = (0..20).map(|_| pod.viewer("/numbers")).collect();
    neighbour.flows(28_000_000);
    assert!(pod.rss() < before + (100 << 20), "{before} to {}", pod.rss());
    let body = neighbour.body();
    let numbers: Vec<u64> = body
        .split(|byte| *byte == b'\n')
        .skip(1)
        .filter(|line| line.len() == 99)
        .map(|line| String::from_utf8_lossy(line).parse().unwrap())
        .collect();
    assert!(numbers.len() > 250_000, "{}", numbers.len());
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "the neighbour missed something");
    let skipped = pod.entry("streams", "stream")["skips"].as_u64().unwrap();
    assert!(skipped >= 20, "those who do not read skip: {skipped}");
    drop(deaf);
    drop(neighbour);
    mark.gone();
}

#[test]
fn half_a_request_holds_nobody_up_and_is_closed() {
    let mark = Mark::default();
    let pod = Pod::start(&numbered(&mark));
    let mut halves: Vec<_> = (0..50).map(|_| connect(&pod)).collect();
    for half in &mut halves {
        half.write_all(b"GET /numbers HTTP/1.1\r\nHost: mill").unwrap();
    }
    let neighbour = Watcher::new(pod.viewer("/numbers"));
    neighbour.flows(1_000_000);
    // One of them hangs up in the middle of it.
    halves.pop().unwrap().shutdown(Shutdown::Both).unwrap();
    for half in &mut halves {
        let mut said = Vec::new();
        half.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    neighbour.flows(1_000_000);
    assert_eq!(pod.entry("streams", "stream")["viewers"], 1);
}

#[test]
fn garbage_instead_of_a_request_is_refused() {
    let pod = Pod::start(&numbered(&Mark::default()));
    let mut state = 1_u32;
    let mut random = |length: usize| -> Vec<u8> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        (0..length).map(|_| next()).collect()
    };
    let long = [b"GET /".as_slice(), &vec![b'a'; 200_000], b" HTTP/1.1\r\n\r\n"].concat();
    let many = [b"GET / HTTP/1.1\r\n".as_slice(), &b"a: b\r\n".repeat(20_000), b"\r\n"].concat();
    let fixed: [&[u8]; 6] =
        [b"\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", &long, &many];
    let random: Vec<Vec<u8>> = (0..100).map(|length| random(length * 7)).collect();
    for garbage in fixed.into_iter().chain(random.iter().map(Vec::as_slice)) {
        let mut socket = connect(&pod);
        let _ = socket.write_all(garbage);
        let _ = socket.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        let _ = socket.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    assert_eq!(pod.status("/stat.json"), 200);
    assert_eq!(pod.entry("feeds", "feed")["state"], "Idle");
}

#[test]
fn ten_thousand_requests_for_nothing_leave_nothing_behind() {
    let mark = Mark::default();
    let pod = Pod::start(&numbered(&mark));
    let neighbour = Watcher::new(pod.viewer("/numbers"));
    neighbour.flows(100_000);
    assert_eq!(pod.status("/nothing"), 404);
    let before = pod.rss();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let pod = &pod;
            scope.spawn(move || {
                // 25 connections of 100 requests each.
                for connection in 0..25 {
                    ask_for_nothing(pod, &format!("/{client}/{connection}"), 100);
                }
            });
        }
    });
    assert!(pod.rss() < before + (32 << 20), "{before} to {}", pod.rss());
    let stat = pod.stat();
    assert!(stat["totals"]["notFoundTotal"].as_u64() >= Some(10_000), "{}", stat["totals"]);
    let said: usize = pod.log().iter().map(|line| line.len() + 1).sum();
    assert!(said < 2_000_000, "{said} bytes of log");
    assert_eq!(stat["feeds"].as_array().unwrap().len(), 1);
    neighbour.flows(100_000);
    drop(neighbour);
    eventually("no viewer is left", || (pod.stat()["totals"]["viewers"] == 0).then_some(()));
    mark.gone();
}

/// All in one go, as a scanner does.
fn ask_for_nothing(pod: &Pod, below: &str, times: usize) {
    let mut socket = connect(pod);
    for time in 0..times {
        let last = if time + 1 == times { "Connection: close\r\n" } else { "" };
        write!(socket, "GET {below}/{time}.ts HTTP/1.1\r\nHost: millrace\r\n{last}\r\n").unwrap();
    }
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    assert_eq!(said.matches("HTTP/1.1 404").count(), times, "{said}");
}
