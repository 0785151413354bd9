//! Small things that several parts of the page show alike.

use std::fmt::{self, Write};

use super::href;
use super::text::{short, text};
use super::units;
use crate::model::{Moment, State, Track, TrackKind};

/// Where names are only mentioned, they are cut here, in characters.
pub(super) const NAME_CHARS: usize = 120;

/// What a state looks like: always the word, a colour and a sign beside it.
pub(super) fn state(state: State) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let class = match state {
            State::Idle => "idle",
            State::Starting => "starting",
            State::Running => "running",
            State::Silent => "silent",
            State::Backoff => "backoff",
            State::Failed => "failed",
        };
        write!(f, "<span class=\"st {class}\">{}</span>", state.name())
    })
}

/// How long ago `then` was, with the time itself for those who point at it. Nothing if it is not known.
pub(super) fn elapsed(then: Moment, now: Moment) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        if then == Moment::default() {
            return Ok(());
        }
        write!(f, "<span title=\"{}\">{}</span>", then.for_people(), units::span(now.seconds_since(then)))
    })
}

/// A cell with a number, in words for those who see the row as a card. What is zero steps back.
pub(super) fn number(label: &str, amount: u64, shown: impl fmt::Display) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let zero = if amount == 0 { " zero" } else { "" };
        write!(f, "<td class=\"n{zero}\" data-l=\"{label}\">{shown}")
    })
}

/// Container and codecs, or nothing while they are not known.
pub(super) fn media(out: &mut String, container: Option<&str>, tracks: &[Track]) -> fmt::Result {
    out.push_str("<td class=m>");
    if let Some(container) = container {
        write!(out, "{}", short(container, NAME_CHARS))?;
    }
    if !tracks.is_empty() {
        out.push_str("<span class=sub>");
        for (at, track) in tracks.iter().take(16).enumerate() {
            let between = if at == 0 { "" } else { ", " };
            let what = if track.kind == TrackKind::Other { "other: " } else { "" };
            write!(out, "{between}{what}{}", short(&track.codec, 40))?;
        }
        if tracks.len() > 16 {
            write!(out, " and {} more", tracks.len() - 16)?;
        }
        out.push_str("</span>");
    }
    Ok(())
}

/// A link to a part of this page.
pub(super) fn to_part(prefix: &str, name: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        write!(f, "<a href=\"#{prefix}-{}\">{}</a>", href::anchor(name), short(name, NAME_CHARS))
    })
}

/// A link, or only its label if it leads nowhere that a page may lead.
pub(super) fn link(to: Option<href::Encoded<'_>>, label: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| match to {
        Some(to) => write!(f, "<a href=\"{to}\">{}</a>", text(label)),
        None => write!(f, "{}", text(label)),
    })
}

/// `1 stream`, `2 streams`.
pub(super) fn counted(number: u64, noun: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let plural = if number == 1 { "" } else { "s" };
        write!(f, "{} {noun}{plural}", units::count(number))
    })
}
