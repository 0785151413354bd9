//! Fan-out: what a delivered gigabyte costs, and how late it comes, by number of viewers and way of writing.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::Lab;
use super::window::{Window, measure, ms};
use crate::clip::Mode;
use crate::hist::Hist;
use crate::report::{Report, Row, Verdict, median};
use crate::servers::Kind;
use crate::viewers::{Spec, Viewers};

/// The single runs of each server, in order.
type Runs = BTreeMap<Kind, Vec<Window>>;

type Pick = fn(&Window) -> &Hist;
const ARRIVALS: [(&str, Pick); 2] = [("frames", |w| &w.stats.first), ("key frames", |w| &w.stats.first_key)];

fn once(lab: &Lab, kind: Kind, mode: Mode, viewers: usize) -> Result<Window> {
    let server = lab.start(kind, mode)?;
    let load = Viewers::start(Spec::plain(server.addr, &server.path, viewers));
    load.wait_flowing(Duration::from_secs(10))
        .with_context(|| format!("{}: {}", kind.name(), server.log_tail()))?;
    thread::sleep(Duration::from_millis(300));
    let mut window = measure(&server, &load, lab.seconds)?;
    drop(load);
    thread::sleep(Duration::from_millis(50));
    let seen = server.cpu_seconds()?;
    window.unseen_cpu = server.finish()? - seen;
    Ok(window)
}

fn doubts(w: &Window, what: &str, report: &mut Report) {
    let load = w.own_cpu / w.seconds;
    if load > 0.9 {
        report.note(format!(
            "{what}: source and viewers were at {:.0} % of a core, latencies may be theirs",
            load * 100.0
        ));
    }
    if w.unseen_cpu > 0.1 + w.cpu / 10.0 {
        report.note(format!(
            "{what}: {:.2} CPU-s were used by threads or children that had ended",
            w.unseen_cpu
        ));
    }
}

fn rounds(lab: &Lab, cases: &[(Mode, usize)], report: &mut Report) -> Vec<Runs> {
    let mut all: Vec<Runs> = cases.iter().map(|_| Runs::new()).collect();
    for round in 0..lab.rounds {
        for (runs, (mode, viewers)) in all.iter_mut().zip(cases) {
            for kind in lab.order(round) {
                match once(lab, kind, *mode, *viewers) {
                    Ok(w) => {
                        let (name, mode) = (kind.name(), mode.name());
                        eprintln!(
                            "round {round} {mode} {viewers} {name}: {:.3} CPU-s/GB, p50 {:.2} ms, p99 {:.2} ms, lost {}",
                            w.cpu_per_gb(),
                            ms(&w.stats.first, 0.5),
                            ms(&w.stats.first, 0.99),
                            w.stats.lost_writes
                        );
                        let of =
                            json!({"experiment": "fanout", "server": name, "mode": mode, "viewers": viewers});
                        doubts(&w, &format!("{name}, {mode}, {viewers} viewers"), report);
                        report.raw(json!({"of": of, "round": round, "window": w.json()}));
                        runs.entry(kind).or_default().push(w);
                    }
                    Err(e) => report.note(format!("{} with {viewers} viewers: {e:#}", kind.name())),
                }
            }
        }
    }
    busy_machine(&all, report);
    all
}

/// Interrupts of loopback that no process is charged with are in this, too; hence the generous limit.
fn busy_machine(all: &[Runs], report: &mut Report) {
    let windows = all.iter().flat_map(BTreeMap::values).flatten();
    let share = median(windows.map(|w| w.foreign_cpu / w.seconds));
    if share > 0.25 {
        report.note(format!(
            "other programs used {:.0} % of a core in the middle of these runs: take latencies for what they are, and repeat \
             this on a machine that does nothing else",
            share * 100.0
        ));
    }
}

fn middle(runs: &Runs, kind: Kind, of: impl Fn(&Window) -> f64) -> f64 {
    median(runs.get(&kind).into_iter().flatten().map(of))
}

