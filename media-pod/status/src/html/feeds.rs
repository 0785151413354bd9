//! The table of feeds.

use std::fmt::{self, Write};

use super::details::Details;
use super::parts::{elapsed, media, number, state, to_part};
use super::text::text;
use super::{href, units};
use crate::model::{Activation, FeedStatus, Moment, SourceKind, Status};

const HEAD: &str = "<div class=table><table aria-labelledby=feeds-title><thead><tr><th scope=col>Feed\
    <th scope=col>State<th scope=col>Media<th scope=col>Runs<th scope=col class=n>Users\
    <th scope=col class=n>Bitrate<th scope=col class=n>Read<th scope=col class=n>GOP</thead>\n";
const COLUMNS: usize = 8;

pub(super) fn write(out: &mut String, status: &Status) -> fmt::Result {
    write!(
        out,
        "<section id=feeds aria-labelledby=feeds-title><h2 id=feeds-title>Feeds <span>{}</span></h2>",
        units::count(status.feeds.len() as u64)
    )?;
    if status.feeds.is_empty() {
        out.push_str("<p class=empty>No feeds are configured.</p></section>\n");
        return Ok(());
    }
    out.push_str(HEAD);
    for feed in &status.feeds {
        row(out, feed, status.server_time)?;
    }
    out.push_str("</table></div></section>\n");
    Ok(())
}

fn row(out: &mut String, feed: &FeedStatus, now: Moment) -> fmt::Result {
    let id = format!("f-{}", href::anchor(&feed.name));
    write!(out, "<tbody class=item id=\"{id}\"><tr><th scope=row>{}", text(&feed.name))?;
    if let Some(fallback) = &feed.fallback {
        write!(out, "<span class=sub>replaced by {}</span>", to_part("f", fallback))?;
    }
    write!(out, "<td class=s>{}<span class=sub>{}</span>", state(feed.state), elapsed(feed.since, now))?;
    media(out, feed.container.as_deref(), &feed.tracks)?;
    write!(
        out,
        "<td data-l=Runs>{}{}{}{}",
        activation(feed.activation),
        number("Users", feed.holds, units::count(feed.holds)),
        number("Bitrate", feed.bitrate_bps, units::rate(feed.bitrate_bps)),
        number("Read", feed.bytes_in, units::bytes(feed.bytes_in)),
    )?;
    match feed.gop {
        Some(gop) => writeln!(
            out,
            "<td class=n data-l=GOP>{}<span class=sub>{}</span>",
            units::milliseconds(gop.milliseconds),
            units::bytes(gop.bytes)
        )?,
        None => out.push_str("<td class=\"n zero\" data-l=GOP>–\n"),
    }
    let is_command = feed.source.kind == SourceKind::Command;
    let what = feed.source.description.as_str();
    Details {
        id: &format!("d{id}"),
        command: is_command.then_some(what),
        description: (!is_command).then_some((feed.source.kind.name(), what)),
        pid: feed.pid,
        restarts: feed.restarts,
        last_exit: feed.last_exit.as_ref(),
        now,
    }
    .write(out, COLUMNS)
}

fn activation(activation: Activation) -> impl fmt::Display {
    fmt::from_fn(move |f| match activation {
        Activation::OnDemand => f.write_str("on demand"),
        Activation::Continuous => f.write_str("always"),
        Activation::Seconds(seconds) => {
            write!(f, "on demand<span class=sub>and {} more</span>", units::span(seconds))
        }
    })
}
