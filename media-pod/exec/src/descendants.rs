//! Who descends from a process, as /proc says.

use std::collections::HashMap;
use std::fs;
use std::io::Read;

/// The most of one file of /proc that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A file of /proc; none if its process is gone, or not ours to look at.
pub(crate) fn read(path: &str) -> Option<String> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Every process id that /proc shows.
pub(crate) fn all() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub parent: i32,
    /// When it started, in clock ticks since the machine did. With the process id this names a process for ever.
    pub started: u64,
    pub zombie: bool,
}

/// See `proc_pid_stat(5)`. The name in parentheses may contain anything, parentheses and line feeds, too.
pub(crate) fn parse_stat(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { parent, started, zombie: matches!(state, "Z" | "X") })
}

pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&read(&format!("/proc/{pid}/stat"))?)
}

/// The process ids of a `children` file.
pub(crate) fn parse_pids(text: &str) -> Vec<i32> {
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The direct children of this process.
pub(crate) fn children() -> Vec<i32> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    listed_children(own)
        .unwrap_or_else(|| all().filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == own)).collect())
}

/// Everything below this process.
pub(crate) fn descendants() -> Vec<i32> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let Some(mut found) = listed_children(own) else { return scanned_descendants(own) };
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        for child in listed_children(pid).unwrap_or_default() {
            if !found.contains(&child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// The kernel's own list (`CONFIG_PROC_CHILDREN`), which spares a look at every process of the machine.
fn listed_children(pid: i32) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.filter_map(Result::ok) {
        let task = task.file_name();
        let path = format!("/proc/{pid}/task/{}/children", task.to_str()?);
        match fs::read_to_string(&path) {
            Ok(text) => found.extend(parse_pids(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && pid == own_pid() => return None,
            Err(_) => {}
        }
    }
    Some(found)
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

fn scanned_descendants(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in all() {
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_a_nasty_name_is_read() {
        let line = "42 (a) R 1 (\n) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3";
        assert_eq!(parse_stat(line), Some(Stat { parent: 7, started: 98765, zombie: false }));
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn a_child_and_its_child_are_found() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 1000 & wait"]).spawn().unwrap();
        let pid = child.id() as i32;
        let below = loop {
            let found = scanned_descendants(pid);
            if !found.is_empty() {
                break found;
            }
        };
        let all = descendants();
        assert!(all.contains(&pid) && below.iter().all(|pid| all.contains(pid)), "{below:?} in {all:?}");
        assert!(children().contains(&pid));
        for pid in below {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid).unwrap(),
                rustix::process::Signal::KILL,
            );
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
