//! 500 viewers that stop reading: what they hold in the kernel, and what their neighbours notice.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::Lab;
use super::window::{measure, ms};
use crate::clip::Mode;
use crate::report::{Report, Row, Verdict, median};
use crate::servers::Kind;
use crate::viewers::{Spec, Viewers};

const NEIGHBOURS: usize = 50;
const STUCK: usize = 500;
/// Windows alone and together, so that a slow moment of the machine is not blamed on either.
const QUANTILE: f64 = 0.99;

struct Seen {
    kib_each: Option<f64>,
    rss_each: f64,
    alone_ms: f64,
    together_ms: f64,
    cut_off: usize,
}

fn once(lab: &Lab, kind: Kind) -> Result<Seen> {
    let server = lab.start(kind, Mode::Frames)?;
    let neighbours = Viewers::start(Spec::plain(server.addr, &server.path, NEIGHBOURS));
    neighbours.wait_flowing(Duration::from_secs(10))?;
    thread::sleep(Duration::from_millis(500));
    let alone = measure(&server, &neighbours, lab.seconds)?;
    let (sock, rss) = (server.sock_bytes(), server.rss_kib()?);
    let spec = Spec { stuck: STUCK, ..Spec::plain(server.addr, &server.path, STUCK) };
    let stuck = Viewers::start(spec);
    stuck.wait_flowing(Duration::from_secs(15)).with_context(|| server.log_tail())?;
    let (mut most, mut most_rss) = (0, 0);
    let ticks = if lab.quick { 20 } else { 45 }; // 9 s fill 4 MB at 4 Mbit/s
    for _ in 0..ticks {
        thread::sleep(Duration::from_millis(200));
        most = most.max(server.sock_bytes().unwrap_or(0));
        most_rss = most_rss.max(server.rss_kib()?);
    }
    let together = measure(&server, &neighbours, lab.seconds)?;
    most = most.max(server.sock_bytes().unwrap_or(0));
    Ok(Seen {
        kib_each: sock.map(|before| (most as f64 - before as f64) / 1024.0 / STUCK as f64),
        rss_each: (most_rss as f64 - rss as f64) / STUCK as f64,
        alone_ms: ms(&alone.stats.first, QUANTILE),
        together_ms: ms(&together.stats.first, QUANTILE),
        cut_off: together.stats.closed,
    })
}

/// Kernel memory of each, and the neighbours' p99 before and with them.
pub fn stuck(lab: &Lab, report: &mut Report) {
    let mut seen: BTreeMap<Kind, Vec<Seen>> = BTreeMap::new();
    for round in 0..lab.rounds.min(3) {
        for kind in lab.order(round) {
            if (round > 0 || lab.quick) && !matches!(kind, Kind::Pod | Kind::Floor) {
                continue;
            }
            match once(lab, kind) {
                Ok(s) => {
                    let name = kind.name();
                    eprintln!(
                        "stuck {name}: {:.0} KiB in the kernel, {:.0} KiB resident each; neighbours' p99 {:.2} -> {:.2} ms",
                        s.kib_each.unwrap_or(f64::NAN),
                        s.rss_each,
                        s.alone_ms,
                        s.together_ms
                    );
                    report.raw(json!({
                        "of": {"experiment": "stuck", "server": name}, "round": round, "kernel_kib_each": s.kib_each,
                        "rss_kib_each": s.rss_each, "p99_ms_alone": s.alone_ms, "p99_ms_together": s.together_ms,
                    }));
                    if s.cut_off > 0 {
                        report.note(format!("{name} disconnected {} neighbours of stuck viewers", s.cut_off));
                    }
                    seen.entry(kind).or_default().push(s);
                }
                Err(e) => report.note(format!("{} with stuck viewers: {e:#}", kind.name())),
            }
        }
    }
    rows(&seen, report);
}

fn rows(seen: &BTreeMap<Kind, Vec<Seen>>, report: &mut Report) {
    let mut kernel = Row::new("stuck viewer, kernel memory MB");
    let mut resident = Row::new("stuck viewer, resident kB");
    let mut p99 = Row::new("neighbours' p99 ms: alone, beside 500 stuck");
    for (&kind, runs) in seen {
        let mb = median(runs.iter().filter_map(|s| s.kib_each)) * 1024.0 / 1e6;
        let alone = median(runs.iter().map(|s| s.alone_ms));
        let together = median(runs.iter().map(|s| s.together_ms));
        kernel.cell(kind, format!("{mb:.2}"));
        resident.cell(kind, format!("{:.1}", median(runs.iter().map(|s| s.rss_each))));
        p99.cell(kind, format!("{alone:.2}, {together:.2}"));
        if kind == Kind::Pod {
            kernel = kernel.target("at most 0.50", Verdict::at_most(mb, 0.5));
            // two windows of the same thing differ by so much
            let unchanged = (alone * 1.25).max(alone + 0.2);
            p99 = p99.target("unchanged (25 % or 0.2 ms)", Verdict::at_most(together, unchanged));
        }
    }
    for row in [kernel, resident, p99] {
        report.row(row);
    }
}
