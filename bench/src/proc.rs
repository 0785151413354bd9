//! What the kernel says of a process: CPU time and memory.

use std::fs;

use anyhow::{Context, Result};

/// CPU time of a process and all its threads that live, in seconds, to the nanosecond where the kernel keeps
/// `schedstat`, else by `/proc/PID/stat` in ticks of 10 ms.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    if let Some(ns) = sched_ns(pid) {
        return Ok(ns as f64 / 1e9);
    }
    all_cpu_seconds(pid)
}

fn sched_ns(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // a thread may end between the listing and the read
        let Ok(line) = fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
        sum += line.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    (sum > 0).then_some(sum)
}

/// Resident memory of a process in KiB (`VmRSS`).
pub fn rss_kib(pid: u32) -> Result<u64> {
    kib_of(pid, "VmRSS:")
}

fn kib_of(pid: u32, what: &'static str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix(what)).context(what)?;
    line.trim().trim_end_matches("kB").trim().parse().context(what)
}

/// CPU time of a process with all threads that it ever had, in seconds, in ticks of 10 ms.
pub fn all_cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit_once(')').context("/proc/PID/stat has no name")?.1;
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}

/// The most resident memory that a process has had, in KiB (`VmHWM`).
pub fn peak_rss_kib(pid: u32) -> Result<u64> {
    kib_of(pid, "VmHWM:")
}

/// The load average of the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// CPU time that children who were waited for have used, in seconds (`getrusage` by way of `/proc/self/stat`).
pub fn children_cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').context("/proc/self/stat has no name")?.1;
    let ticks: u64 = after.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}

/// CPU time that all processes and the kernel itself have used since the machine began, in seconds.
pub fn machine_cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let all = stat.lines().next().context("/proc/stat is empty")?;
    let ticks = all.split_whitespace().skip(1).take(8).map(|n| n.parse().unwrap_or(0));
    // the fourth and fifth are idle and iowait
    let busy: u64 = ticks.enumerate().filter(|(i, _)| !matches!(i, 3 | 4)).map(|(_, n)| n).sum();
    Ok(busy as f64 / 100.0)
}

/// The processor's name, how many there are, and the kernel.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|p| p.1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {}, Linux {}", named.unwrap_or("an unnamed processor").trim(), kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_uses_the_processor() {
        let me = std::process::id();
        assert!(rss_kib(me).unwrap() > 100);
        let before = cpu_seconds(me).unwrap();
        let mut x = 1_u64;
        while cpu_seconds(me).unwrap() <= before {
            x = std::hint::black_box(x.wrapping_mul(31));
        }
    }
}
