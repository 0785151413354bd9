//! How much one link carries: both ends on one thread over loopback TCP.
//!
//! `cargo run --release -p millrace-link --example throughput [seconds] [message bytes]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_link::avrs::{Content, ContentFlags, Generation, sign};
use millrace_link::net::{Link, accept_tcp, connect_tcp};
use millrace_link::secure::handshake::Credentials;
use millrace_link::secure::{MemberKey, Members, Secrecy};
use millrace_link::wire::{ChannelType, Role};
use millrace_link::{Config, Security, Side};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let seconds: u64 = args.next().map_or(Ok(3), |arg| arg.parse())?;
    let size: usize = args.next().map_or(Ok(65_536), |arg| arg.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        measure("in clear", |side| Ok(Config::clear(side, Role::SERVER)), seconds, size).await?;
        let key = Arc::new(MemberKey::generate()?);
        let members = Arc::new(Members::new());
        members.insert(key.id(), Role::SERVER);
        let sealed = |side| {
            let credentials = Credentials {
                key: Some(key.clone()),
                role: Role::SERVER,
                grant: Bytes::new(),
                trust: members.clone(),
                secrecy: Secrecy::Packets,
                binding: Bytes::new(),
            };
            Ok(Config::new(side, Security::Handshake(credentials)))
        };
        measure("sealed", sealed, seconds, size).await?;
        signatures(&key, &members, size)
    })
}

async fn measure(
    name: &str,
    config: impl Fn(Side) -> Result<Config, Failure>,
    seconds: u64,
    size: usize,
) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dialed = connect_tcp(listener.local_addr()?, config(Side::Dialer)?).await?;
    let accepted: Link = accept_tcp(listener.accept().await?.0, config(Side::Acceptor)?)?;
    let sink = tokio::spawn(async move {
        let channel = accepted.accept().await.map_err(|reason| reason.to_string())?.accept();
        let channel = channel.map_err(|error| error.to_string())?;
        let mut bytes = 0_u64;
        while let Ok(message) = channel.recv().await {
            bytes += message.len() as u64;
        }
        Ok::<_, String>(bytes)
    });
    let channel = dialed.open_channel(ChannelType::CONTENT).await?;
    let mut noise = vec![0; size];
    aws_lc_rs::rand::fill(&mut noise)?;
    let noise = Bytes::from(noise);
    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    while begin.elapsed() < Duration::from_secs(seconds) {
        channel.send(noise.clone()).await?;
    }
    drop(channel);
    let bytes = sink.await??;
    let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let gigabits = bytes as f64 * 8.0 / 1e9;
    println!(
        "{name}: {:.2} Gbit/s; {:.2} Gbit per second of CPU, both ends ({:.0} % of one core)",
        gigabits / elapsed,
        gigabits / cpu,
        cpu / elapsed * 100.0
    );
    Ok(())
}

fn signatures(key: &MemberKey, members: &Members, size: usize) -> Result<(), Failure> {
    let content = Content {
        stream: 1,
        flags: ContentFlags::NONE,
        generation: Generation::default(),
        timestamp: 0,
        item: 0,
        data: vec![1; size].into(),
    };
    let rounds = 5000;
    let begin = cpu_seconds()?;
    let mut head = Bytes::new();
    for _ in 0..rounds {
        head = content.sign_head(key)?;
    }
    let per_round = |begin: f64, end: f64| (end - begin) * 1e6 / f64::from(rounds);
    let signed = per_round(begin, cpu_seconds()?);
    let packet = [&head[..], &content.data].concat();
    let begin = cpu_seconds()?;
    for _ in 0..rounds {
        sign::verify(&packet, members).map_err(|code| code.to_string())?;
    }
    let verified = per_round(begin, cpu_seconds()?);
    println!("content of {size} bytes: {signed:.0} us of CPU to sign, {verified:.0} us to verify");
    Ok(())
}

/// User and system time of this process.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("no /proc/self/stat")?.1;
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}
