//! Publishers whose machine is gone without a word.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use millrace_e2e::{Pod, eventually};
use serde_json::json;
use socket2::{SockFilter, SockRef};

use crate::senders::door;

/// Begins to publish, and says nothing more.
fn publisher(pod: &Pod, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(pod.address()).unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    socket.write_all((head + "5\r\nhello\r\n").as_bytes()).unwrap();
    socket
}

#[test]
fn a_publisher_that_vanished_makes_room_and_one_that_is_only_silent_keeps_it() {
    let patient = door(&json!({}), &json!({"silence": "0s"}));
    let pod = Pod::start(&(patient.clone() + &patient.replace("door", "gate")));
    let publishers = |feed: &str| pod.metric(&format!("millrace_feed_publishers{{feed=\"{feed}\"}}"));
    let began = Instant::now();
    let (gone, mut silent) = (publisher(&pod, "/live/door"), publisher(&pod, "/live/gate"));
    eventually("both publish", || ((publishers("door"), publishers("gate")) == (1, 1)).then_some(()));

    // Whatever comes to it from now on is dropped and not acknowledged (BPF_RET with 0).
    SockRef::from(&gone).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).unwrap();
    eventually("there is room for another one", || (publishers("door") == 0).then_some(()));
    let lasted = began.elapsed();
    assert!(lasted > Duration::from_secs(25), "it had time to come back: {lasted:?}");

    assert_eq!(publishers("gate"), 1);
    silent.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    silent.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 204");
}
