//! How a process ended last.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use millrace_crds::shared::LastExit;
use millrace_report::message::Exit;

/// A process that ends again and again the same way is told of once in this time.
const QUIET: Duration = Duration::from_mins(1);

/// The exit as it is written; the one before where nothing new is to be said.
pub fn last(old: Option<&LastExit>, exit: Option<&Exit>) -> Option<LastExit> {
    let Some(exit) = exit else { return old.cloned() };
    let at = Timestamp::from_millisecond(exit.at).ok().map(super::conditions::seconds);
    let new = LastExit {
        code: exit.code,
        signal: exit.signal,
        at: at.map(Time),
        stderr: (!exit.stderr.is_empty()).then(|| tail(&exit.stderr)),
    };
    match old {
        Some(old) if same(old, &new) => Some(old.clone()),
        _ => Some(new),
    }
}

fn same(old: &LastExit, new: &LastExit) -> bool {
    let soon = match (&old.at, &new.at) {
        (Some(old), Some(new)) => {
            Duration::try_from(new.0.duration_since(old.0)).is_ok_and(|time| time < QUIET)
        }
        (old, new) => old == new,
    };
    old.code == new.code && old.signal == new.signal && soon
}

/// The end of a text: what the schema admits of it.
fn tail(text: &str) -> String {
    let count = text.chars().count();
    text.chars().skip(count.saturating_sub(4096)).collect()
}
