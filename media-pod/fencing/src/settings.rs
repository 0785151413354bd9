//! Times and limits that operator, server pods and balancers share.

use std::time::Duration;

/// Times and limits. All of a Cluster use the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Between two heartbeats (`Cluster.spec.heartbeat.interval`).
    pub beat: Duration,
    /// Heartbeats that must be missed before silence is believed (`Cluster.spec.heartbeat.missed`).
    pub missed: u32,
    /// How long a pod does exclusive work after the last beat that somebody vouched for.
    pub tenure: Duration,
    /// How far from true any clock may run, in parts per million. Where clocks stand does not matter.
    pub drift: u32,
    /// After connections were closed by a pod itself: how long it may take to come back before it counts as gone;
    /// nothing to wait for missed beats in this case, too.
    pub reset_grace: Option<Duration>,
    /// Planned moves under way at one time.
    pub moves_at_once: usize,
    /// How long a planned move may take before it goes on as if its old owner had failed.
    pub move_deadline: Duration,
    /// Feeds failed over per second; a second's worth may come at once.
    pub failovers_per_second: u32,
    /// Between two requests for a new pod for the same feed.
    pub new_pod_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(1),
            missed: 3,
            tenure: Duration::from_secs(10),
            drift: 10_000,
            reset_grace: Some(Duration::from_millis(200)),
            moves_at_once: 4,
            move_deadline: Duration::from_secs(30),
            failovers_per_second: 50,
            new_pod_every: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// The silence that counts: so many missed beats.
    pub fn silence(&self) -> Duration {
        self.beat * self.missed
    }

    /// How long one waits until another's tenure is over for certain: both clocks may be off, each its own way.
    pub fn outlast(&self) -> Duration {
        let drift = self.drift.min(500_000);
        self.tenure.saturating_mul(1_000_000 + drift) / (1_000_000 - drift)
    }

    /// How long the leader's own Lease may last, so that a successor is there, and has listened for a beat, within
    /// the time in which silence is believed anyway. Renewed four times as often.
    pub fn leader_lease(&self) -> Duration {
        self.beat * self.missed.saturating_sub(1).max(1)
    }
}
