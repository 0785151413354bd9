//! `media-pod play` and `media-pod publish`: a stream to standard output, and standard input to a stream.

use std::{
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use millrace_link::{
    avrs,
    client::{Address, ClientError, Options, Player, Publisher},
    net::Backoff,
};
use rustls::ClientConfig;
use tokio::sync::mpsc;

use crate::{believing::believing, linking};

/// Bytes of standard input at once.
const READ: usize = 64 << 10;

/// What to watch.
#[derive(Debug, Args)]
pub struct Play {
    /// Where the stream is.
    #[command(flatten)]
    pub to: To,
    /// Where to begin.
    #[arg(long, value_enum, default_value_t, value_name = "PLACE")]
    pub join: Join,
    /// Dial again when the link is lost or the stream cannot be had, and go on with what comes then.
    #[arg(long)]
    pub reconnect: bool,
}

/// What to publish.
#[derive(Debug, Args)]
pub struct Publish {
    /// Where to.
    #[command(flatten)]
    pub to: To,
}

/// The other side.
#[derive(Debug, Args)]
pub struct To {
    /// `millrace://[NAME:PASSWORD@]HOST[:PORT]/PATH`; the port is that of HTTP, 8080 if it is not said. `millraces://` is TLS
    /// (8443), `millrace+ws://` and `millrace+wss://` go over a web socket, which passes proxies.
    #[arg(value_name = "ADDRESS", value_parser = address)]
    pub address: Address,
    /// With TLS: believe the certificates that these sign (PEM), instead of those that this machine believes.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Where to begin in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Join {
    /// At what comes next.
    Live,
    /// At the newest random access point that is kept: a picture at once.
    #[default]
    Last,
    /// At the next random access point.
    Next,
}

impl From<Join> for avrs::Join {
    fn from(join: Join) -> Self {
        match join {
            Join::Live => Self::LiveEdge,
            Join::Last => Self::LastKeyframe,
            Join::Next => Self::NextKeyframe,
        }
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|wrong| format!("it {wrong}"))
}

/// Writes a stream to standard output, until it is over or nobody reads.
pub fn play(play: &Play) -> anyhow::Result<()> {
    let options = Options { join: play.join.into(), ..options(&play.to)? };
    runtime()?.block_on(async {
        let mut backoff = Backoff::default();
        loop {
            match watch(play, &options, &mut backoff).await {
                Ok(()) => return Ok(()),
                Err(Stopped::Reader(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(Stopped::Reader(error)) => return Err(error).context("standard output"),
                Err(Stopped::Link(error)) if play.reconnect && error.may_pass() => {
                    let wait = backoff.failed();
                    eprintln!("{error}; again in {} ms", wait.as_millis());
                    tokio::time::sleep(wait).await;
                }
                Err(Stopped::Link(error)) => return Err(error.into()),
            }
        }
    })
}

enum Stopped {
    /// Whoever reads standard output.
    Reader(io::Error),
    Link(ClientError),
}

async fn watch(play: &Play, options: &Options, backoff: &mut Backoff) -> Result<(), Stopped> {
    let mut player = Player::open(&play.to.address, options).await.map_err(Stopped::Link)?;
    let mut out = io::stdout();
    while let Some(content) = player.next().await.map_err(Stopped::Link)? {
        backoff.succeeded();
        // Blocking is right: there is nothing else to do than what the reader allows, and keepalives have a thread.
        let written = tokio::task::block_in_place(|| out.write_all(&content.data).and_then(|()| out.flush()));
        written.map_err(Stopped::Reader)?;
    }
    Ok(())
}

/// Publishes standard input, until its end.
pub fn publish(publish: &Publish) -> anyhow::Result<()> {
    let options = options(&publish.to)?;
    let address = &publish.to.address;
    runtime()?.block_on(async {
        let mut publisher = Publisher::open(address, &options).await?;
        let mut input = input();
        loop {
            let closed = publisher.session().channel().closed();
            let bytes = tokio::select! {
                bytes = input.recv() => bytes.transpose().context("standard input")?,
                why = closed => return Err(anyhow!("{address}: {}: {}", why.text, why.code)),
            };
            match bytes {
                Some(bytes) => publisher.send(bytes).await?,
                None => return Ok(publisher.finish().await?),
            }
        }
    })
}

/// Standard input, read by a thread of its own: a read of it cannot be taken back.
fn input() -> mpsc::Receiver<io::Result<Bytes>> {
    let (to, from) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut bytes = vec![0; READ];
            let read = input.read(&mut bytes).map(|length| {
                bytes.truncate(length);
                Bytes::from(bytes)
            });
            let ended = read.as_ref().map_or(true, Bytes::is_empty);
            if read.as_ref().is_ok_and(Bytes::is_empty) || to.blocking_send(read).is_err() || ended {
                return;
            }
        }
    });
    from
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime")
}

fn options(to: &To) -> anyhow::Result<Options> {
    let tls = if to.address.transport.is_secure() { Some(tls(to.ca.as_deref())?) } else { None };
    Ok(Options { tls, patience: Duration::from_secs(10), ..Options::default() })
}

fn tls(ca: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let read = |file: &Path| {
        let name = file.display().to_string();
        let pem = linking::read(file).with_context(|| name.clone())?;
        Ok::<_, anyhow::Error>((name, pem))
    };
    let ca = ca.map(read).transpose()?;
    believing(ca).map_err(|wrong| anyhow!(wrong))
}
