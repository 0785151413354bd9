//! `media-pod`: see `media-pod --help`.

use std::process::ExitCode;

use clap::Parser as _;
use millrace_media_pod::{
    cli::{Cli, Command},
    config, run,
};

fn main() -> ExitCode {
    // The runner of commands is this program, too, under another name.
    millrace_exec::maybe_run_agent();
    let outcome = match Cli::parse().command {
        Command::Run(options) => run::run(options),
        Command::Check(file) => check(&file.file),
        Command::Resolve(file) => resolve(&file.file),
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

fn check(file: &std::path::Path) -> anyhow::Result<()> {
    let loaded = config::understand(file, &config::read(file)?)?;
    for warning in config::warnings(&loaded) {
        eprintln!("warning: {warning}");
    }
    let (feeds, streams) = (loaded.resolved.feeds.len(), loaded.resolved.streams.len());
    println!("{}: right. Feeds: {feeds}, streams: {streams}.", file.display());
    Ok(())
}

fn resolve(file: &std::path::Path) -> anyhow::Result<()> {
    let loaded = config::understand(file, &config::read(file)?)?;
    if !loaded.resolved.secrets.is_empty() {
        eprintln!("warning: the Secrets below are printed with their values");
    }
    print!("{}", millrace_crds::to_yaml(&loaded.resolved));
    Ok(())
}
