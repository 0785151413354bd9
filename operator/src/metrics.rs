//! What the operator does, in numbers. No label takes a value from what people write.

use std::time::Duration;

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

use crate::api::ErrorClass;

/// All figures.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: IntCounterVec,
    duration: HistogramVec,
    waited: Histogram,
    errors: IntCounterVec,
    requests: IntCounterVec,
    applied: IntCounterVec,
    deleted: IntCounterVec,
    events: IntCounterVec,
    pushed: IntCounterVec,
    /// Clusters whose change waits.
    pub depth: IntGauge,
    /// 1 while this replica leads.
    pub leader: IntGauge,
    /// Media pods that are connected to this replica.
    pub connected: IntGauge,
    /// Clusters that are known.
    pub clusters: IntGauge,
    failovers: IntCounterVec,
    failover: Histogram,
    /// Leases that count.
    pub leases: IntGauge,
    /// Server pods that are not heard.
    pub silent: IntGauge,
    /// Server pods that are being emptied.
    pub draining: IntGauge,
}

/// How a look at a Cluster ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There was nothing to do.
    Unchanged,
    /// Something was done.
    Changed,
    /// Something failed that may pass.
    Failed,
    /// Something was refused that only an edit can mend.
    Refused,
    /// Nothing of it is left.
    Gone,
}

impl Ended {
    const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

const FAST: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Metrics {
    /// All of them, at zero.
    ///
    /// # Errors
    /// Where two have one name, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(format!("millrace_operator_{name}"), help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("millrace_operator_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let options = |name: &str, help: &str| {
            HistogramOpts::new(format!("millrace_operator_{name}"), help).buckets(FAST.to_vec())
        };
        let duration = HistogramVec::new(
            options("reconcile_duration_seconds", "Time of one look at a Cluster, by step."),
            &["step"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        let waited = Histogram::with_opts(options(
            "queue_latency_seconds",
            "Time from a change to the look at its Cluster.",
        ))?;
        registry.register(Box::new(waited.clone()))?;
        let bare = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("millrace_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let failovers = IntCounterVec::new(
            Opts::new("millrace_failovers_total", "Changes of the owner of a Feed, by cause."),
            &["cause"],
        )?;
        registry.register(Box::new(failovers.clone()))?;
        let failover = Histogram::with_opts(
            HistogramOpts::new(
                "millrace_failover_seconds",
                "Time from when the owner of a Feed was heard last to the grant of the next one.",
            )
            .buckets(FAST.to_vec()),
        )?;
        registry.register(Box::new(failover.clone()))?;
        Ok(Self {
            failovers,
            failover,
            leases: bare("leases", "Leases of Feeds and Streams that count.")?,
            silent: bare("silent_pods", "Server pods that are not heard.")?,
            draining: bare("draining_pods", "Server pods that are being emptied.")?,
            reconciles: counter("reconciles_total", "Looks at Clusters, by how they ended.", &["outcome"])?,
            errors: counter("errors_total", "What went wrong, by class.", &["class"])?,
            requests: counter(
                "api_requests_total",
                "Requests to the API server, by verb, resource and class of answer.",
                &["verb", "resource", "code"],
            )?,
            applied: counter("objects_applied_total", "Objects applied, by kind.", &["kind"])?,
            deleted: counter("objects_deleted_total", "Objects deleted, by kind.", &["kind"])?,
            events: counter("events_total", "Events recorded, by reason.", &["reason"])?,
            pushed: counter("configurations_pushed_total", "Configurations sent to media pods.", &["what"])?,
            depth: gauge("queue_depth", "Clusters whose change waits to be looked at.")?,
            leader: gauge("leader", "1 while this replica leads.")?,
            connected: gauge("connected_media_pods", "Media pods connected to this replica.")?,
            clusters: gauge("clusters", "Clusters that are known.")?,
            duration,
            waited,
            registry,
        })
    }

    /// A look at a Cluster ended.
    pub fn reconciled(&self, ended: Ended, took: Duration) {
        self.reconciles.with_label_values(&[ended.name()]).inc();
        self.step("all", took);
    }

    /// A step of it ended.
    pub fn step(&self, step: &'static str, took: Duration) {
        self.duration.with_label_values(&[step]).observe(took.as_secs_f64());
    }

    /// A change had waited for so long.
    pub fn waited(&self, waited: Duration) {
        self.waited.observe(waited.as_secs_f64());
    }

    /// Something went wrong.
    pub fn error(&self, class: ErrorClass) {
        self.errors.with_label_values(&[class.name()]).inc();
    }

    /// The API server answered a request.
    pub fn request(&self, verb: &'static str, resource: &'static str, code: &'static str) {
        self.requests.with_label_values(&[verb, resource, code]).inc();
    }

    /// An object was applied.
    pub fn applied(&self, kind: &'static str) {
        self.applied.with_label_values(&[kind]).inc();
    }

    /// An object was deleted.
    pub fn deleted(&self, kind: &'static str) {
        self.deleted.with_label_values(&[kind]).inc();
    }

    /// An Event was recorded.
    pub fn event(&self, reason: &'static str) {
        self.events.with_label_values(&[reason]).inc();
    }

    /// A configuration or directory was sent.
    pub fn pushed(&self, what: &'static str) {
        self.pushed.with_label_values(&[what]).inc();
    }

    /// A Feed has another owner, for a cause; and how long after the one before was heard last.
    pub fn failed_over(&self, cause: &'static str, took: Option<Duration>) {
        self.failovers.with_label_values(&[cause]).inc();
        if let Some(took) = took {
            self.failover.observe(took.as_secs_f64());
        }
    }

    /// As Prometheus reads it.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing to memory fails only where a figure has no name.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, process::Stdio};

    use super::*;

    #[test]
    fn prometheus_finds_nothing_to_complain_about() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled(Ended::Changed, Duration::from_millis(3));
        metrics.waited(Duration::from_millis(50));
        metrics.error(ErrorClass::Conflict);
        metrics.request("patch", "pods", "2xx");
        metrics.applied("Pod");
        metrics.deleted("Pod");
        metrics.event("Running");
        metrics.pushed("configuration");
        let text = metrics.text();
        let child = std::process::Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else { return eprintln!("promtool is not installed: not checked") };
        child.stdin.take().unwrap().write_all(&text).unwrap();
        let said = child.wait_with_output().unwrap();
        assert!(said.status.success(), "{said:?}");
    }
}
