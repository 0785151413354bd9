//! What this process costs, from /proc (proc(5)).

use std::fs;

/// Of this process, its children apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Processor time, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// As of now; zeros where /proc does not tell.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let open_fds = fs::read_dir("/proc/self/fd").map_or(0, |list| list.count() as u64);
        Self { open_fds, ..Self::parse(&status, &stat) }
    }

    fn parse(status: &str, stat: &str) -> Self {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // After the name in parentheses, which may hold anything: user time is the 12th field, system time the 13th.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
        Self {
            rss_bytes: field("VmRSS:").unwrap_or(0) * 1024,
            cpu_seconds: ticks as f64 / 100.0,
            open_fds: 0,
            threads: field("Threads:").unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_move_the_fields() {
        let stat = "12 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        let usage = Usage::parse("Name:\tx\nVmRSS:\t  2048 kB\nThreads:\t7\n", stat);
        assert_eq!(usage, Usage { rss_bytes: 2 << 20, cpu_seconds: 2.0, open_fds: 0, threads: 7 });
        assert!(Usage::now().rss_bytes > 0);
    }
}
