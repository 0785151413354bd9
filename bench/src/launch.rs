//! Becoming the server: joins its cgroup, promises to die with the bench, and turns into the program.
//!
//! An intermediate of our own rather than a hook between fork and exec, because such a hook would be unsafe code.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// What `bench launch` is told.
#[derive(clap::Args, Debug)]
pub struct Launch {
    /// A `cgroup.procs` file to join; may be given more than once
    #[arg(long)]
    cgroup: Vec<PathBuf>,
    /// The user to become first, for programs that refuse to be root
    #[arg(long)]
    uid: Option<u32>,
    /// The process that must be the parent
    #[arg(long)]
    parent: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    argv: Vec<OsString>,
}

impl Launch {
    /// Becomes the program; returns only when that failed.
    pub fn exec(self) -> Result<Infallible> {
        for file in &self.cgroup {
            std::fs::write(file, "0").with_context(|| format!("joining {}", file.display()))?;
        }
        crate::limits::raise_files()?;
        let (program, args) = self.argv.split_first().context("no program")?;
        if let Some(uid) = self.uid {
            // changing the user clears the death signal, so another of us sets it afterwards
            // by this link, since the other user may not be let into the folder that it lies in
            let mut again = Command::new("/proc/self/exe");
            again.args(["launch", "--parent", &self.parent.to_string(), "--"]).args(&self.argv);
            return Err(again.gid(uid).uid(uid).exec()).context("becoming another user");
        }
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid().map(|p| p.as_raw_nonzero().get()) != Some(self.parent) {
            bail!("the bench has gone");
        }
        Err(Command::new(program).args(args).exec())
            .with_context(|| format!("starting {}", program.display()))
    }
}
