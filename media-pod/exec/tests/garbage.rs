//! A client that talks nonsense harms itself only.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::{Server, children_of, fds_of, long, sh, until, with_argument};
use millrace_exec::Spec;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// A small generator of numbers (splitmix64): the same nonsense every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn frame(json: &str) -> Vec<u8> {
    [&(json.len() as u32).to_be_bytes(), json.as_bytes()].concat()
}

fn valid() -> Vec<u8> {
    frame(
        r#"{"argv":["true"],"env":[],"cwd":null,"stdin":false,"stdout":false,"extra_inputs":0,"memory_limit":null,"oom_score_adj":null}"#,
    )
}

fn nonsense() -> Vec<Vec<u8>> {
    let mut numbers = Numbers(4);
    let mut all = vec![
        Vec::new(),
        vec![0xff; 4],
        vec![0; 4],
        frame(""),
        frame("{}"),
        frame("[[[[[[[[[[[["),
        frame(&"[".repeat(100_000)),
        frame("\u{0}"),
        // valid, but without descriptors
        valid(),
        frame(
            &String::from_utf8(valid()[4..].to_vec())
                .unwrap()
                .replace("\"extra_inputs\":0", "\"extra_inputs\":18446744073709551615"),
        ),
        frame(&String::from_utf8(valid()[4..].to_vec()).unwrap().replace("\"true\"", "")),
        [0x00, 0x10, 0x00, 0x01].to_vec(),
        vec![b'K'; 10_000],
    ];
    for _ in 0..40 {
        let mut bytes = valid();
        match numbers.next() % 3 {
            0 => bytes.truncate(numbers.next() as usize % bytes.len()),
            1 => {
                let at = numbers.next() as usize % bytes.len();
                bytes[at] ^= 1 << (numbers.next() % 8);
            }
            _ => bytes = (0..numbers.next() % 5000).map(|_| numbers.next() as u8).collect(),
        }
        all.push(bytes);
    }
    all
}

#[tokio::test]
async fn nonsense_never_ends_the_server_nor_touches_a_neighbour() {
    let server = Server::start();
    let pid = server.child.id();
    let agent = server.agent();
    let mark = long();
    let neighbour = agent.start(Spec::new(["sleep", &mark])).await.unwrap();
    until("the neighbour runs", || with_argument(&mark).len() == 1);
    let before = fds_of(pid);
    for bytes in nonsense() {
        let mut client = UnixStream::connect(&server.socket).unwrap();
        let _ = client.write_all(&bytes);
        client.shutdown(std::net::Shutdown::Write).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = Vec::new();
        // it answers or hangs up; a reset is a hang-up with bytes left unread
        let _ = client.read_to_end(&mut answer);
        assert!(answer.is_empty() || String::from_utf8_lossy(&answer).contains("Refused"));
    }
    until("only the neighbour and the spare are left", || children_of(pid as i32).len() == 2);
    until("no descriptor is left", || fds_of(pid) <= before);
    assert_eq!(with_argument(&mark).len(), 1);
    assert!(agent.start(sh("exit 0")).await.unwrap().wait().await.success());
    drop(neighbour);
}

#[test]
fn too_many_descriptors_are_refused_and_closed() {
    let server = Server::start();
    let pid = server.child.id();
    until("the spare is there", || children_of(pid as i32).len() == 1);
    let before = fds_of(pid);
    let client = UnixStream::connect(&server.socket).unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let many = vec![std::os::fd::AsFd::as_fd(&null); 200];
    let mut space = vec![std::mem::MaybeUninit::uninit(); 4096];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&many)));
    rustix::net::sendmsg(&client, &[std::io::IoSlice::new(&valid())], &mut ancillary, SendFlags::empty())
        .unwrap();
    let mut answer = String::new();
    let mut client = client;
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = client.read_to_string(&mut answer);
    assert!(answer.contains("Refused"), "{answer}");
    until("only the spare is left", || children_of(pid as i32).len() == 1);
    until("no descriptor is left", || fds_of(pid) <= before);
}

#[tokio::test]
async fn clients_that_say_nothing_cost_nothing_but_their_own_patience() {
    let server = Server::start();
    let silent: Vec<_> = (0..50).map(|_| UnixStream::connect(&server.socket).unwrap()).collect();
    assert!(server.agent().start(sh("exit 0")).await.unwrap().wait().await.success());
    drop(silent);
    let pid = server.child.id() as i32;
    until("only the spare is left", || children_of(pid).len() == 1);
}

#[tokio::test]
async fn a_crowd_of_starts_is_served() {
    let server = Server::start();
    let agent = server.agent();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..150 {
        let agent = agent.clone();
        all.spawn(async move { agent.start(sh("exit 0")).await.unwrap().wait().await.success() });
    }
    assert!(all.join_all().await.into_iter().all(|success| success));
}

#[tokio::test]
async fn two_clients_do_not_see_each_other() {
    let server = Server::start();
    let (one, two) = (server.agent(), server.agent());
    let (mark_one, mark_two) = (long(), long());
    let process_one = one.start(Spec::new(["sleep", &mark_one])).await.unwrap();
    let process_two = two.start(Spec::new(["sleep", &mark_two])).await.unwrap();
    for mark in [&mark_one, &mark_two] {
        until("both run", || with_argument(mark).len() == 1);
    }
    drop((one, process_one));
    until("the first client's command is gone", || with_argument(&mark_one).is_empty());
    assert_eq!(with_argument(&mark_two).len(), 1);
    drop(process_two);
}

#[tokio::test]
async fn more_commands_than_allowed_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let mut child = std::process::Command::new(common::EXE)
        .args(["serve", "--max-commands", "2", "--mode", "0660", "--socket"])
        .arg(&socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the server listens", || socket.exists());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
    let agent = millrace_exec::Agent::connect(&socket);
    let first = agent.start(Spec::new(["sleep", "1000"])).await.unwrap();
    let _second = agent.start(Spec::new(["sleep", "1000"])).await.unwrap();
    agent.start(Spec::new(["sleep", "1000"])).await.unwrap_err();
    drop(first);
    let pid = child.id() as i32;
    until("there is room again", || children_of(pid).len() == 2);
    assert!(agent.start(sh("exit 0")).await.unwrap().wait().await.success());
    child.kill().unwrap();
    child.wait().unwrap();
}
