//! `bench`: runs experiments, or one of the parts they are made of.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use millrace_bench::clip::{Clip, Mode};
use millrace_bench::experiments::{
    Experiment, Lab, balancer, failover_peers, fanout, idle, join, memory, reload, stuck,
};
use millrace_bench::launch::Launch;
use millrace_bench::report::{Report, splice};
use millrace_bench::servers::Kind;
use millrace_bench::source::{Source, Target};
use millrace_bench::viewers::{Spec, Viewers};
use millrace_bench::{floor, hyper_peer, kubernetes, limits, proc};

/// Measures the media pod beside a floor program and its peers, in one run, on loopback
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// All experiments (some 20 minutes; with --quick two)
    All(Options),
    /// Some experiments
    Only {
        /// Which
        #[arg(required = true)]
        experiments: Vec<Experiment>,
        #[command(flatten)]
        options: Options,
    },
    /// Be the floor program: a pipe to all who ask
    Floor {
        /// Where to listen
        #[arg(long)]
        http: SocketAddr,
        /// A named pipe (default: stdin)
        #[arg(long)]
        input: Option<PathBuf>,
    },
    /// Be the peer made of hyper and tokio
    Hyper {
        /// Where to listen
        #[arg(long)]
        http: SocketAddr,
        /// A named pipe
        #[arg(long)]
        input: PathBuf,
        /// Where to listen for TLS
        #[arg(long, requires = "cert", requires = "key")]
        https: Option<SocketAddr>,
        /// The certificate in PEM
        #[arg(long)]
        cert: Option<PathBuf>,
        /// Its key in PEM
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Be viewers of a stream, and say what they see
    Viewers {
        /// The server
        addr: SocketAddr,
        /// The path
        #[arg(default_value = "/bench.ts")]
        path: String,
        /// How many
        #[arg(long, default_value_t = 100)]
        count: usize,
        /// So many of them never read after the head
        #[arg(long, default_value_t = 0)]
        stuck: usize,
        /// How long, after a second to begin
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// Threads to share the work
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// Be the source: play an MPEG-TS file in real time with stamps in it
    Source {
        /// The file
        clip: PathBuf,
        /// A named pipe (default: stdout)
        #[arg(long)]
        output: Option<PathBuf>,
        /// How to write
        #[arg(long, value_enum, default_value = "clip")]
        mode: Mode,
    },
    /// Measure on a Kubernetes cluster: the one of KUBECONFIG, with millrace installed (not part of `all`)
    Kubernetes(kubernetes::Options),
    /// Start a program that dies with this one (used by the bench itself)
    #[command(hide = true)]
    Launch(Launch),
}

#[derive(Args)]
struct Options {
    /// Shorter, with one round: for a look, not for a verdict
    #[arg(long)]
    quick: bool,
    /// Rounds of the interleaved experiments (default 5)
    #[arg(long)]
    rounds: Option<usize>,
    /// Whom to measure (default: all who are there)
    #[arg(long, value_enum, value_delimiter = ',')]
    servers: Vec<Kind>,
    /// The media pod's program (default: `media-pod` beside this one)
    #[arg(long)]
    pod: Option<PathBuf>,
    /// Where to write the table as Markdown: between the markers of a document that has them
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Where to write table and single runs as JSON (default: `bench.json` beside this program)
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    match Cli::parse().what {
        What::All(options) => {
            // That one takes three minutes, and programs of others: who wants it names it.
            let all = Experiment::value_variants().iter().copied();
            let all: Vec<_> = all.filter(|it| *it != Experiment::FailoverPeers).collect();
            experiments(&all, &options)
        }
        What::Only { experiments: some, options } => experiments(&some, &options),
        What::Floor { http, input } => floor::run(http, input.as_deref()),
        What::Hyper { http, input, https, cert, key } => {
            let tls = https.zip(cert).zip(key).map(|((addr, cert), key)| (addr, cert, key));
            hyper_peer::run(http, input, tls)
        }
        What::Viewers { addr, path, count, stuck, seconds, threads } => {
            limits::need_files(count as u64 + 64)?;
            let spec = Spec { stuck, ..Spec::plain(addr, &path, count) };
            watch(spec, threads.max(1), seconds);
            Ok(())
        }
        What::Source { clip, output, mode } => {
            let clip = Clip::parse(std::fs::read(&clip)?, clip)?;
            let target = output.map_or(Target::Stdout, Target::Fifo);
            Source::start(Arc::new(clip), mode, target).join()
        }
        What::Kubernetes(options) => kubernetes::run(&options),
        What::Launch(launch) => launch.exec().map(|never| match never {}),
    }
}

fn watch(spec: Spec, threads: usize, seconds: f64) {
    let viewers = Viewers::start_in(spec, threads);
    thread::sleep(Duration::from_secs(1));
    viewers.restart();
    thread::sleep(Duration::from_secs_f64(seconds));
    let s = viewers.stats();
    println!("answered {}, with stream {}, closed {}", s.heads, s.flowing, s.closed);
    if let Some(why) = &s.complaint {
        println!("the first to be closed: {why}");
    }
    println!(
        "{:.1} MB/s, sync losses {}, writes lost {}",
        s.bytes as f64 / 1e6 / seconds,
        s.sync_losses,
        s.lost_writes
    );
    for (name, h) in [("frames", &s.first), ("key frames", &s.first_key)] {
        let q = |q| h.quantile(q).map_or(f64::NAN, |ns| ns as f64 / 1e6);
        println!("{name}: p50 {:.3} p90 {:.3} p99 {:.3} max {:.3} ms", q(0.5), q(0.9), q(0.99), q(1.0));
    }
}

fn experiments(which: &[Experiment], options: &Options) -> Result<()> {
    let began = jiff::Zoned::now();
    let beside = |name: &str| std::env::current_exe().unwrap_or_default().with_file_name(name);
    let to_json = options.json.clone().unwrap_or_else(|| beside("bench.json"));
    let pod = options.pod.clone().unwrap_or_else(|| beside("media-pod"));
    let (lab, left_out) = Lab::open(pod, &options.servers, options.quick, options.rounds)?;
    let (mut report, mut balancers) = (Report::default(), Report::default());
    for note in left_out {
        report.note(note);
    }
    let mut failover = None;
    for experiment in which {
        eprintln!("{experiment:?}");
        match experiment {
            Experiment::Fanout => fanout::fanout(&lab, &mut report),
            Experiment::Latency => fanout::single(&lab, &mut report),
            Experiment::Memory => memory::memory(&lab, &mut report),
            Experiment::Stuck => stuck::stuck(&lab, &mut report),
            Experiment::Join => join::run(&lab, &mut report),
            Experiment::Idle => idle::run(&lab, &mut report),
            Experiment::Reload => reload::run(&lab, &mut report),
            Experiment::Balancer => balancer::run(&lab, &mut balancers),
            Experiment::FailoverPeers => failover = Some(failover_peers::run(&lab)),
        }
    }
    let quick = if options.quick { ", --quick" } else { "" };
    let here = format!("{}, {}", began.strftime("%Y-%m-%d"), proc::machine());
    let about = format!("{here}, median of {} interleaved runs{quick}", lab.rounds);
    println!("{about}\n\n{}\n{}", report.text(), balancers.text());
    let mut missed = report.missed() + balancers.missed();
    let mut all = vec![report.json(&about), balancers.json(&about)];
    let measured = [("bench", &report), ("bench-balancer", &balancers)].into_iter();
    let mut tables: Vec<_> = measured
        .filter(|(_, report)| !report.is_empty())
        .map(|(name, report)| (name, report.markdown(&about)))
        .collect();
    if let Some(failover) = failover {
        let table = format!("{here}, {}\n\n{}", failover.about, failover.table.markdown());
        println!("{table}");
        missed += failover.missed;
        all.push(failover.raw);
        tables.push(("bench-failover-peers", table));
    }
    println!("{missed} targets missed. Single runs: {}", to_json.display());
    std::fs::write(&to_json, serde_json::to_string_pretty(&all)?)
        .with_context(|| format!("writing {}", to_json.display()))?;
    if let Some(path) = &options.markdown {
        let document = std::fs::read_to_string(path).unwrap_or_default();
        let document = tables.iter().fold(document, |all, (name, table)| splice(&all, name, table));
        std::fs::write(path, document).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
