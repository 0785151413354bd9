//! A memory cgroup of its own for a server, to see what its sockets hold in the kernel.

use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "millrace-bench-";

/// A cgroup that is removed when this is dropped (its processes must have ended).
pub struct Cgroup {
    dir: PathBuf,
    unified: bool,
}

fn own_dir() -> Option<(PathBuf, bool)> {
    let mine = fs::read_to_string("/proc/self/cgroup").ok()?;
    let line = |pick: fn(&str) -> bool| {
        mine.lines().find_map(|l| {
            let mut parts = l.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            pick(controllers).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    if let Some(path) = line(|c| c.split(',').any(|c| c == "memory")) {
        return Some((Path::new("/sys/fs/cgroup/memory").join(path), false));
    }
    Some((Path::new("/sys/fs/cgroup").join(line(str::is_empty)?), true))
}

impl Cgroup {
    /// Makes one below the bench's own. `None` where that is not allowed: then socket memory is not measured.
    pub fn create() -> Option<Self> {
        let (own, unified) = own_dir()?;
        for left in fs::read_dir(&own).ok()?.flatten() {
            if left.file_name().to_string_lossy().starts_with(PREFIX) {
                let _ = fs::remove_dir(left.path()); // of a bench that was killed; refused while in use
            }
        }
        let stamp = crate::clock::now_ns();
        let dir = own.join(format!("{PREFIX}{}-{stamp}", std::process::id()));
        fs::create_dir(&dir).ok()?;
        let group = Self { dir, unified };
        if !unified {
            // version 1 counts socket memory only once a limit was set; this one is out of reach
            let _ = fs::write(group.dir.join("memory.kmem.tcp.limit_in_bytes"), (1_u64 << 40).to_string());
        }
        group.sock_bytes().is_some().then_some(group)
    }

    /// The file into which a process writes `0` to join.
    pub fn procs(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// Kernel memory of its sockets, in bytes.
    pub fn sock_bytes(&self) -> Option<u64> {
        if self.unified {
            let stat = fs::read_to_string(self.dir.join("memory.stat")).ok()?;
            return stat.lines().find_map(|l| l.strip_prefix("sock ")?.parse().ok());
        }
        fs::read_to_string(self.dir.join("memory.kmem.tcp.usage_in_bytes")).ok()?.trim().parse().ok()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..50 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}
