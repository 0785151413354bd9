//! Very many sessions on one link: memory of each side, time to make them, and to make them again after the other side was
//! killed and started anew.
//!
//! `cargo run --release -p millrace-link --example sessions [sessions]`

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_link::avrs::{
    Content, ContentFlags, ContentKind, Direction, Generation, Join, RolesOnly, ServerEvent, Target,
};
use millrace_link::net::{Served, Session, SessionClient, SessionServer, Wish, accept_tcp, connect_tcp};
use millrace_link::secure::handshake::Credentials;
use millrace_link::secure::{MemberKey, Members, Secrecy};
use millrace_link::wire::{Role, TsdWriter};
use millrace_link::{Config, Security, Side};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("serve") => serve(args.next().unwrap_or_default().parse()?).await,
        count => measure(count.map_or(Ok(10_000), str::parse)?).await,
    }
}

fn config(side: Side) -> Result<Config, Failure> {
    // Both sides know one key: this is no test of trust.
    let key = Arc::new(MemberKey::from_bytes(&[7; 32])?);
    let members = Members::new();
    members.insert(key.id(), Role::SERVER);
    let credentials = Credentials {
        key: Some(key),
        role: Role::SERVER,
        grant: Bytes::new(),
        trust: Arc::new(members),
        secrecy: Secrecy::Packets,
        binding: Bytes::new(),
    };
    let config = Config::new(side, Security::Handshake(credentials));
    Ok(Config { max_channels: 30_000, compress: false, ..config })
}

async fn measure(count: usize) -> Result<(), Failure> {
    let (mut server, port) = start(0)?;
    let before = [resident("self")?, resident(&server.id().to_string())?];
    let begin = Instant::now();
    let sessions = all(port, count).await?;
    println!("{count} sessions on one sealed link: {:.2} s to make them", begin.elapsed().as_secs_f64());
    let after = [resident("self")?, resident(&server.id().to_string())?];
    for (side, (before, after)) in ["asks", "serves"].iter().zip(before.iter().zip(&after)) {
        println!("  {:.1} kB each, resident, where it {side}", (after - before) / count as f64);
    }
    server.kill()?;
    server.wait()?;
    let begin = Instant::now();
    // What a session notices first.
    while sessions.iter().any(|session| session.channel().link().close_reason().is_none()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(sessions);
    let noticed = begin.elapsed();
    let (mut server, port) = start(port)?;
    let again = Instant::now();
    drop(all(port, count).await?);
    println!(
        "after the other side was killed: noticed in {:.3} s, all back {:.2} s after it was there again",
        noticed.as_secs_f64(),
        again.elapsed().as_secs_f64()
    );
    server.kill()?;
    server.wait()?;
    Ok(())
}

/// All sessions, each with its first content.
async fn all(port: u16, count: usize) -> Result<Vec<Session>, Failure> {
    let link = connect_tcp(("127.0.0.1", port), config(Side::Dialer)?).await?;
    let client = SessionClient::new(&link).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let client = client.clone();
        tasks.spawn(async move {
            let target = Target {
                content: format!("/{number}"),
                direction: Direction::Watch,
                kind: ContentKind::Live,
                quality: None,
            };
            let wish = Wish { target, credentials: Bytes::new(), join: Join::LiveEdge, position: None };
            let session = client.begin(&wish).await?;
            session.recv(None).await?;
            Ok::<_, Failure>(session)
        });
    }
    let mut sessions = Vec::with_capacity(count);
    while let Some(session) = tasks.join_next().await {
        sessions.push(session??);
    }
    Ok(sessions)
}

/// This program again, as the other side.
fn start(port: u16) -> Result<(Child, u16), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["serve", &port.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let out = child.stdout.take().ok_or("no output")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
    Ok((child, line.trim().parse()?))
}

/// Each session gets one packet, and is then held.
async fn serve(port: u16) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", listener.local_addr()?.port());
    let link = accept_tcp(listener.accept().await?.0, config(Side::Acceptor)?)?;
    let mut server = SessionServer::new(link, Arc::new(RolesOnly), 30_000).await?;
    let mut held = std::collections::HashMap::new();
    while let Ok(served) = server.next().await {
        let Served::Session(event) = served else { continue };
        match event {
            ServerEvent::Select { session, .. } | ServerEvent::Synchronise { session, .. } => {
                server.sessions().answer(session, Ok(TsdWriter::new()));
            }
            ServerEvent::Opened { session, channel, .. } => {
                held.extend(server.take_channel(channel).map(|channel| (session, channel)));
            }
            ServerEvent::Stream { session } => {
                let content = Content {
                    stream: 0,
                    flags: ContentFlags::NONE,
                    generation: Generation::default(),
                    timestamp: 0,
                    item: 0,
                    data: Bytes::from_static(&[0x47; 188]),
                };
                if let Some(channel) = held.get(&session) {
                    channel.send_parts(content.encode_head(), content.data).await?;
                }
            }
            ServerEvent::Closed { session } => drop(held.remove(&session)),
            ServerEvent::Authenticate { .. } => {}
        }
    }
    Ok(())
}

/// Kilobytes.
fn resident(process: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
