//! `media-pod`: see `media-pod --help`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser as _;
use millrace_media_pod::{
    cli::{Cli, Command},
    config, play, run,
};

fn main() -> ExitCode {
    // The runner of commands is this program, too, under another name.
    millrace_exec::maybe_run_agent();
    let outcome = match Cli::parse().command {
        Command::Run(options) => run::run(*options),
        Command::Balance(options) => run::balance(*options),
        Command::Play(options) => play::play(&options),
        Command::Publish(options) => play::publish(&options),
        Command::Check(config) => check(&config.files),
        Command::Resolve(config) => resolve(&config.files),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            if !e.is::<run::Logged>() {
                eprintln!("{e:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn check(files: &[PathBuf]) -> anyhow::Result<()> {
    let (_, loaded) = config::load(files)?;
    for warning in config::warnings(&loaded) {
        eprintln!("warning: {warning}");
    }
    let (feeds, streams) = (loaded.resolved.feeds.len(), loaded.resolved.streams.len());
    println!("{}: right. Feeds: {feeds}, streams: {streams}.", config::named(files));
    Ok(())
}

fn resolve(files: &[PathBuf]) -> anyhow::Result<()> {
    let (_, loaded) = config::load(files)?;
    if !loaded.resolved.secrets.is_empty() {
        eprintln!("warning: the Secrets below are printed with their values");
    }
    print!("{}", millrace_crds::to_yaml(&loaded.resolved));
    Ok(())
}
