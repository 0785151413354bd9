//! What a start costs, printed: `cargo test --release -p millrace-exec --test start_cost -- --nocapture`.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use millrace_exec::{Agent, Spec};
use tokio::io::AsyncReadExt;

async fn first_byte(agent: &Agent) -> Duration {
    let begun = Instant::now();
    let mut process = agent.start(Spec { stdout: true, ..Spec::new(["/bin/echo", "x"]) }).await.unwrap();
    process.stdout.as_mut().unwrap().read_exact(&mut [0]).await.unwrap();
    let took = begun.elapsed();
    process.wait().await;
    took
}

async fn plain_first_byte() -> Duration {
    let begun = Instant::now();
    let mut child = tokio::process::Command::new("/bin/echo")
        .arg("x")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).await.unwrap();
    let took = begun.elapsed();
    child.wait().await.unwrap();
    took
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

#[tokio::test]
async fn a_start_takes_a_moment() {
    let agent = common::agent();
    let server = common::Server::start();
    let sidecar = server.agent();
    let (mut local, mut socket, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..60 {
        local.push(first_byte(&agent).await);
        socket.push(first_byte(&sidecar).await);
        plain.push(plain_first_byte().await);
    }
    let (local, socket, plain) = (median(local), median(socket), median(plain));
    println!(
        "start to first byte, p50: local agent {local:?}, sidecar {socket:?}, plain fork and exec {plain:?}"
    );
    assert!(local < Duration::from_millis(250), "{local:?}");
}
