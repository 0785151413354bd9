//! The program itself: where it listens, what it was told, what it costs.

use std::fmt::{self, Write};

use super::parts::elapsed;
use super::text::{short, text};
use super::units;
use crate::model::{Moment, Status};

pub(super) fn write(out: &mut String, status: &Status) -> fmt::Result {
    out.push_str(
        "<section id=server aria-labelledby=server-title><h2 id=server-title>Server</h2><dl class=facts>\
         <div><dt>Listens on",
    );
    if status.listeners.is_empty() {
        out.push_str("<dd>nothing");
    }
    for listener in status.listeners.iter().take(64) {
        write!(out, "<dd>{} {}", short(&listener.protocol, 40), short(&listener.address, 120))?;
    }
    configuration(out, status)?;
    let process = &status.process;
    write!(out, "</div><div><dt>Memory<dd>{} resident</div>", units::bytes(process.rss_bytes))?;
    out.push_str("<div><dt>Processor");
    write!(out, "<dd>{:.1} s used", process.cpu_seconds)?;
    if status.uptime_seconds > 0 {
        let share = process.cpu_seconds / status.uptime_seconds as f64 * 100.0;
        write!(out, ", {share:.1} % of one core on average")?;
    }
    write!(
        out,
        "</div><div><dt>Holds<dd>{} open files<dd>{} threads</div>",
        units::count(process.open_fds),
        units::count(process.threads)
    )?;
    writeln!(
        out,
        "<div><dt>Requests for paths that are not there<dd>{}</div></dl></section>",
        units::count(status.totals.not_found_total)
    )
}

fn configuration(out: &mut String, status: &Status) -> fmt::Result {
    let configuration = &status.configuration;
    out.push_str("</div><div><dt>Configuration");
    if configuration.file.is_empty() {
        out.push_str("<dd>built in");
    } else {
        write!(out, "<dd><code>{}</code>", text(&configuration.file))?;
    }
    if !configuration.revision.is_empty() {
        write!(out, "<dd>revision <code>{}</code>", short(&configuration.revision, 64))?;
    }
    if configuration.loaded_at != Moment::default() {
        write!(out, "<dd>taken {} ago", elapsed(configuration.loaded_at, status.server_time))?;
    }
    Ok(())
}
