//! The line below a feed or stream: its process, what it runs, how it ended last, what it said.

use std::fmt::{self, Write};

use super::parts::{counted, elapsed};
use super::text::{short, text};
use crate::model::{LastExit, Moment};

/// More lines than this of what a process said are not shown: the newest count.
const STDERR_LINES: usize = 40;
const STDERR_CHARS: usize = 500;

/// What there is to say about the process of a feed or stream.
pub(super) struct Details<'a> {
    /// The id of the element that opens, so that it stays open when the page refreshes.
    pub(super) id: &'a str,
    /// The command line.
    pub(super) command: Option<&'a str>,
    /// What is read, where it is no command.
    pub(super) description: Option<(&'a str, &'a str)>,
    /// The process now.
    pub(super) pid: Option<u32>,
    /// How often it was begun again.
    pub(super) restarts: u64,
    /// How it ended last.
    pub(super) last_exit: Option<&'a LastExit>,
    /// The time that ages are counted to.
    pub(super) now: Moment,
}

impl Details<'_> {
    /// Writes a row that spans `columns`, if there is anything to say.
    pub(super) fn write(&self, out: &mut String, columns: usize) -> fmt::Result {
        let opens = self.command.is_some() || self.last_exit.is_some();
        if !opens && self.description.is_none() && self.restarts == 0 && self.pid.is_none() {
            return Ok(());
        }
        write!(out, "<tr class=more><td colspan={columns}>")?;
        if opens {
            write!(out, "<details id=\"{}\"><summary>", self.id)?;
            self.write_line(out)?;
            out.push_str("</summary><div class=inside>");
            self.write_inside(out)?;
            out.push_str("</div></details>\n");
        } else {
            out.push_str("<div class=line>");
            self.write_line(out)?;
            out.push_str("</div>\n");
        }
        Ok(())
    }

    fn write_line(&self, out: &mut String) -> fmt::Result {
        if let Some(pid) = self.pid {
            write!(out, "<span class=fact>pid {pid}</span>")?;
        }
        if self.restarts > 0 {
            write!(out, "<span class=fact>{}</span>", counted(self.restarts, "restart"))?;
        }
        if let Some(exit) = self.last_exit {
            write!(out, "<span class=\"fact bad\">{}</span>", short(&exit.reason, 160))?;
            if exit.at != Moment::default() {
                write!(out, "<span class=fact>{} ago</span>", elapsed(exit.at, self.now))?;
            }
        }
        if let Some((kind, what)) = self.description {
            write!(out, "{kind} <code>{}</code>", short(what, 300))?;
        }
        if let Some(command) = self.command {
            write!(out, "<code>{}</code>", short(command, 160))?;
        }
        Ok(())
    }

    fn write_inside(&self, out: &mut String) -> fmt::Result {
        if let Some(command) = self.command {
            write!(out, "<h3>Command</h3><pre tabindex=0>{}</pre>", text(command))?;
        }
        let Some(exit) = self.last_exit else { return Ok(()) };
        write!(out, "<h3>Last end: {}", short(&exit.reason, 400))?;
        if let Some(code) = exit.code {
            write!(out, ", code {code}")?;
        }
        if let Some(signal) = exit.signal {
            write!(out, ", signal {signal}")?;
        }
        if exit.at != Moment::default() {
            write!(out, ", {}", exit.at.for_people())?;
        }
        out.push_str("</h3>");
        let skipped = exit.stderr.len().saturating_sub(STDERR_LINES);
        if exit.stderr.is_empty() {
            out.push_str("<p>It said nothing on stderr.</p>");
            return Ok(());
        }
        out.push_str("<pre tabindex=0 aria-label=\"Last lines of stderr\">");
        for (at, line) in exit.stderr.iter().skip(skipped).enumerate() {
            if at > 0 {
                out.push('\n');
            }
            write!(out, "{}", short(line, STDERR_CHARS))?;
        }
        out.push_str("</pre>");
        Ok(())
    }
}
