//! How much memory processes use, and how often to look.

use std::time::{Duration, Instant};

use crate::descendants::read;

/// How soon after its start a command is looked at.
const FIRST: Duration = Duration::from_millis(50);
/// How long a list of processes is good.
const LISTED: Duration = Duration::from_secs(1);

/// The number of KiB in the line that begins with `key` (`/proc/PID/status`, `smaps_rollup`), in bytes.
pub(crate) fn parse_kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// What the processes have resident and swapped, in bytes. Pages that they share count for each.
pub(crate) fn resident(pids: &[i32]) -> u64 {
    let one = |pid: &i32| {
        let status = read(&format!("/proc/{pid}/status")).unwrap_or_default();
        let of = |key| parse_kib(&status, key).unwrap_or(0);
        of("VmRSS:").saturating_add(of("VmSwap:"))
    };
    pids.iter().map(one).fold(0, u64::saturating_add)
}

/// As [`resident`], each shared page counted once (`PSS`). Dear: the kernel walks the page tables for it.
pub(crate) fn proportional(pids: &[i32]) -> u64 {
    let one = |pid: &i32| match read(&format!("/proc/{pid}/smaps_rollup")) {
        Some(rollup) => {
            let of = |key| parse_kib(&rollup, key).unwrap_or(0);
            of("Pss:").saturating_add(of("SwapPss:"))
        }
        None => resident(&[*pid]),
    };
    pids.iter().map(one).fold(0, u64::saturating_add)
}

/// Keeps an eye on what everything below this process uses.
#[derive(Debug)]
pub(crate) struct Watch {
    limit: u64,
    /// When to look next.
    pub(crate) next: Instant,
    pids: Vec<i32>,
    listed: Option<Instant>,
}

impl Watch {
    pub(crate) fn new(limit: u64, now: Instant) -> Self {
        Self { limit, next: now + FIRST, pids: Vec::new(), listed: None }
    }

    /// Looks, if it is time. Returns what is used, in bytes, if that is more than the limit.
    ///
    /// Who is below is asked for anew every second only, and near the limit: some kernels have no list of children, and
    /// without one it costs a look at every process of the machine.
    pub(crate) fn look(&mut self, now: Instant, list: impl Fn() -> Vec<i32>) -> Option<u64> {
        if now < self.next {
            return None;
        }
        let stale = self.listed.is_none_or(|listed| now.duration_since(listed) >= LISTED);
        let mut used = if stale { 0 } else { resident(&self.pids) };
        if stale || used.saturating_mul(2) > self.limit {
            self.pids = list();
            self.listed = Some(now);
            used = resident(&self.pids);
        }
        if used > self.limit && self.pids.len() > 1 {
            used = proportional(&self.pids);
        }
        self.next = now + pause(used, self.limit);
        (used > self.limit).then_some(used)
    }
}

/// The nearer to the limit, the sooner the next look.
fn pause(used: u64, limit: u64) -> Duration {
    let percent = u128::from(used) * 100 / u128::from(limit.max(1));
    Duration::from_millis(match percent {
        0..50 => 250,
        50..75 => 100,
        75..90 => 50,
        _ => 25,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_proc_are_read() {
        let status = "Name:\tx\nVmHWM:\t   99 kB\nVmRSS:\t    2048 kB\nVmSwap:\t  4 kB\n";
        assert_eq!(parse_kib(status, "VmRSS:"), Some(2048 * 1024));
        assert_eq!(parse_kib(status, "VmSwap:"), Some(4096));
        assert_eq!(parse_kib(status, "VmData:"), None);
        assert_eq!(parse_kib("VmRSS: 99999999999999999999 kB", "VmRSS:"), None);
    }

    #[test]
    fn this_process_uses_some_memory_and_shares_some() {
        let own = std::process::id() as i32;
        assert!(resident(&[own]) > 1 << 20);
        assert!(proportional(&[own]) > 0);
        let now = Instant::now();
        let mut small = Watch::new(1, now);
        assert_eq!(small.look(now, || vec![own]), None);
        assert!(small.look(now + FIRST, || vec![own]).is_some_and(|used| used > 1 << 20));
        let mut large = Watch::new(1 << 60, now);
        assert_eq!(large.look(now + FIRST, || vec![own]), None);
        assert_eq!(large.next, now + FIRST + Duration::from_millis(250));
        // far from the limit the list is not asked for again so soon
        assert_eq!(large.look(large.next, || unreachable!()), None);
    }

    #[test]
    fn near_the_limit_the_looks_are_closer() {
        assert_eq!(pause(0, 100).as_millis(), 250);
        assert_eq!(pause(60, 100).as_millis(), 100);
        assert_eq!(pause(99, 100).as_millis(), 25);
    }
}
