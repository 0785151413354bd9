//! What waiting costs.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::Lab;
use crate::clip::Mode;
use crate::report::{Report, Row};
use crate::servers::{Kind, Server, many_streams};

fn cpu_percent(server: &Server, seconds: f64) -> Result<f64> {
    let (cpu, began) = (server.cpu_seconds()?, Instant::now());
    thread::sleep(Duration::from_secs_f64(seconds));
    Ok((server.cpu_seconds()? - cpu) / began.elapsed().as_secs_f64() * 100.0)
}

fn continuous(lab: &Lab, report: &mut Report) -> Result<()> {
    let mut row = Row::new("Continuous feed that nobody watches, % of a core");
    for &kind in &lab.kinds {
        let server = lab.start(kind, Mode::Clip)?;
        thread::sleep(Duration::from_millis(500));
        let percent = cpu_percent(&server, lab.seconds * 2.0)?;
        report.raw(json!({"of": {"experiment": "idle", "server": kind.name()}, "cpu_percent": percent}));
        row.cell(kind, format!("{percent:.2}"));
    }
    report.row(row);
    Ok(())
}

fn thousand(lab: &Lab, report: &mut Report) -> Result<()> {
    let few = Server::start_pod(&lab.pod, &many_streams(1, &lab.clip.path, "/x.ts"))?;
    thread::sleep(Duration::from_millis(500));
    let alone = few.rss_kib()?;
    drop(few);
    let began = Instant::now();
    let server = Server::start_pod(&lab.pod, &many_streams(1000, &lab.clip.path, "/x.ts"))?;
    let ready = began.elapsed().as_secs_f64() * 1e3;
    thread::sleep(Duration::from_secs(1));
    let rss = server.rss_kib()?;
    let percent = cpu_percent(&server, lab.seconds * 2.0)?;
    report.raw(json!({
        "of": {"experiment": "thousand"}, "rss_kib": rss, "rss_kib_of_one": alone, "cpu_percent": percent, "ready_ms": ready
    }));
    let rows = [
        (
            "1,000 OnDemand feeds at rest, resident MB (with 1 feed)",
            format!("{:.1} ({:.1})", rss as f64 / 1024.0, alone as f64 / 1024.0),
        ),
        ("1,000 OnDemand feeds at rest, % of a core", format!("{percent:.2}")),
        ("1,000 OnDemand feeds, ms from start to listening", format!("{ready:.0}")),
    ];
    for (what, text) in rows {
        let mut row = Row::new(what);
        row.cell(Kind::Pod, text);
        report.row(row);
    }
    Ok(())
}

/// A Continuous feed without viewers; a thousand feeds at rest.
pub fn run(lab: &Lab, report: &mut Report) {
    if let Err(e) = continuous(lab, report) {
        report.note(format!("idle: {e:#}"));
    }
    if lab.has_pod()
        && let Err(e) = thousand(lab, report)
    {
        report.note(format!("1,000 feeds: {e:#}"));
    }
}