/// The median of the ratios of runs that stood side by side.
fn ratio(runs: &Runs, of: impl Fn(&Window) -> f64) -> f64 {
    let (Some(pod), Some(floor)) = (runs.get(&Kind::Pod), runs.get(&Kind::Floor)) else { return f64::NAN };
    median(pod.iter().zip(floor).map(|(p, f)| of(p) / of(f)))
}

fn compared(
    what: String,
    runs: &Runs,
    limit: Option<f64>,
    digits: usize,
    of: impl Fn(&Window) -> f64,
) -> Row {
    let mut row = Row::new(what);
    let times = ratio(runs, &of);
    for kind in runs.keys() {
        let value = middle(runs, *kind, &of);
        let text = format!("{value:.digits$}");
        row.cell(
            *kind,
            if *kind == Kind::Pod && times.is_finite() { format!("{text} ({times:.2}x)") } else { text },
        );
    }
    match limit {
        Some(limit) if runs.contains_key(&Kind::Pod) => {
            row.target(format!("at most {limit:.2} of floor"), Verdict::at_most(times, limit))
        }
        _ => row,
    }
}

fn latency_rows(runs: &Runs, mode: Mode, viewers: usize, report: &mut Report) {
    for (name, hist) in ARRIVALS {
        for (q, label, limit) in [(0.5, "p50", 1.0), (0.99, "p99", 1.25)] {
            let what = format!("latency ms, {label} of {name}, {}, {viewers} viewers", mode.name());
            let limit = (mode == Mode::Frames).then_some(limit);
            report.row(compared(what, runs, limit, 2, |w| ms(hist(w), q)));
        }
    }
    if mode == Mode::Frames {
        let what = format!("last byte of a key frame, ms, p99, {}, {viewers} viewers", mode.name());
        report.row(compared(what, runs, None, 2, |w| ms(&w.stats.whole_key, 0.99)));
    }
}

/// 150 and 500 viewers, both ways of writing.
pub fn fanout(lab: &Lab, report: &mut Report) {
    let cases = [(Mode::Clip, 150), (Mode::Clip, 500), (Mode::Frames, 150), (Mode::Frames, 500)];
    let all = rounds(lab, &cases, report);
    for (runs, (mode, viewers)) in all.iter().zip(cases) {
        let limit = if mode == Mode::Clip { 1.15 } else { 1.25 };
        let what = format!("CPU-s per GB, {}, {viewers} viewers", mode.name());
        report.row(compared(what, runs, Some(limit), 3, Window::cpu_per_gb));
    }
    for (runs, (mode, viewers)) in all.iter().zip(cases).filter(|(_, c)| c.1 == 500) {
        latency_rows(runs, mode, viewers, report);
    }
    for (runs, (mode, viewers)) in all.iter().zip(cases) {
        for (kind, windows) in runs {
            let lost: u64 = windows.iter().map(|w| w.stats.lost_writes + w.stats.sync_losses).sum();
            if lost > 0 {
                let (name, mode) = (kind.name(), mode.name());
                report.note(format!(
                    "{name} lost {lost} writes over all viewers and runs ({mode}, {viewers} viewers)"
                ));
            }
        }
    }
}

/// One viewer.
pub fn single(lab: &Lab, report: &mut Report) {
    let all = rounds(lab, &[(Mode::Frames, 1)], report);
    for runs in &all {
        for (name, hist) in ARRIVALS {
            for (q, label) in [(0.5, "p50"), (0.99, "p99")] {
                let mut row =
                    compared(format!("latency ms, {label} of {name}, 1 viewer"), runs, None, 3, |w| {
                        ms(hist(w), q)
                    });
                if q < 0.6 && runs.contains_key(&Kind::Pod) {
                    let got = middle(runs, Kind::Pod, |w| ms(hist(w), q));
                    row = row.target("at most 0.2 ms", Verdict::at_most(got, 0.2));
                }
                report.row(row);
            }
        }
    }
}
