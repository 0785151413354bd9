//! Takes configurations, wherever they come from, one after the other; what is wrong changes nothing.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use millrace_crds::Resolved;

use super::{ConfigError, Report, Reports, Rule, Texts, for_server, warnings};
use crate::{logging::mask, plan::Plan, pod::Pod};

/// Told of each configuration that runs.
pub type Taken = Box<dyn Fn(&Resolved) + Send + Sync>;

/// See the module.
pub struct Taker {
    pod: Arc<Pod>,
    reports: Arc<Reports>,
    /// Whether only what has a higher revision is taken.
    member: bool,
    rule: Rule,
    /// The template of this pod, where it has one.
    template: Option<String>,
    taken: Taken,
    one_at_a_time: Mutex<()>,
}

impl Taker {
    /// For `pod`, which runs what `reports` says; a `member` takes only what has a higher revision than what it has
    /// looked at.
    pub fn new(pod: Arc<Pod>, reports: Arc<Reports>, member: bool, taken: Taken) -> Self {
        Self { pod, reports, member, rule: for_server, template: None, taken, one_at_a_time: Mutex::new(()) }
    }

    /// Takes nothing that is for pods of another template: what runs goes on until such a pod is there.
    #[must_use]
    pub fn only_for(self, template: Option<String>) -> Self {
        Self { template, ..self }
    }

    /// Takes nothing that is against `rule`.
    #[must_use]
    pub fn only_by(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// How it goes.
    pub fn reports(&self) -> &Arc<Reports> {
        &self.reports
    }

    /// Runs what `texts` say, if it is right; `from` says whose they are.
    pub fn take(&self, from: &str, texts: &Texts) {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let number = texts.number.filter(|_| self.member);
        if self.member && number.unwrap_or_default() <= self.reports.highest() {
            tracing::debug!(from, ?number, "not newer than what runs");
            return;
        }
        if self.template.as_ref().zip(texts.template.as_ref()).is_some_and(|(own, other)| own != other) {
            tracing::debug!(from, ?number, "for the pod that will replace this one");
            return;
        }
        match texts.understand_by(self.rule) {
            Ok(loaded) => {
                mask::learn(&loaded.resolved);
                for warning in warnings(&loaded) {
                    tracing::warn!("{warning}");
                }
                let plan = self.pod.apply(loaded.resolved);
                (self.taken)(&self.pod.resolved());
                let report = report(from, texts, self.member);
                tracing::info!(revision = %report.revision, changes = %describe(&plan), "configuration taken");
                self.reports.took(report, number);
            }
            Err(e) => self.refuse(from, number, &e),
        }
    }

    /// Says why what `from` gave is not taken.
    pub fn refuse(&self, from: &str, number: Option<u64>, why: &ConfigError) {
        if self.member && number.is_none() {
            // Its files are one of two ways; what cannot be read there comes by the other.
            tracing::debug!(from, error = %why, "nothing can be taken from here");
            return;
        }
        let diagnostics = why.lines();
        if !self.reports.refuse(number, &diagnostics) {
            return;
        }
        tracing::error!(file = %from, "the edit was refused, the configuration before it goes on");
        for diagnostic in &diagnostics {
            tracing::error!("{diagnostic}");
        }
    }
}

/// Of `texts` that run from now on.
pub fn report(from: &str, texts: &Texts, member: bool) -> Report {
    let number = texts.number.filter(|_| member);
    let revision = number.map_or_else(|| texts.hash(), |number| number.to_string());
    Report { from: from.to_owned(), revision, at: SystemTime::now() }
}

fn describe(plan: &Plan) -> String {
    let all = plan.feeds.iter().map(|(name, change)| format!("feed {name}: {change:?}"));
    let all: Vec<_> =
        all.chain(plan.streams.iter().map(|(name, change)| format!("stream {name}: {change:?}"))).collect();
    match all.len() {
        0 => "none of feeds and streams".to_owned(),
        1..=20 => all.join(", "),
        many => format!("{many} feeds and streams"),
    }
}
