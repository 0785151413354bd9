//! What is said of those who cannot run as they are written.

use millrace_crds::{Step, resolve::Fault};

use super::{forms::Forms, secrets};
use crate::{
    reason::{Reason, Why},
    view::View,
};

/// The most characters of a message.
const LONGEST: usize = 1024;

/// One reason and one message for all that is wrong with one object.
pub fn classify<'a>(view: &View, forms: &Forms, faults: impl Iterator<Item = &'a Fault>) -> Why {
    let mut reason = None;
    let mut lines: Vec<String> = Vec::new();
    for fault in faults {
        let (why, line) = one(view, forms, fault);
        reason.get_or_insert(why);
        lines.push(line);
    }
    let message: String = lines.join("; ").chars().take(LONGEST).collect();
    Why::new(reason.unwrap_or(Reason::Invalid), message)
}

fn one(view: &View, forms: &Forms, fault: &Fault) -> (Reason, String) {
    let shown = match &fault.help {
        Some(help) => format!("{}: {} ({help})", fault.field, fault.message),
        None => format!("{}: {}", fault.field, fault.message),
    };
    let keys: Vec<&str> = fault.field.0.iter().filter_map(key).collect();
    if keys.iter().any(|key| matches!(*key, "secretRef" | "secretKeyRef" | "secretName")) {
        let missing = named(forms, fault).into_iter().find(|name| !view.secrets.contains_key(name));
        return match missing {
            Some(name) if fault.message.contains(&name) => (
                Reason::SecretNotFound,
                format!("{}: there is no Secret {name} (create it in this namespace)", fault.field),
            ),
            _ => (Reason::SecretInvalid, shown),
        };
    }
    if keys.as_slice() == ["spec", "feeds"]
        && let Some(name) = feed_named(forms, fault)
        && !forms.feeds.contains_key(&name)
    {
        let there = forms.feed_uids.contains_key(&name)
            || view.unreadable.iter().any(|it| it.kind == "Feed" && it.name == name);
        return if there {
            (
                Reason::FeedInvalid,
                format!("{}: the Feed {name} cannot run: its Ready condition says why", fault.field),
            )
        } else {
            (Reason::FeedNotFound, shown)
        };
    }
    if keys.ends_with(&["template", "name"]) {
        return (Reason::TemplateNotFound, shown);
    }
    (Reason::Invalid, shown)
}

fn key(step: &Step) -> Option<&str> {
    match step {
        Step::Key(key) => Some(key),
        Step::Index(_) => None,
    }
}

/// The Secrets that the object at fault names.
fn named(forms: &Forms, fault: &Fault) -> std::collections::BTreeSet<String> {
    match fault.kind {
        "Feed" => forms.feeds.get(&fault.name).map(|one| secrets::named_by(&one.spec)),
        "Stream" => forms.streams.get(&fault.name).map(|one| secrets::named_by(&one.spec)),
        _ => forms.written_cluster().map(secrets::named_by),
    }
    .unwrap_or_default()
}

fn feed_named(forms: &Forms, fault: &Fault) -> Option<String> {
    let Some(Step::Index(place)) = fault.field.0.last() else { return None };
    forms.streams.get(&fault.name)?.spec.feeds.get(*place).cloned()
}

/// A fallback that is not there.
pub fn fallback_missing(name: &str, there: bool) -> Why {
    let message = if there {
        format!("spec.fallback: the Feed {name} cannot run: its Ready condition says why")
    } else {
        format!("spec.fallback: there is no Feed {name}; it is left out")
    };
    Why::new(Reason::FallbackNotFound, message)
}

/// Fallbacks that go round.
pub fn ring(ring: &[String]) -> Why {
    let shown: Vec<&str> = ring.iter().take(20).chain(ring.first()).map(String::as_str).collect();
    let message = format!(
        "spec.fallback: the fallbacks go round: {}; this one's are left out (the last resort needs no fallback)",
        shown.join(" -> ")
    );
    Why::new(Reason::Invalid, message)
}
