//! Resident memory that a viewer adds.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::Lab;
use crate::clip::Mode;
use crate::report::{Report, Row, Verdict, median};
use crate::servers::{Kind, Server, Setup};
use crate::viewers::{Http, Spec, Viewers};

/// The first viewers touch code and pools that the rest share.
const WARM: usize = 32;
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    tls: bool,
    http: Http,
}

const WAYS: [Way; 3] = [
    Way { name: "plain", tls: false, http: Http::One },
    Way { name: "TLS", tls: true, http: Http::One },
    Way { name: "HTTP/2 over TLS", tls: true, http: Http::Two },
];

fn once(lab: &Lab, kind: Kind, way: Way, more: usize) -> Result<f64> {
    let tls = way.tls.then_some(&lab.identity);
    let server = Server::start(kind, &Setup { pod: &lab.pod, clip: &lab.clip, mode: Mode::Frames, tls })?;
    let addr = if way.tls { server.tls_addr.context("no HTTPS")? } else { server.addr };
    let client = tls.map(|t| t.client.clone());
    let spec = Spec { tls: client, http: way.http, ..Spec::plain(addr, &server.path, WARM) };
    let tell = || format!("{} ({}): {}", kind.name(), way.name, server.log_tail());
    let first = Viewers::start(spec.clone());
    first.wait_flowing(LIMIT).with_context(tell)?;
    thread::sleep(Duration::from_millis(1500)); // a whole GOP, so that caches are as full as they get
    let before = server.rss_kib()?;
    let rest = Viewers::start(Spec { count: more, ..spec });
    rest.wait_flowing(LIMIT).with_context(tell)?;
    let mut most = 0;
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(200));
        most = most.max(server.rss_kib()?);
    }
    Ok((most as f64 - before as f64) / more as f64)
}

/// 500 viewers more, in each way of connecting.
pub fn memory(lab: &Lab, report: &mut Report) {
    let more = 500;
    let rounds = lab.rounds.min(3);
    for way in WAYS {
        let mut row = Row::new(format!("resident kB that a viewer adds, {}", way.name));
        for &kind in &lab.kinds {
            if (way.tls || lab.quick) && matches!(kind, Kind::Floor | Kind::Icecast) {
                continue;
            }
            let mut seen = Vec::new();
            for round in 0..rounds {
                match once(lab, kind, way, more) {
                    Ok(kib) => {
                        let of = json!({"experiment": "memory", "server": kind.name(), "way": way.name});
                        report.raw(json!({"of": of, "round": round, "kib_per_viewer": kib}));
                        seen.push(kib);
                    }
                    Err(e) => {
                        report.note(format!("{e:#}"));
                        break;
                    }
                }
            }
            let kib = median(seen);
            eprintln!("{} {}: {kib:.1} kB per viewer", way.name, kind.name());
            row.cell(kind, format!("{kib:.1}"));
            if kind == Kind::Pod && !way.tls {
                row = row.target("at most 8", Verdict::at_most(kib, 8.0));
            } else if kind == Kind::Pod {
                row = row.target("stated", Verdict::Stated);
            }
        }
        report.row(row);
    }
}
