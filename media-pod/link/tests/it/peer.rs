//! A peer that shares no code with this crate.

use std::process::Stdio;

use millrace_link::net::accept_tcp;
use millrace_link::wire::{ChannelType, Role};
use millrace_link::{CloseReason, Config, Side};
use tokio::net::TcpListener;
use tokio::process::Command;

#[tokio::test]
async fn a_peer_in_python_written_from_the_document_is_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peer.py");
    let peer = Command::new("python3")
        .args([script, &port])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let serve = async {
        let config = Config::clear(Side::Acceptor, Role::CLIENT);
        let link = accept_tcp(listener.accept().await.unwrap().0, config).unwrap();
        let incoming = link.accept().await.unwrap();
        assert_eq!(incoming.kind(), ChannelType::MEDIA);
        let channel = incoming.accept().unwrap();
        while let Ok(message) = channel.recv().await {
            let answer = match message.strip_prefix(b"ping") {
                Some(number) => [b"pong", number].concat().into(),
                None => message,
            };
            channel.send(answer).await.unwrap();
        }
        assert_eq!(channel.closed().await.text, "enough");
        link.closed().await
    };
    let (reason, output) = tokio::join!(serve, peer.wait_with_output());
    let output = output.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "OK\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(matches!(reason, CloseReason::Peer(notice) if notice.text == "bye"));
}
