//! Measurements on a Kubernetes cluster: how soon the first byte comes, how the operator takes many objects, and failover.
//!
//! Lowest first: [`api`], [`figures`], [`stats`], [`table`] and [`viewer`] know nothing of the rest; [`bare`] and
//! [`first_byte`] are one measurement; [`kwok`], [`candidate`], [`fakes`] and [`scale`] another; [`failover`] is made of what the tests
//! on Kubernetes are made of.

pub mod api;
pub mod bare;
pub mod candidate;
pub mod deployed;
pub mod failover;
pub mod fakes;
pub mod figures;
pub mod first_byte;
pub mod kwok;
pub mod scale;
pub mod stats;
pub mod table;
pub mod viewer;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use tokio::runtime::Builder;

use crate::{proc, report::splice};
use table::Table;

/// What `bench kubernetes` is told.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// What to measure
    #[arg(value_enum, default_values_t = [What::FirstByte, What::Scale])]
    what: Vec<What>,
    /// Rounds of the first byte
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// How often a server pod is killed
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Viewers meanwhile
    #[arg(long, default_value_t = 40)]
    viewers: usize,
    /// How many Streams, one number for each column; five on a Feed
    #[arg(long, value_delimiter = ',', default_values_t = [1, 1_000, 10_000])]
    streams: Vec<usize>,
    /// Clusters that they are shared among
    #[arg(long, default_value_t = 1)]
    clusters: usize,
    /// Minutes without a change, during which nothing but the Lease may be asked for
    #[arg(long, default_value_t = 10.0)]
    quiet: f64,
    /// Minutes until all must be there
    #[arg(long, default_value_t = 20.0)]
    patience: f64,
    /// Fake nodes
    #[arg(long, default_value_t = 20)]
    nodes: usize,
    /// The operator's program (default: `millrace-operator` beside this one)
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Where to write the tables as Markdown: between the markers of a document that has them
    #[arg(long)]
    markdown: Option<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// From an apply to the first byte of media
    FirstByte,
    /// Many objects, on fake nodes
    Scale,
    /// From the end of an owner's process to the next picture
    Failover,
}

/// Runs until it is measured, or interrupted; what was made is then removed.
pub fn run(options: &Options) -> Result<()> {
    // One thread, the first one: programs that are started die with it.
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(measure(options))
}

async fn measure(options: &Options) -> Result<()> {
    let client = api::client().await?;
    let began = jiff::Zoned::now();
    let about = |load: f64| {
        let (day, machine) = (began.strftime("%Y-%m-%d"), proc::machine());
        format!("{day}, {machine}, load average {load:.1} before and {:.1} after", proc::load())
    };
    if options.what.contains(&What::FirstByte) {
        let load = proc::load();
        let mut table = Table::new(["seconds", "p50", "p99", "goal", ""].map(str::to_owned));
        first_byte::run(&client, options.rounds, &mut table).await?;
        let about = format!("{}, {} rounds", about(load), options.rounds);
        show("bench-first-byte", &about, &table, options)?;
    }
    if options.what.contains(&What::Failover) {
        let load = proc::load();
        let mut table = Table::new(failover::HEADINGS.map(str::to_owned));
        failover::run(options.kills, options.viewers, &mut table).await?;
        let about = format!("{}, {} kills, {} viewers", about(load), options.kills, options.viewers);
        show("bench-failover", &about, &table, options)?;
    }
    if options.what.contains(&What::Scale) {
        let load = proc::load();
        let cells = options.streams.iter().map(|n| match n {
            1 => "1 Stream".to_owned(),
            n => format!("{n} Streams"),
        });
        let mut table = Table::new(std::iter::once(String::new()).chain(cells).chain(["goal".to_owned()]));
        let how = scale::How {
            sizes: options.streams.clone(),
            clusters: options.clusters.max(1),
            quiet: Duration::from_secs_f64(options.quiet * 60.0),
            patience: Duration::from_secs_f64(options.patience * 60.0),
            nodes: options.nodes,
            program: options.operator.clone().unwrap_or_else(beside),
        };
        if !how.program.is_file() {
            bail!("{} is not there: build it, or say --operator", how.program.display());
        }
        let measured = tokio::select! {
            measured = scale::run(&client, &how, &mut table) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let cleaned = scale::clean(&client).await;
        show("bench-scale", &about(load), &table, options)?;
        measured.and(cleaned)?;
    }
    Ok(())
}

fn beside() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("millrace-operator")
}

fn show(name: &str, about: &str, table: &Table, options: &Options) -> Result<()> {
    let text = format!("{about}\n\n{}", table.markdown());
    println!("{text}");
    if let Some(path) = &options.markdown {
        let document = std::fs::read_to_string(path).unwrap_or_default();
        let spliced = splice(&document, name, &text);
        std::fs::write(path, spliced).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
