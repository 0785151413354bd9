//! `millrace-operator`: see `millrace-operator --help`.

use std::{
    env, io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use clap::Parser as _;
use millrace_operator::{cli::Cli, logging, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = logging::start(cli.log_format, &cli.log_level) {
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    match run::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            if error.is::<run::Lost>() {
                tracing::error!("cannot begin anew: {}", again());
            }
            ExitCode::FAILURE
        }
    }
}

/// Another process in place of this one: to the kubelet nothing has ended, so nothing waits for its back-off.
fn again() -> io::Error {
    match env::current_exe() {
        Ok(program) => Command::new(program).args(env::args_os().skip(1)).exec(),
        Err(error) => error,
    }
}
