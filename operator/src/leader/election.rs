//! Who leads: the state machine. Pure: its clock and what the API server says are given to it.
//!
//! # What it rests on
//! - The API server takes a write only where the record still is the one that was read (`resourceVersion`).
//! - All clocks run equally fast; what they show does not matter. No times of the record are read: the time for which
//!   it stays the same counts from when this candidate first saw it.
//! - The leader does nothing after [`Timing::deadline`] since it began to ask for its last successful write, which is
//!   less than [`Timing::lease`], for which all others wait.
//!
//! So the write by which another takes over comes after `lease` since that candidate saw the leader's last write, and
//! the leader has stopped by then. To make a record that is not there gives nothing: it may have been deleted under a
//! leader. Who made it waits for `lease` like everybody else, and then takes over from itself.

use std::time::Duration;

/// A time by this candidate's own clock.
pub type Time = Duration;

/// How long what takes.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long others wait for a silent leader.
    pub lease: Duration,
    /// How long a leader leads on without a successful renewal.
    pub deadline: Duration,
    /// How often it renews, and others look.
    pub retry: Duration,
    /// Who has not answered for so long is asked once more, over another connection.
    pub patience: Duration,
}

/// Takeover within 2 s after a leader died: with it the 3 s in which a feed fails over can be held when its pod and
/// the leader die together. The API counts leases in whole seconds. A renewal that hangs is joined by two more before the deadline, with
/// half a second left for the last: an API server that has more to do than it can is slow to answer.
pub const TIMING: Timing = Timing {
    lease: Duration::from_secs(2),
    deadline: Duration::from_millis(1700),
    retry: Duration::from_millis(400),
    patience: Duration::from_millis(400),
};

/// What stands in the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who leads; nobody after a release.
    pub holder: Option<String>,
    /// For how long, where it says so.
    pub lease: Option<Duration>,
    /// How often the leader has changed.
    pub transitions: i32,
    /// The API server's count of changes.
    pub version: String,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the record.
    Read,
    /// Make the record.
    Create,
    /// Write the record over the one of this version.
    Write {
        /// The version that it must still have.
        version: String,
        /// `leaseTransitions`.
        transitions: i32,
        /// Whether this takes over; else it renews.
        takes: bool,
    },
    /// Nothing for so long, unless the record changes.
    Wait(Duration),
    /// It leads no more: the process must end.
    Lost,
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Election {
    me: String,
    timing: Timing,
    known: Known,
    /// Until when it leads.
    leads_until: Option<Time>,
    renew_at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Absent,
    Record { record: Record, since: Time },
}

impl Election {
    /// A candidate; no other one may ever have the same name.
    pub fn new(me: impl Into<String>, timing: Timing) -> Self {
        Self { me: me.into(), timing, known: Known::Nothing, leads_until: None, renew_at: Time::ZERO }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.me
    }

    /// Its times.
    pub const fn timing(&self) -> Timing {
        self.timing
    }

    /// Until when it leads, if it does.
    pub const fn leads_until(&self) -> Option<Time> {
        self.leads_until
    }

    /// Whether it leads.
    pub fn leads(&self, now: Time) -> bool {
        self.leads_until.is_some_and(|until| now < until)
    }

    /// Who leads, as far as it knows.
    pub fn leader(&self) -> Option<&str> {
        self.record().and_then(|record| record.holder.as_deref())
    }

    /// The record's version, if there is one.
    pub fn version(&self) -> Option<&str> {
        self.record().map(|record| record.version.as_str())
    }

    /// The record's count of leaders.
    pub fn transitions(&self) -> i32 {
        self.record().map_or(0, |record| record.transitions)
    }

    fn record(&self) -> Option<&Record> {
        match &self.known {
            Known::Record { record, .. } => Some(record),
            Known::Nothing | Known::Absent => None,
        }
    }

    /// What to do at this time.
    pub fn next(&self, now: Time) -> Step {
        if self.leads_until.is_some() && !self.leads(now) {
            return Step::Lost;
        }
        let (record, since) = match &self.known {
            Known::Nothing => return Step::Read,
            Known::Absent if self.leads_until.is_some() => return Step::Lost,
            Known::Absent => return Step::Create,
            Known::Record { record, since } => (record, *since),
        };
        let (version, transitions) = (record.version.clone(), record.transitions);
        let mine = record.holder.as_deref() == Some(&self.me);
        if self.leads_until.is_some() {
            if !mine {
                return Step::Lost;
            }
            let renew = Step::Write { version, transitions, takes: false };
            return wait(self.renew_at, now).unwrap_or(renew);
        }
        // Its own name without leading: it made the record, or a write that seemed to fail had come through.
        let free_at = match &record.holder {
            Some(_) => since + record.lease.unwrap_or(self.timing.lease).max(self.timing.lease),
            None => now,
        };
        let take = Step::Write { version, transitions: transitions.saturating_add(1), takes: true };
        wait(free_at, now).unwrap_or(take)
    }

    /// The record was read, or made, or a watch told it; nothing where there is none.
    pub fn saw(&mut self, now: Time, record: Option<Record>) {
        self.known = match record {
            None => Known::Absent,
            Some(record) => match &self.known {
                Known::Record { record: old, since } if old.version == record.version => {
                    Known::Record { since: *since, record }
                }
                _ => Known::Record { record, since: now },
            },
        };
    }

    /// A write that it began to ask for at `asked` has come through.
    pub fn wrote(&mut self, asked: Time, now: Time, record: Record) {
        self.known = Known::Record { record, since: now };
        self.leads_until = Some(asked + self.timing.deadline);
        self.renew_at = asked + self.timing.retry;
    }

    /// A write was refused, since the record has changed, or a watch has ended.
    pub fn unsure(&mut self) {
        self.known = Known::Nothing;
    }

    /// A write failed, and it is not known whether it came through.
    pub fn failed(&mut self, now: Time) {
        self.known = Known::Nothing;
        self.renew_at = now;
    }
}

fn wait(until: Time, now: Time) -> Option<Step> {
    until.checked_sub(now).filter(|wait| !wait.is_zero()).map(Step::Wait)
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
