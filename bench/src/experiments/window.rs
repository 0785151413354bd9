//! A window of measurement: some seconds of one server with some viewers.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::hist::Hist;
use crate::proc;
use crate::servers::Server;
use crate::viewers::{Stats, Viewers};

/// What a window showed.
pub struct Window {
    /// The server's CPU time in seconds.
    pub cpu: f64,
    /// The bench's own CPU time (source and viewers) in seconds.
    pub own_cpu: f64,
    /// CPU time of everything else on the machine in seconds: of what should not have been running.
    pub foreign_cpu: f64,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// CPU time of the server's whole life that no window could see: of threads that ended, of children, of its
    /// own end. In seconds; large only when something is wrong with the measurement.
    pub unseen_cpu: f64,
    /// What the viewers saw.
    pub stats: Stats,
}

/// Waits so many seconds and says what happened meanwhile.
pub fn measure(server: &Server, viewers: &Viewers, seconds: f64) -> Result<Window> {
    let me = std::process::id();
    let all = proc::machine_cpu_seconds()?;
    let (cpu, own, began) = (server.cpu_seconds()?, proc::cpu_seconds(me)?, Instant::now());
    viewers.restart();
    thread::sleep(Duration::from_secs_f64(seconds));
    let stats = viewers.stats();
    let (cpu, own_cpu) = (server.cpu_seconds()? - cpu, proc::cpu_seconds(me)? - own);
    Ok(Window {
        cpu,
        own_cpu,
        foreign_cpu: proc::machine_cpu_seconds()? - all - cpu - own_cpu,
        seconds: began.elapsed().as_secs_f64(),
        unseen_cpu: 0.0,
        stats,
    })
}

/// A quantile in milliseconds.
pub fn ms(h: &Hist, q: f64) -> f64 {
    h.quantile(q).map_or(f64::NAN, |ns| ns as f64 / 1e6)
}

fn latency(h: &Hist) -> Value {
    json!({"count": h.len(), "p50_ms": ms(h, 0.5), "p90_ms": ms(h, 0.9), "p99_ms": ms(h, 0.99), "max_ms": ms(h, 1.0)})
}

impl Window {
    /// Server CPU-seconds per 10^9 delivered bytes.
    pub fn cpu_per_gb(&self) -> f64 {
        self.cpu / (self.stats.bytes as f64 / 1e9)
    }

    /// All of it, for the JSON.
    pub fn json(&self) -> Value {
        let s = &self.stats;
        json!({
            "cpu_s": self.cpu, "bench_cpu_s": self.own_cpu, "foreign_cpu_s": self.foreign_cpu, "unseen_cpu_s": self.unseen_cpu,
            "seconds": self.seconds, "bytes": s.bytes,
            "cpu_s_per_gb": self.cpu_per_gb(),
            "least_viewer_bytes": s.per_viewer.iter().min(), "most_viewer_bytes": s.per_viewer.iter().max(),
            "sync_losses": s.sync_losses, "lost_writes": s.lost_writes, "closed": s.closed,
            "first_byte": {"frames": latency(&s.first), "key_frames": latency(&s.first_key)},
            "last_byte": {"frames": latency(&s.whole), "key_frames": latency(&s.whole_key)},
        })
    }
}
