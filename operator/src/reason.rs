//! Why: the one table of reasons, for conditions, events and metrics. `docs/reasons.md` says what to do about each.

/// Why something is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// All is well, and media flow.
    Running,
}

impl Reason {
    /// As in conditions, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
        }
    }

    /// Whether an Event of it is a warning.
    pub const fn is_warning(self) -> bool {
        match self {
            Self::Running => false,
        }
    }
}
