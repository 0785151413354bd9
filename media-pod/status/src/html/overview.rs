//! What is seen first: a refused configuration, the sums, what needs attention.

use std::fmt::{self, Write};

use super::parts::{counted, state, to_part};
use super::text::{short, text};
use super::units;
use crate::model::{Configuration, ConfigurationError, Moment, State, Status};

const MAX_DIAGNOSTICS: usize = 50;
const MAX_ATTENTION: usize = 20;

pub(super) fn banner(
    out: &mut String,
    configuration: &Configuration,
    error: &ConfigurationError,
) -> fmt::Result {
    write!(
        out,
        "<section class=banner id=refused aria-labelledby=refused-title><h2 id=refused-title>The newest edit of {} \
         was refused</h2><p>",
        short(&configuration.file, 200)
    )?;
    if error.at != Moment::default() {
        write!(out, "At {}. ", error.at.for_people())?;
    }
    out.push_str("What ran before runs on");
    if !configuration.revision.is_empty() {
        write!(out, ", revision <code>{}</code>", short(&configuration.revision, 64))?;
    }
    out.push_str(".</p><ul>");
    for line in error.diagnostics.iter().take(MAX_DIAGNOSTICS) {
        write!(out, "<li><code>{}</code>", text(line))?;
    }
    if error.diagnostics.len() > MAX_DIAGNOSTICS {
        write!(out, "<li>and {} more", error.diagnostics.len() - MAX_DIAGNOSTICS)?;
    }
    out.push_str("</ul></section>\n");
    Ok(())
}

/// How many of `states` run, and how many need attention.
fn tally(states: impl Iterator<Item = State>) -> (u64, u64, u64) {
    states.fold((0, 0, 0), |(all, running, bad), state| {
        (all + 1, running + u64::from(state == State::Running), bad + u64::from(state.needs_attention()))
    })
}

/// How many feeds and streams need attention.
pub(super) fn troubled(status: &Status) -> u64 {
    tally(status.streams.iter().map(|s| s.state)).2 + tally(status.feeds.iter().map(|f| f.state)).2
}

pub(super) fn tiles(out: &mut String, status: &Status) -> fmt::Result {
    let totals = &status.totals;
    let tile = |out: &mut String, label: &str, value: &dyn fmt::Display, below: &dyn fmt::Display| {
        write!(out, "<div><dt>{label}<dd>{value}<span class=sub>{below}</span></div>")
    };
    out.push_str("<section aria-label=Summary><dl class=tiles>");
    let connections =
        fmt::from_fn(|f| write!(f, "{} so far", counted(totals.connections_total, "connection")));
    tile(out, "Viewers", &units::count(totals.viewers), &connections)?;
    let sent = fmt::from_fn(|f| write!(f, "{} so far", units::bytes(totals.bytes_out)));
    tile(out, "Sending", &units::rate(totals.bitrate_out_bps), &sent)?;
    let read = fmt::from_fn(|f| write!(f, "{} so far", units::bytes(totals.bytes_in)));
    tile(out, "Receiving", &units::rate(totals.bitrate_in_bps), &read)?;
    for (label, (all, running, bad)) in [
        ("Streams running", tally(status.streams.iter().map(|s| s.state))),
        ("Feeds running", tally(status.feeds.iter().map(|f| f.state))),
    ] {
        let value =
            fmt::from_fn(|f| write!(f, "{} <small>of {}</small>", units::count(running), units::count(all)));
        let below = fmt::from_fn(|f| match bad {
            0 => f.write_str("no trouble"),
            _ => write!(f, "<span class=bad>{} in trouble</span>", units::count(bad)),
        });
        tile(out, label, &value, &below)?;
    }
    let since = fmt::from_fn(|f| write!(f, "since {}", status.started.for_people()));
    tile(out, "Up for", &units::span(status.uptime_seconds), &since)?;
    out.push_str("</dl></section>\n");
    attention(out, status)
}

fn attention(out: &mut String, status: &Status) -> fmt::Result {
    let streams = status.streams.iter().map(|s| (s.state, "s", "stream", s.name.as_str()));
    let feeds = status.feeds.iter().map(|f| (f.state, "f", "feed", f.name.as_str()));
    let mut bad = feeds.chain(streams).filter(|(state, ..)| state.needs_attention()).peekable();
    if bad.peek().is_none() {
        return Ok(());
    }
    out.push_str(
        "<section class=attention id=attention aria-labelledby=attention-title><h2 id=attention-title>In trouble</h2><ul>",
    );
    for (how, prefix, what, name) in bad.by_ref().take(MAX_ATTENTION) {
        write!(out, "<li>{} {what} {}", state(how), to_part(prefix, name))?;
    }
    let rest = bad.count();
    if rest > 0 {
        write!(out, "<li>and {rest} more")?;
    }
    out.push_str("</ul></section>\n");
    Ok(())
}
