//! The log: one line per event, as text or JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter,
    fmt::{format::Writer, time::FormatTime},
};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `2026-02-14 12:34:56.789 INFO leads from now on`
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Begins to log to standard error; `filter` as in `RUST_LOG`.
///
/// # Errors
/// Where the filter is none.
pub fn start(format: Format, filter: &str) -> anyhow::Result<()> {
    let wrong = |error: &dyn std::fmt::Display| {
        anyhow::anyhow!("--log-level {filter}: {error}; a level is error, warn, info, debug, trace or off")
    };
    // The client reports each failed request once more, without saying what it was for.
    let filter = EnvFilter::try_new(format!("kube_client=off,{filter}")).map_err(|error| wrong(&error))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(Time)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let started = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| wrong(&error))
}

struct Time;

impl FormatTime for Time {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.3f"))
    }
}
