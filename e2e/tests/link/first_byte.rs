//! How long the first viewer of a stream waits.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use millrace_e2e::{Pod, eventually, stream};
use serde_json::json;

use crate::support::{Cluster, camera, known, link_of};

/// Streams that nobody watched before.
const STREAMS: usize = 15;

fn path(n: usize) -> String {
    format!("/s{n}.ts")
}

/// From the request to the first byte of the stream, of a viewer of each stream: the middle one, and the longest.
fn waits(pod: &Pod) -> [Duration; 2] {
    let wait = |n| {
        let began = Instant::now();
        let (head, body) = pod.read(&format!("{}?keyframe", path(n)), 1);
        assert!(head.contains(" 200 ") && !body.is_empty(), "{head}");
        began.elapsed()
    };
    let mut all: Vec<Duration> = (0..STREAMS).map(wait).collect();
    all.sort_unstable();
    [all[STREAMS / 2], all[STREAMS - 1]]
}

#[test]
fn the_first_viewer_of_a_stream_waits_little_longer_at_a_balancer_than_at_its_server() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let streams = (0..STREAMS).map(|n| stream(&format!("s{n}"), &json!({"path": path(n), "feeds": ["a"]})));
    let yaml = camera("a", "Continuous") + &streams.collect::<String>();
    let server = cluster.server("one", &yaml, &[("a", 1)], &edge);
    known(&edge, &path(STREAMS - 1));
    eventually("there is a group of pictures", || {
        (server.pod.entry("feeds", "a")["gop"]["bytes"].as_u64() > Some(0)).then_some(())
    });
    let (through, direct) = (waits(&edge), waits(&server.pod));
    println!("first byte of a stream, middle and longest: through a balancer {through:?}, direct {direct:?}");
    assert!(through[0] < direct[0] + Duration::from_millis(40), "{through:?} {direct:?}");
}

/// The time that the far relay adds in each direction.
const FAR: Duration = Duration::from_millis(150);

/// Gives on what comes, later, until one side ends.
fn delay(mut from: TcpStream, mut to: TcpStream) {
    let (late, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (at, bytes) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if late.send((Instant::now() + FAR, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}

/// A relay to `to` that is far away.
fn far(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(there) = TcpStream::connect(&to) else { return };
            let _ = (near.set_nodelay(true), there.set_nodelay(true));
            delay(near.try_clone().unwrap(), there.try_clone().unwrap());
            delay(there, near);
        }
    });
    address
}

#[test]
fn a_session_with_a_server_that_is_far_away_begins_in_one_round_trip() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let streams = (0..STREAMS).map(|n| stream(&format!("s{n}"), &json!({"path": path(n), "feeds": ["a"]})));
    let yaml = camera("a", "Continuous") + &streams.collect::<String>();
    let server = cluster.server_of("one", &yaml, &[("a", 1)], &far(link_of(&edge)));
    known(&edge, &path(STREAMS - 1));
    eventually("there is a group of pictures", || {
        (server.pod.entry("feeds", "a")["gop"]["bytes"].as_u64() > Some(0)).then_some(())
    });
    let [middle, longest] = waits(&edge);
    println!("first byte over {FAR:?} in each direction: {middle:?}, {longest:?} at most");
    assert!(middle >= FAR * 2 && middle < FAR * 3, "{middle:?}");
}
