//! Children that ended, and ending them all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};

use crate::descendants::descendants;

/// What is known of the children of this process.
#[derive(Debug, Default)]
pub(crate) struct Reaped {
    /// How those ended that ended so far.
    pub ended: HashMap<i32, WaitStatus>,
    /// Whether the kernel says that there are none left.
    pub none_left: bool,
}

/// Takes every child that has ended, without waiting.
pub(crate) fn reap() -> Reaped {
    let mut reaped = Reaped::default();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                reaped.ended.insert(pid.as_raw_nonzero().get(), status);
            }
            Ok(None) => return reaped,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                reaped.none_left = true;
                return reaped;
            }
        }
    }
}

/// Sends SIGKILL to `group` and everything below this process, again and again, until nothing is below it or
/// `patience` is over. As a subreaper this process inherits whatever loses its parent on the way, so nothing can hide.
/// `on_end` hears of every child that ended. Returns whether nothing is left.
pub(crate) fn kill_all(
    group: Option<Pid>,
    patience: Duration,
    mut on_end: impl FnMut(i32, WaitStatus),
) -> bool {
    let begun = Instant::now();
    let mut group = group;
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(group) = group {
            // the whole group at once: a fork cannot slip through
            let _ = kill_process_group(group, Signal::KILL);
        }
        let reaped = reap();
        for (pid, status) in reaped.ended {
            if group.is_some_and(|group| group.as_raw_nonzero().get() == pid) {
                // its leader is reaped: the number may be another's soon
                group = None;
            }
            on_end(pid, status);
        }
        if reaped.none_left {
            return true;
        }
        if begun.elapsed() > patience {
            return false;
        }
        for pid in descendants().into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
