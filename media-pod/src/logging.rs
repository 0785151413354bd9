//! The log: one line per event, each beginning with its time, in the format the specification asks for.

pub mod mask;

use std::{
    backtrace::Backtrace,
    fmt::{self, Write as _},
    io::IsTerminal as _,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `2026-02-14 12:34:56.789 INFO viewer joined peer=… path=…`
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Begins to log to standard error; `filter` as in `RUST_LOG`. The first line names program and version.
pub fn start(format: Format, filter: &str) -> Result<(), String> {
    let filter = understand(filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let started = match format {
        Format::Text => {
            let builder = builder.with_writer(std::io::stderr);
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder.event_format(Lines { colour }).try_init()
        }
        Format::Json => {
            let builder = builder.with_writer(|| mask::Masked(std::io::stderr()));
            builder.json().flatten_event(true).with_timer(Time).try_init()
        }
    };
    started.map_err(|e| e.to_string())?;
    banner(format);
    log_panics();
    Ok(())
}

/// A bare word that is no level would be taken for a module, and nothing else would be logged.
fn understand(filter: &str) -> Result<EnvFilter, String> {
    let wrong = |e: &dyn fmt::Display| {
        format!(
            "--log-level {filter}: {e}; a level is `error`, `warn`, `info`, `debug`, `trace` or `off`, \
             and MODULE=LEVEL that of a module"
        )
    };
    for directive in filter.split(',') {
        let level = directive.rsplit('=').next().unwrap_or_default();
        level.parse::<LevelFilter>().ok().filter(|_| !level.is_empty()).ok_or_else(|| wrong(&"no level"))?;
    }
    EnvFilter::try_new(filter).map_err(|e| wrong(&e))
}

/// Says why the program ends, whatever the filter.
pub fn last_words(format: Format, why: &str) {
    for line in mask::text(why).lines().map(one_line) {
        let now = now();
        match format {
            Format::Text => eprintln!("{now} ERROR {line}"),
            Format::Json => {
                eprintln!("{}", serde_json::json!({"timestamp": now, "level": "ERROR", "message": line}));
            }
        }
    }
}

/// The name of the program.
pub const NAME: &str = "media-pod";
/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first line identifies the log, whatever the filter.
fn banner(format: Format) {
    let now = now();
    match format {
        Format::Text => eprintln!("{now} {NAME} {VERSION}"),
        Format::Json => eprintln!(r#"{{"timestamp":"{now}","level":"INFO","message":"{NAME} {VERSION}"}}"#),
    }
}

/// Local time in the specification's format.
fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// What cannot be handled is logged with where it happened, line by line, so that each has its time.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        for line in panic_lines(&panic.to_string(), &Backtrace::force_capture().to_string()) {
            tracing::error!("{line}");
        }
    }));
}

fn panic_lines(panic: &str, stack: &str) -> Vec<String> {
    let first = format!("panic: {}", panic.lines().collect::<Vec<_>>().join(" "));
    std::iter::once(first).chain(stack.lines().map(|line| format!("  {}", line.trim_end()))).collect()
}

struct Time;

impl tracing_subscriber::fmt::time::FormatTime for Time {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        w.write_str(&now())
    }
}

struct Lines {
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut w: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        tracing_subscriber::fmt::time::FormatTime::format_time(&Time, &mut w)?;
        w.write_char(' ')?;
        let level = *event.metadata().level();
        if self.colour {
            write!(w, "\u{1b}[{}m{level}\u{1b}[0m ", colour(level))?;
        } else {
            write!(w, "{level} ")?;
        }
        let mut line = Line::default();
        event.record(&mut line);
        writeln!(w, "{}{}", line.message, line.fields)
    }
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 34,
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

impl Line {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let text = one_line(&mask::text(&value.to_string()));
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{text}")
        } else if !quoted(&text) && (text.is_empty() || text.contains([' ', '"'])) {
            write!(self.fields, " {}={text:?}", field.name())
        } else {
            write!(self.fields, " {}={text}", field.name())
        };
    }
}

fn quoted(text: &str) -> bool {
    text.len() > 1 && text.starts_with('"') && text.ends_with('"')
}

/// A line that could be forged by its content would be no log.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for right in ["info", "DEBUG", "off", "warn,millrace_bus=trace", "info,hyper=off"] {
            assert!(super::understand(right).is_ok(), "{right}");
        }
        for wrong in ["loud", "", "info,x=", "info,hyper", "x=loud"] {
            assert!(super::understand(wrong).is_err(), "{wrong}");
        }
    }

    use super::*;

    #[test]
    fn a_panic_is_logged_with_its_stack_line_by_line() {
        let panic = std::panic::catch_unwind(|| panic!("first\nsecond")).unwrap_err();
        let said = panic.downcast_ref::<&str>().unwrap();
        let lines = panic_lines(said, &Backtrace::force_capture().to_string());
        assert_eq!(lines[0], "panic: first second");
        assert!(lines.iter().any(|line| line.contains("a_panic_is_logged")), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\n')));
    }

    #[test]
    fn no_value_can_begin_a_line_of_its_own() {
        assert_eq!(super::one_line("a\n2026-01-01 forged\x1b[31m"), "a\u{fffd}2026-01-01 forged\u{fffd}[31m");
    }
}
