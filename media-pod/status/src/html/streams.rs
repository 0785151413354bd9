//! The table of streams.

use std::fmt::{self, Write};

use super::details::Details;
use super::parts::{elapsed, link, media, number, state, to_part};
use super::text::text;
use super::{href, units};
use crate::model::{Moment, Status, StreamStatus};

const HEAD: &str = "<div class=table><table aria-labelledby=streams-title><thead><tr><th scope=col>Stream\
    <th scope=col>State<th scope=col>Media<th scope=col>Feeds<th scope=col class=n>Viewers\
    <th scope=col class=n>Bitrate<th scope=col class=n>Sending<th scope=col class=n>Sent\
    <th scope=col class=n>Skips</thead>\n";
const COLUMNS: usize = 9;
const MAX_LINKS: usize = 16;

pub(super) fn write(out: &mut String, status: &Status) -> fmt::Result {
    let count = status.streams.len() as u64;
    write!(
        out,
        "<section id=streams aria-labelledby=streams-title><h2 id=streams-title>Streams <span>{}</span></h2>",
        units::count(count)
    )?;
    if status.streams.is_empty() {
        out.push_str("<p class=empty>No streams are configured.</p></section>\n");
        return Ok(());
    }
    out.push_str(HEAD);
    for stream in &status.streams {
        row(out, stream, status.server_time)?;
    }
    out.push_str("</table></div></section>\n");
    Ok(())
}

fn row(out: &mut String, stream: &StreamStatus, now: Moment) -> fmt::Result {
    let id = format!("s-{}", href::anchor(&stream.name));
    write!(out, "<tbody class=item id=\"{id}\"><tr><th scope=row>")?;
    match href::path(&stream.path) {
        Some(to) => write!(out, "<a class=path href=\"{to}\">{}</a>", text(&stream.path))?,
        None => write!(out, "<span class=path>{}</span>", text(&stream.path))?,
    }
    write!(out, "<span class=\"sub links\">{}", text(&stream.name))?;
    if let Some(to) = stream.snapshot_path.as_deref().and_then(href::path) {
        write!(out, "<a href=\"{to}\">picture</a>")?;
    }
    for other in stream.links.iter().take(MAX_LINKS) {
        write!(out, " {}", link(href::address(&other.href), &other.label))?;
    }
    write!(
        out,
        "</span><td class=s>{}<span class=sub>{}</span>",
        state(stream.state),
        elapsed(stream.since, now)
    )?;
    media(out, stream.container.as_deref(), &stream.tracks)?;
    out.push_str("<td class=f data-l=Feeds>");
    if stream.feeds.is_empty() {
        out.push_str("<span class=zero>none</span>");
    }
    for (at, feed) in stream.feeds.iter().enumerate() {
        write!(out, "{}{}", if at == 0 { "" } else { ", " }, to_part("f", feed))?;
    }
    writeln!(
        out,
        "{}{}{}{}{}",
        number("Viewers", stream.viewers, units::count(stream.viewers)),
        number("Bitrate", stream.bitrate_bps, units::rate(stream.bitrate_bps)),
        number("Sending", stream.egress_bps, units::rate(stream.egress_bps)),
        number("Sent", stream.bytes_out, units::bytes(stream.bytes_out)),
        number("Skips", stream.skips, units::count(stream.skips)),
    )?;
    Details {
        id: &format!("d{id}"),
        command: stream.command.as_deref(),
        description: None,
        pid: stream.pid,
        restarts: stream.restarts,
        last_exit: stream.last_exit.as_ref(),
        now,
    }
    .write(out, COLUMNS)
}
