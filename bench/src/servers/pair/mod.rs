//! Two origins that both have the stream, and something before them that viewers ask.

mod haproxy;
mod nginx;
mod owners;

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result};

use self::owners::Owners;
use super::{Program, Server, Setup, fifo, find_program, free_addr, icecast};
use crate::source::{Source, Target};

const PATH: &str = "/bench.ts";
/// More than a group of pictures of the clip: who comes gets a whole picture at once.
const BURST: usize = 700_000;
/// Stamps of origin N count from here times N.
const NUMBERS: u64 = 1 << 32;

/// Who stands before the origins, and with it what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Debian's haproxy before two icecast2
    Haproxy,
    /// Debian's nginx before two icecast2
    Nginx,
    /// Millrace's balancer before two media pods
    Balancer,
}

impl Front {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 3] = [Self::Balancer, Self::Haproxy, Self::Nginx];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy, two icecast2",
            Self::Nginx => "nginx, two icecast2",
            Self::Balancer => "balancer, two media pods",
        }
    }

    /// The Debian package that is missing, if one is.
    pub fn missing(self) -> Option<&'static str> {
        match self {
            Self::Haproxy => Some("haproxy"),
            Self::Nginx => Some("nginx"),
            Self::Balancer => None,
        }
        .filter(|name| find_program(name).is_none())
    }
}

/// All three of them, the first origin being the one that serves.
pub struct Pair {
    /// Whom viewers ask.
    pub front: Server,
    first: Server,
    second: Server,
    owners: Option<Owners>,
}

impl Pair {
    /// Starts all, plays to both origins, and waits until viewers could be served by either.
    pub fn start(front: Front, setup: &Setup<'_>) -> Result<Self> {
        let pair = match front {
            Front::Balancer => Self::of_media_pods(setup),
            Front::Haproxy => Self::of_icecasts(setup, haproxy::start),
            Front::Nginx => Self::of_icecasts(setup, nginx::start),
        };
        pair.with_context(|| format!("starting {}", front.name()))
    }

    fn of_icecasts(
        setup: &Setup<'_>,
        before: fn(SocketAddr, SocketAddr, SocketAddr) -> Result<Server>,
    ) -> Result<Self> {
        let (first, second) = (icecast(setup, 1)?, icecast(setup, 2)?);
        let mut front = before(free_addr()?, first.addr, second.addr)?;
        front.wait_stream().with_context(|| front.log_tail())?;
        Ok(Self { front, first, second, owners: None })
    }

    fn of_media_pods(setup: &Setup<'_>) -> Result<Self> {
        let owners = Owners::new()?;
        let mut front = owners.balancer(setup.pod)?;
        let first = owners.media_pod(setup, 0)?;
        let second = owners.media_pod(setup, 1)?;
        Owners::wait_links(&front, 2)?;
        front.wait_stream().with_context(|| front.log_tail())?;
        Ok(Self { front, first, second, owners: Some(owners) })
    }

    /// Kills the origin that serves: when.
    pub fn kill(&mut self) -> Result<Instant> {
        let now = Instant::now();
        self.first.kill()?;
        Ok(now)
    }

    /// What an operator would do: the second origin is told that the feed is its own now. Proxies know by themselves.
    pub fn hand_over(&self) -> Result<()> {
        self.owners.as_ref().map_or(Ok(()), |owners| owners.grant(1, 2))
    }

    /// Whether what a stamp of this number is on comes from the second origin.
    pub fn is_second(number: u64) -> bool {
        number / NUMBERS == 2
    }

    /// The end of what all of them wrote.
    pub fn story(&self) -> String {
        [&self.front, &self.first, &self.second].map(Server::log_tail).join("; ")
    }
}

fn play(setup: &Setup<'_>, server: &mut Server, target: Target, number: u64) -> Result<()> {
    let source = Source::numbered(setup.clip.clone(), setup.mode, target, number * NUMBERS);
    server.source = Some(source);
    server.wait_stream().with_context(|| server.log_tail())
}

fn icecast(setup: &Setup<'_>, number: u64) -> Result<Server> {
    let (dir, addr) = (tempfile::Builder::new().prefix("millrace-bench-").tempdir()?, free_addr()?);
    let program = icecast::program(dir.path(), addr, BURST)?;
    let mut server = Server::spawn(&program, dir, addr, None, PATH.to_owned())?;
    play(setup, &mut server, Target::Icecast(addr, icecast::SOURCE_AUTH.to_owned()), number)?;
    Ok(server)
}
