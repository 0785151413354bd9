//! A reload with 1,000 streams, one of which changed.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Lab;
use super::window::ms;
use crate::ask::ask;
use crate::hist::Hist;
use crate::report::{Report, Row, Verdict};
use crate::servers::{Kind, Server, many_streams};
use crate::viewers::{Spec, Viewers};

/// The status that a request for a path is answered with.
fn status(addr: SocketAddr, path: &str) -> Result<u16> {
    let mut s = ask(addr, path, Duration::from_secs(5))?;
    let mut head = [0; 12];
    s.read_exact(&mut head)?;
    let text = std::str::from_utf8(head.get(9..).unwrap_or_default())?;
    text.parse().context("no status")
}

fn run_rounds(lab: &Lab, report: &mut Report) -> Result<()> {
    let yaml = |path: &str| many_streams(1000, &lab.clip.path, path);
    let server = Server::start_pod(&lab.pod, &yaml("/v0.ts"))?;
    let watching = Viewers::start(Spec::plain(server.addr, "/s7.ts", 3));
    // that clip has no stamps: three answers are enough to know that it is watched
    let until = Instant::now() + Duration::from_secs(10);
    while watching.stats().heads < 3 {
        ensure!(Instant::now() < until, "nobody can watch: {}", server.log_tail());
        thread::sleep(Duration::from_millis(10));
    }
    let mut took = Hist::default();
    let file = server.dir().join("millrace.yaml");
    let cpu = server.cpu_seconds()?;
    let changes = if lab.quick { 3 } else { 10 };
    for i in 1..=changes {
        thread::sleep(Duration::from_millis(700));
        let (path, old) = (format!("/v{i}.ts"), format!("/v{}.ts", i - 1));
        let part = file.with_extension("part");
        fs::write(&part, yaml(&path))?;
        let began = Instant::now();
        fs::rename(&part, &file)?;
        while status(server.addr, &path)? == 404 {
            ensure!(
                began.elapsed() < Duration::from_secs(20),
                "the change is not served: {}",
                server.log_tail()
            );
            thread::sleep(Duration::from_millis(2));
        }
        took.record(began.elapsed().as_nanos() as u64);
        ensure!(status(server.addr, &old)? == 404, "{old} is still served after it was renamed");
    }
    let cpu_ms = (server.cpu_seconds()? - cpu) * 1e3 / f64::from(changes);
    let lost = watching.stats().closed;
    report.raw(json!({"of": {"experiment": "reload"}, "p50_ms": ms(&took, 0.5), "max_ms": ms(&took, 1.0), "cpu_ms": cpu_ms, "viewers_lost": lost}));
    let mut row = Row::new("reload, 1 of 1,000 streams changed, ms from write to served: p50, max");
    row.cell(Kind::Pod, format!("{:.0}, {:.0}", ms(&took, 0.5), ms(&took, 1.0)));
    report.row(row);
    let mut row = Row::new("reload, CPU ms each (with the requests that look for it)");
    row.cell(Kind::Pod, format!("{cpu_ms:.0}"));
    report.row(row);
    let verdict = if lost == 0 { Verdict::Pass } else { Verdict::Missed(format!("{lost}")) };
    let mut row = Row::new("reload, viewers of another stream who were disconnected").target("0", verdict);
    row.cell(Kind::Pod, lost.to_string());
    report.row(row);
    Ok(())
}

/// How long until a change is served, and whether others notice.
pub fn run(lab: &Lab, report: &mut Report) {
    if lab.has_pod()
        && let Err(e) = run_rounds(lab, report)
    {
        report.note(format!("reload: {e:#}"));
    }
}
