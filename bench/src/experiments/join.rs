//! Joining: from the request to the first byte of a picture that can be decoded.

use std::io::Read;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Lab;
use super::finder::Finder;
use super::window::ms;
use crate::ask::ask;
use crate::clip::Mode;
use crate::hist::Hist;
use crate::report::{Report, Row, Verdict};
use crate::servers::{Kind, Server, Setup};
use crate::ts::{self, PACKET};

/// Longer than the longest GOP there is here.
const PATIENCE: Duration = Duration::from_secs(12);

/// Times of one join, in nanoseconds after the request.
struct Joined {
    head: u64,
    picture: u64,
}

fn join(addr: SocketAddr, path: &str) -> Result<Joined> {
    let began = Instant::now();
    let mut s = ask(addr, path, PATIENCE)?;
    let (mut seen, mut head, mut at) = (Vec::new(), None, 0);
    let mut finder = Finder::default();
    let mut buf = vec![0; 65_536];
    loop {
        let n = s.read(&mut buf).context("waiting for a picture")?;
        let now = began.elapsed().as_nanos() as u64;
        ensure!(n > 0, "the server ended the stream");
        ensure!(began.elapsed() < PATIENCE, "no picture within {PATIENCE:?}");
        seen.extend_from_slice(buf.get(..n).unwrap_or_default());
        if head.is_none() {
            let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let status = seen.get(..end).unwrap_or_default();
            ensure!(status.get(9..12) == Some(b"200"), "{}", String::from_utf8_lossy(status));
            (head, at) = (Some(now), end + 4);
        }
        while let Some(p) = seen.get(at..at + PACKET) {
            if p.first() != Some(&ts::SYNC) {
                at += 1;
                continue;
            }
            if finder.finds(p) {
                return Ok(Joined { head: head.unwrap_or(now), picture: now });
            }
            at += PACKET;
        }
    }
}

/// Even steps over the GOP in an order without rhythm.
fn pause(i: usize, most_ms: u64) -> Duration {
    Duration::from_micros((i as u64).wrapping_mul(2_654_435_761) % (most_ms * 1000))
}

fn many(addr: SocketAddr, path: &str, joins: usize, most_ms: u64) -> (Hist, Hist, Option<anyhow::Error>) {
    let (mut heads, mut pictures, mut wrong) = (Hist::default(), Hist::default(), None);
    for i in 0..joins {
        thread::sleep(pause(i + 1, most_ms));
        match join(addr, path) {
            Ok(j) => {
                heads.record(j.head);
                pictures.record(j.picture);
            }
            Err(e) => wrong = Some(e),
        }
    }
    (heads, pictures, wrong)
}

fn pod_rows(lab: &Lab, report: &mut Report) -> Result<()> {
    let clip = lab.long_gop()?;
    let setup = Setup { pod: &lab.pod, clip: &clip, mode: Mode::Frames, tls: None };
    let server = Server::start(Kind::Pod, &setup)?;
    let joins = if lab.quick { 60 } else { 200 };
    let most_ms = if lab.quick { 100 } else { 240 };
    let (heads, pictures, wrong) = many(server.addr, "/bench.ts?keyframe", joins, most_ms);
    if let Some(e) = wrong {
        let failed = joins as u64 - pictures.len();
        report.note(format!("{failed} of {joins} joins failed, the last one: {e:#}"));
    }
    let cell = |h: &Hist| format!("{:.2}, {:.2}, {:.2}", ms(h, 0.5), ms(h, 0.99), ms(h, 1.0));
    let quantiles = |h: &Hist| json!({"p50_ms": ms(h, 0.5), "p99_ms": ms(h, 0.99), "max_ms": ms(h, 1.0)});
    report.raw(json!({"of": {"experiment": "join"}, "joins": pictures.len(), "head": quantiles(&heads), "picture": quantiles(&pictures)}));
    let mut head = Row::new("join, head of the answer, ms: p50, p99, max");
    head.cell(Kind::Pod, cell(&heads));
    report.row(head);
    let worst = if pictures.len() == joins as u64 { ms(&pictures, 0.99) } else { f64::NAN };
    let mut picture = Row::new("join, ?keyframe, 10 s GOP, first byte of a picture, ms: p50, p99, max")
        .target("p99 at most 10", Verdict::at_most(worst, 10.0));
    picture.cell(Kind::Pod, cell(&pictures));
    report.row(picture);
    Ok(())
}

/// What a server does that begins at the live edge: some joins at once, spread over a GOP.
fn live_edge(lab: &Lab, kind: Kind) -> Result<Hist> {
    let clip = lab.long_gop()?;
    let server = Server::start(kind, &Setup { pod: &lab.pod, clip: &clip, mode: Mode::Frames, tls: None })?;
    let addr = server.addr;
    let threads: Vec<_> = (0..20)
        .map(|i| {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(500 * i));
                join(addr, "/bench.ts")
            })
        })
        .collect();
    let mut pictures = Hist::default();
    for t in threads {
        if let Ok(Ok(j)) = t.join() {
            pictures.record(j.picture);
        }
    }
    Ok(pictures)
}

/// 200 joins of the media pod, 20 of a peer for comparison.
pub fn run(lab: &Lab, report: &mut Report) {
    if lab.has_pod()
        && let Err(e) = pod_rows(lab, report)
    {
        report.note(format!("join: {e:#}"));
    }
    if lab.quick {
        return;
    }
    let mut row = Row::new("join at the live edge, same clip, ms: p50, max");
    for kind in [Kind::Pod, Kind::Hyper].into_iter().filter(|k| lab.kinds.contains(k)) {
        match live_edge(lab, kind) {
            Ok(h) => row.cell(kind, format!("{:.0}, {:.0}", ms(&h, 0.5), ms(&h, 1.0))),
            Err(e) => report.note(format!("join: {e:#}")),
        }
    }
    report.row(row);
}
