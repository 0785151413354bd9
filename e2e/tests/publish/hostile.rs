//! Publishers that mean no good.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use millrace_e2e::{Pod, Watcher, eventually};
use serde_json::json;

use crate::senders::{Sender, door};

const HEAD: &[u8] = b"PUT /live/door HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

fn connect(pod: &Pod, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(pod.address()).unwrap();
    // Some are cut off while they send.
    let _ = socket.write_all(bytes);
    socket
}

#[test]
fn whatever_is_sent_the_next_one_publishes() {
    let pod = Pod::start(&door(&json!({}), &json!({"silence": "1s"})));
    let _viewer = Watcher::new(pod.viewer("/door.ts"));
    pod.feed_is("door", "Silent");
    // A head that never ends is no publisher.
    let _endless = connect(&pod, b"PUT /live/door HTTP/1.1\r\nHost: x\r\nX: ");
    let mut noise: Vec<u8> = Vec::new();
    let mut seed = 7_u32;
    for _ in 0..1 << 20 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push((seed >> 24) as u8);
    }
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let tiny: Vec<u8> = (0..20_000).flat_map(|_| chunk(b"x")).collect();
    let bodies: [Vec<u8>; 6] = [
        Vec::new(),
        b"ffffffffffffffff\r\nabc".to_vec(),
        b"nonsense\r\nabc\r\n".to_vec(),
        [chunk(&noise), b"5\r\nab".to_vec()].concat(),
        [tiny, b"0\r\n\r\n".to_vec()].concat(),
        chunk(&noise[..100]),
    ];
    for (number, body) in bodies.iter().enumerate() {
        let socket = connect(&pod, &[HEAD, body].concat());
        // It closes midway, or it stalls until it is sent away.
        if number % 2 == 0 {
            let _ = socket.shutdown(Shutdown::Write);
        }
        eventually("it is no publisher any more", || {
            (pod.metric("millrace_feed_publishers{feed=\"door\"}") == 0).then_some(())
        });
        drop(socket);
    }
    // What came was of no known container: who watched that cannot go on with this.
    let _good = Sender::camera(&pod, "red", "");
    pod.feed_is("door", "Running");
    Watcher::new(pod.viewer("/door.ts")).flows(50_000);
}

#[test]
fn a_flood_is_taken_at_the_speed_of_the_machine_and_not_kept() {
    let pod = Pod::start(&door(&json!({}), &json!({})));
    let _stuck = pod.viewer("/door.ts");
    let before = pod.rss();
    let mut socket = connect(&pod, b"PUT /live/door HTTP/1.0\r\n\r\n");
    let piece = vec![0x47_u8; 1 << 20];
    for _ in 0..200 {
        socket.write_all(&piece).unwrap();
    }
    socket.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let grown = pod.rss().saturating_sub(before);
    assert!(grown < 100 << 20, "{} MiB", grown >> 20);
}
