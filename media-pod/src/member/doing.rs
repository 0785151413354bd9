//! What a feed or stream does, as the operator is told. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

use millrace_report::message::{self, Doing};

use crate::state::{Condition, LastExit, State};

/// The most of stderr that is told, in bytes.
const MOST: usize = 4096;

/// Of a feed or stream in this condition.
pub(super) fn doing(condition: Condition, gop_too_long: bool) -> Doing {
    Doing {
        state: match condition.state {
            State::Idle => message::State::Idle,
            State::Starting => message::State::Starting,
            State::Running => message::State::Running,
            State::Silent => message::State::Silent,
            State::Backoff => message::State::Backoff,
            State::Failed => message::State::Failed,
        },
        since: millis(condition.since),
        restarts: condition.restarts,
        last_exit: condition.last_exit.map(exit),
        fallback: condition.fallback,
        gop_too_long,
    }
}

fn exit(exit: LastExit) -> message::Exit {
    let LastExit { code, signal, at, reason, stderr } = exit;
    message::Exit { code, signal, at: millis(at), reason, stderr: last(&stderr) }
}

/// As many of the last lines as fit; of the last one at least its end.
fn last(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    let mut from = text.len().saturating_sub(MOST);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    if from > 0 {
        text = text.split_off(from);
        if let Some((_, whole)) = text.split_once('\n') {
            text = whole.to_owned();
        }
    }
    text
}

fn millis(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_told_whole() {
        let lines: Vec<_> = (0..40).map(|number| format!("{number} {}", "ü".repeat(200))).collect();
        let told = last(&lines);
        assert!(told.len() <= MOST && told.len() > MOST - 500, "{}", told.len());
        assert!(told.lines().all(|line| lines.iter().any(|whole| whole == line)), "{told}");
        assert!(told.ends_with(lines.last().unwrap()));
        assert_eq!(last(&["x".repeat(5000)]).len(), MOST);
        assert_eq!(last(&["one".to_owned(), "two".to_owned()]), "one\ntwo");
    }
}
