//! The number of files this process may open.

use anyhow::{Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one and says how many that is.
pub fn raise_files() -> Result<u64> {
    let now = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum })?;
    Ok(now.maximum.unwrap_or(u64::MAX))
}

/// Like [`raise_files`], and an error when fewer than `need` would be left.
pub fn need_files(need: u64) -> Result<()> {
    let have = raise_files()?;
    ensure!(have >= need, "the bench opens {need} files and may open {have}: raise `ulimit -Hn` to {need}");
    Ok(())
}
