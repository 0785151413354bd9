//! How much one link carries: both ends on one thread over loopback TCP, and bytes through a bare socket beside it.
//!
//! `cargo run --release -p millrace-link --example throughput [seconds] [message bytes] [largest fragment] [rounds]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_link::avrs::{Content, ContentFlags, Generation, sign};
use millrace_link::net::{Link, accept_tcp, connect_tcp};
use millrace_link::secure::handshake::Credentials;
use millrace_link::secure::{MemberKey, Members, Secrecy};
use millrace_link::wire::{ChannelType, Role};
use millrace_link::{Config, Security, Side};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

/// Messages are pieces of this much noise, one after another: each is new to the processor, as media is.
const NOISE: usize = 64 << 20;

#[derive(Clone, Copy)]
struct Plan {
    seconds: u64,
    size: usize,
    fragment: usize,
}

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut next = |usual: usize| args.next().map_or(Ok(usual), |arg| arg.parse());
    let plan = Plan { seconds: next(3)? as u64, size: next(65_536)?, fragment: next(66_048)? };
    let rounds = next(3)?;
    let mut noise = vec![0; NOISE];
    aws_lc_rs::rand::fill(&mut noise)?;
    let noise = Bytes::from(noise);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
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
            Config::new(side, Security::Handshake(credentials))
        };
        let clear = |side| Config::clear(side, Role::SERVER);
        let mut all = Vec::new();
        for _ in 0..rounds.max(1) {
            let floor = bare(&noise, plan).await?;
            let open = link(&noise, clear, plan).await?;
            all.push([floor, open, link(&noise, sealed, plan).await?]);
        }
        println!("Gbit per second of CPU, both ends: median (best) of {} rounds", all.len());
        let [floor, open, secret] = [median(&all, |[it, ..]| *it), median(&all, |[_, it, _]| *it), median(&all, |[.., it]| *it)];
        let ratio = median(&all, |[_, open, secret]| secret / open * 100.0);
        println!("  socket        {floor}\n  link in clear {open}\n  link sealed   {secret}\n  sealed, % of clear, round by round {ratio}");
        signatures(&key, &members, plan.size)
    })
}

fn median(all: &[[f64; 3]], of: impl Fn(&[f64; 3]) -> f64) -> String {
    let mut sorted: Vec<f64> = all.iter().map(of).collect();
    sorted.sort_by(f64::total_cmp);
    let best = sorted.last().copied().unwrap_or_default();
    format!("{:.1} ({best:.1})", sorted.get(sorted.len() / 2).copied().unwrap_or_default())
}

/// Piece after piece of the noise.
fn pieces(noise: &Bytes, size: usize) -> impl Iterator<Item = Bytes> {
    let count = noise.len() / size;
    (0..count).cycle().map(move |number| noise.slice(number * size..(number + 1) * size))
}

/// The floor: the same bytes by the same runtime through a socket, as many at a time as a link writes and reads.
async fn bare(noise: &Bytes, plan: Plan) -> Result<f64, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut to = TcpStream::connect(listener.local_addr()?).await?;
    let (mut from, _) = listener.accept().await?;
    let sink = tokio::spawn(async move {
        let (mut buffer, mut bytes) = (vec![0; 256 << 10], 0_u64);
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            bytes += read as u64;
        }
        bytes
    });
    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    for piece in pieces(noise, 512 << 10) {
        to.write_all(&piece).await?;
        if begin.elapsed() >= Duration::from_secs(plan.seconds) {
            break;
        }
    }
    drop(to);
    Ok(sink.await? as f64 * 8.0 / 1e9 / (cpu_seconds()? - cpu))
}

async fn link(noise: &Bytes, config: impl Fn(Side) -> Config, plan: Plan) -> Result<f64, Failure> {
    let config = |side| Config { max_fragment: plan.fragment, compress: false, ..config(side) };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dialed = connect_tcp(listener.local_addr()?, config(Side::Dialer)).await?;
    let accepted: Link = accept_tcp(listener.accept().await?.0, config(Side::Acceptor))?;
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
    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    for piece in pieces(noise, plan.size) {
        channel.send(piece).await?;
        if begin.elapsed() >= Duration::from_secs(plan.seconds) {
            break;
        }
    }
    drop(channel);
    Ok(sink.await?? as f64 * 8.0 / 1e9 / (cpu_seconds()? - cpu))
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
