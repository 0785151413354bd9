//! A balancer: what a gigabyte costs there that its viewers get, beside the server pod's own fan-out, and how much later it comes.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::Lab;
use super::window::{Window, measure, ms};
use crate::clip::Mode;
use crate::report::{Report, Row, Verdict, median};
use crate::servers::{Kind, Server, Setup, balanced::Balanced};
use crate::viewers::{Spec, Viewers};

/// One round: the server alone, and the balancer with the server behind it.
struct Round {
    direct: Window,
    balanced: Window,
    /// CPU-seconds of the server behind the balancer in the same window.
    behind: f64,
}

fn watch(lab: &Lab, server: &Server, viewers: usize) -> Result<(Viewers, Window)> {
    let load = Viewers::start(Spec::plain(server.addr, &server.path, viewers));
    load.wait_flowing(Duration::from_secs(10)).with_context(|| server.log_tail())?;
    thread::sleep(Duration::from_millis(300));
    let window = measure(server, &load, lab.seconds)?;
    Ok((load, window))
}

fn direct(lab: &Lab, setup: &Setup<'_>, viewers: usize) -> Result<Window> {
    let server = Server::start(Kind::Pod, setup)?;
    let (load, window) = watch(lab, &server, viewers)?;
    drop(load);
    Ok(window)
}

fn balanced(lab: &Lab, setup: &Setup<'_>, viewers: usize) -> Result<(Window, f64)> {
    let both = Balanced::start(setup)?;
    let before = both.server.cpu_seconds()?;
    let (load, mut window) = watch(lab, &both.balancer, viewers)?;
    let behind = both.server.cpu_seconds()? - before;
    window.foreign_cpu -= behind;
    drop(load);
    Ok((window, behind))
}

fn rounds(lab: &Lab, mode: Mode, viewers: usize, report: &mut Report) -> Vec<Round> {
    let setup = Setup { pod: &lab.pod, clip: &lab.clip, mode, tls: None };
    let mut all = Vec::new();
    for round in 0..lab.rounds {
        // Who is first changes.
        let both = if round % 2 == 0 {
            direct(lab, &setup, viewers).and_then(|one| Ok((one, balanced(lab, &setup, viewers)?)))
        } else {
            balanced(lab, &setup, viewers).and_then(|other| Ok((direct(lab, &setup, viewers)?, other)))
        };
        match both {
            Ok((direct, (balanced, behind))) => {
                let round = Round { direct, balanced, behind };
                let (one, other) = (&round.direct, &round.balanced);
                eprintln!(
                    "{viewers} viewers: direct {:.3} CPU-s/GB, p99 {:.2} ms; balancer {:.3} CPU-s/GB, p99 {:.2} ms, lost {}",
                    one.cpu_per_gb(),
                    ms(&one.stats.first, 0.99),
                    other.cpu_per_gb(),
                    ms(&other.stats.first, 0.99),
                    other.stats.lost_writes
                );
                report.raw(json!({"of": {"experiment": "balancer", "viewers": viewers, "mode": mode.name()},
                    "direct": one.json(), "balanced": other.json(), "server_behind_cpu_s": round.behind}));
                all.push(round);
            }
            Err(e) => report.note(format!("balancer with {viewers} viewers: {e:#}")),
        }
    }
    all
}

/// Cost and latency with many viewers, and latency with one.
pub fn run(lab: &Lab, report: &mut Report) {
    if !lab.has_pod() {
        return;
    }
    for viewers in [1, 150, 500] {
        let all = rounds(lab, Mode::Frames, viewers, report);
        let middle = |of: &dyn Fn(&Round) -> f64| median(all.iter().map(of));
        if viewers > 1 {
            let times = middle(&|it| it.balanced.cpu_per_gb() / it.direct.cpu_per_gb());
            let mut row = Row::new(format!(
                "balancer: CPU-s per GB, {viewers} viewers, beside the server's own fan-out"
            ))
            .target("at most 1.10 of the server's", Verdict::at_most(times, 1.1));
            let (balancer, server) =
                (middle(&|it| it.balanced.cpu_per_gb()), middle(&|it| it.direct.cpu_per_gb()));
            row.cell(Kind::Pod, format!("{balancer:.3} ({times:.2}x of {server:.3})"));
            report.row(row);
            let mut row =
                Row::new(format!("balancer: % of a core in the server behind it, {viewers} viewers"));
            row.cell(Kind::Pod, format!("{:.1}", middle(&|it| it.behind / it.balanced.seconds * 100.0)));
            report.row(row);
        }
        for (q, label) in [(0.5, "p50"), (0.99, "p99")] {
            let added = middle(&|it| ms(&it.balanced.stats.first, q) - ms(&it.direct.stats.first, q));
            let mut row =
                Row::new(format!("balancer: added latency ms, {label} of frames, {viewers} viewers"));
            let (with, without) =
                (middle(&|it| ms(&it.balanced.stats.first, q)), middle(&|it| ms(&it.direct.stats.first, q)));
            row.cell(Kind::Pod, format!("{added:.2} ({with:.2} after {without:.2})"));
            report.row(if q > 0.9 { row.target("at most 2 ms", Verdict::at_most(added, 2.0)) } else { row });
        }
        let lost: u64 =
            all.iter().map(|it| it.balanced.stats.lost_writes + it.balanced.stats.sync_losses).sum();
        if lost > 0 {
            report.note(format!(
                "the balancer lost {lost} writes over all viewers and runs ({viewers} viewers)"
            ));
        }
    }
}
