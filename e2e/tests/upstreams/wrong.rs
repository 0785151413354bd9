//! Upstreams that are none.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use millrace_e2e::{Watcher, eventually};

use crate::{
    setup::{at, edge, naming, origin, port, said, upstream},
    support::{Cluster, known},
};

/// Answers every connection with `words`, and says no more.
fn speaking(words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let _ = socket.write_all(words);
                let mut nobody_reads = [0; 4096];
                while socket.read(&mut nobody_reads).is_ok_and(|read| read > 0) {}
            });
        }
    });
    place
}

#[test]
fn upstreams_that_speak_nonsense_or_say_nothing_are_passed_over_and_asked_again() {
    let origin = origin();
    let cluster = Cluster::new();
    let [http, noise, silent] =
        [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[0xff; 5000], b""].map(|words| port(speaking(words)));
    let nobody = port(crate::setup::ports::<1>()[0]);
    let upstreams = [
        ("http", &*http),
        ("noise", &*noise),
        ("silent", &*silent),
        ("nobody", &*nobody),
        ("origin", &at(&origin)),
    ];
    let leaf = edge(&cluster, &naming("leaf", &upstreams));
    known(&leaf, "/a.ts");
    let viewer = Watcher::new(leaf.viewer("/a.ts"));
    viewer.flows(20_000);
    eventually("nobody else can be reached", || {
        let away = |name: &str| upstream(&leaf, name)["state"] == "Away";
        ["http", "noise", "silent", "nobody"].iter().all(|name| away(name)).then_some(())
    });
    let began = Instant::now();
    let (status, why) = said(&leaf, "/none.ts");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(status == 503 && why.contains("Retry-After: "), "{why}");
    for name in ["http", "noise", "silent", "nobody"] {
        assert!(why.contains(&format!("upstream {name}: ")), "{why}");
    }
    viewer.flows(20_000);
}
