//! The document as a whole.

use std::fmt::{self, Write};

use super::policy::{SCRIPT, STYLE};
use super::text::{short, text};
use super::{clients, feeds, href, links, overview, server, streams, units};
use crate::model::Status;

const LOGO: &str = include_str!("../../assets/mill.svg");

/// How the page is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageOptions<'a> {
    /// Where the same is to be had as JSON, to link to; none if that is switched off.
    pub json_path: Option<&'a str>,
    /// How often the page asks for itself again, in seconds, if scripts run; 0: never.
    pub refresh_seconds: u32,
}

/// The status page: one HTML document that needs nothing else, neither a script nor another file.
///
/// To be served as `text/html; charset=utf-8` with [`content_security_policy`](crate::content_security_policy)
/// and `Cache-Control: no-store`. Its script asks for the page's own address again and changes what differs, so it
/// does not depend on the JSON.
pub fn render_html(status: &Status, options: &PageOptions<'_>) -> String {
    let rows = status.streams.len() + status.feeds.len() + status.clients.as_ref().map_or(0, Vec::len);
    let mut out = String::with_capacity(STYLE.len() + SCRIPT.len() + 8192 + rows * 1024);
    // Writing to a String cannot fail, and nothing that is written here says that it did.
    let _: fmt::Result = write(&mut out, status, options);
    out
}

fn write(out: &mut String, status: &Status, options: &PageOptions<'_>) -> fmt::Result {
    head(out, status)?;
    writeln!(out, "<body data-page=millrace-status data-refresh={}>", options.refresh_seconds)?;
    out.push_str("<a class=skip href=#streams>Skip to the streams</a>\n");
    header(out, status)?;
    out.push_str("<main>\n");
    if let Some(error) = &status.configuration.last_error {
        overview::banner(out, &status.configuration, error)?;
    }
    overview::tiles(out, status)?;
    bar(out, status)?;
    streams::write(out, status)?;
    feeds::write(out, status)?;
    if !status.links.is_empty() {
        links::write(out, &status.links, status.server_time)?;
    }
    if let Some(clients) = &status.clients {
        clients::write(out, clients, status.server_time)?;
    }
    server::write(out, status)?;
    out.push_str("</main>\n<footer>");
    if let Some(to) = options.json_path.and_then(href::path) {
        write!(out, "The same for programs: <a href=\"{to}\">JSON</a>")?;
    }
    write!(out, "</footer>\n<script>{SCRIPT}</script>\n</body></html>\n")
}

fn head(out: &mut String, status: &Status) -> fmt::Result {
    let troubled = overview::troubled(status);
    out.push_str(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
         <meta name=color-scheme content=\"light dark\">\n<meta name=robots content=noindex>\n\
         <meta name=referrer content=no-referrer>\n",
    );
    write!(
        out,
        "<meta name=generator content=\"{} {}\">\n<title>",
        text(&status.program.name),
        text(&status.program.version)
    )?;
    if troubled > 0 {
        write!(out, "({}) ", units::count(troubled))?;
    }
    write!(out, "{} · Millrace</title>\n<link rel=icon href=\"data:image/svg+xml,", short(&status.host, 80))?;
    for byte in LOGO.bytes() {
        match byte {
            b'"' => out.push('\''),
            b'#' | b'%' | b'<' | b'>' | b'&' => write!(out, "%{byte:02X}")?,
            _ => out.push(char::from(byte)),
        }
    }
    write!(out, "\">\n<style>{STYLE}</style></head>\n")
}

fn header(out: &mut String, status: &Status) -> fmt::Result {
    let logo = LOGO.trim_end().strip_prefix("<svg").unwrap_or_default();
    write!(
        out,
        "<header><svg aria-hidden=true{logo}\n<div><h1>Millrace</h1><span class=sub>{} {}",
        text(&status.program.name),
        text(&status.program.version)
    )?;
    if !status.host.is_empty() {
        write!(out, " on {}", short(&status.host, 120))?;
    }
    write!(
        out,
        "</span></div>\n<div class=clock><time id=now datetime=\"{}\" title=\"Server time\">{}</time>\
         <div class=controls><span class=live id=live aria-live=polite data-script hidden></span>\
         <button id=pause type=button data-script hidden>Pause</button><a href=\"\">Refresh</a></div></div></header>\n",
        status.server_time,
        status.server_time.for_people()
    )
}

/// Where the parts are, and a field to search in them.
fn bar(out: &mut String, status: &Status) -> fmt::Result {
    let entry = |out: &mut String, id: &str, name: &str, number: usize| {
        write!(out, "<li><a href=#{id}>{name} <span>{}</span></a>", units::count(number as u64))
    };
    out.push_str("<nav class=bar aria-label=\"On this page\"><ul>");
    entry(out, "streams", "Streams", status.streams.len())?;
    entry(out, "feeds", "Feeds", status.feeds.len())?;
    if !status.links.is_empty() {
        entry(out, "links", "Links", status.links.len())?;
    }
    if let Some(clients) = &status.clients {
        entry(out, "clients", "Clients", clients.len())?;
    }
    out.push_str(
        "<li><a href=#server>Server</a></ul><div class=filter id=search data-keep data-script hidden>\
         <label for=filter>Filter</label><input id=filter type=search autocomplete=off spellcheck=false \
         placeholder=\"name, path, state, codec…\"><output id=shown for=filter></output></div></nav>\n",
    );
    Ok(())
}
