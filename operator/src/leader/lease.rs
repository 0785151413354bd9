//! The Lease that says who leads. It has a thread of its own: no work of others may keep it from renewing.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams, WatchEvent, WatchParams},
};
use tokio::{sync::watch, time};
use tracing::{debug, error, info, warn};

use super::{
    Term,
    election::{Election, Record, Step, TIMING, Time},
    lines::{Answer, Lines},
};

/// How often a candidate that is told nothing looks by itself.
const LOOK: Duration = Duration::from_mins(5);
const REQUEST: Duration = Duration::from_secs(1);

/// What a candidate needs.
pub struct Candidacy {
    /// Connections of its own.
    pub lines: Lines,
    /// The operator's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub lease: String,
    /// This process; no other one may ever have this name.
    pub name: String,
    /// What is told the others in the process.
    pub term: Arc<Term>,
    /// Turns true when the process is to end: what was held is released.
    pub stop: watch::Receiver<bool>,
}

/// How a candidacy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to stop.
    Stopped,
    /// It does not lead any more: the process must end at once.
    Lost,
}

/// Runs until it is told to stop, or has led and leads no more.
pub async fn run(mut candidacy: Candidacy) -> End {
    let election = Election::new(candidacy.name.clone(), TIMING);
    let mut stop = candidacy.stop.clone();
    let mut running = Running { election, candidacy: &mut candidacy, told: None, acquired: None };
    let end = tokio::select! {
        () = running.lead() => End::Lost,
        _ = stop.wait_for(|stop| *stop) => End::Stopped,
    };
    match end {
        End::Stopped => running.release().await,
        End::Lost => {
            error!("leads no more: the Lease was not renewed in time, or another has it; the process ends");
        }
    }
    candidacy.term.prolong(None);
    end
}

struct Running<'a> {
    election: Election,
    candidacy: &'a mut Candidacy,
    /// The leader whose name was logged last.
    told: Option<String>,
    acquired: Option<MicroTime>,
}

impl Running<'_> {
    async fn lead(&mut self) {
        loop {
            let now = self.now();
            match self.election.next(now) {
                Step::Lost => return,
                Step::Wait(wait) if self.election.leads(now) => time::sleep(wait).await,
                Step::Wait(wait) => self.follow(wait).await,
                Step::Read => self.read().await,
                Step::Create => self.write(None, 0, true).await,
                Step::Write { version, transitions, takes } => {
                    self.write(Some(version), transitions, takes).await;
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.candidacy.term.now()
    }

    /// Nothing is waited for longer than what is led.
    fn limit(&self) -> Duration {
        let left = self.election.leads_until().map(|until| until.saturating_sub(self.now()));
        left.map_or(REQUEST, |left| left.min(REQUEST))
    }

    /// Asks whoever answers.
    async fn ask<T, F: Future<Output = kube::Result<T>>>(
        &mut self,
        request: impl Fn(Api<Lease>, String) -> F,
    ) -> Result<Answer<T>, String> {
        let limit = self.limit();
        let Candidacy { lines, namespace, lease, term, .. } = &mut *self.candidacy;
        let request = |client: Client| request(Api::namespaced(client, namespace), lease.clone());
        lines.ask((limit, TIMING.patience), || term.now(), request).await
    }

    async fn read(&mut self) {
        match self.ask(async |api, name| api.get_opt(&name).await).await {
            Ok(Answer { said: Ok(lease), .. }) => self.saw(lease.map(|lease| record(&lease))),
            Ok(Answer { said: Err(error), .. }) => {
                self.rest(&format!("the Lease cannot be read: {error}")).await;
            }
            Err(why) => self.rest(&format!("the Lease cannot be read: {why}")).await,
        }
    }

    fn saw(&mut self, record: Option<Record>) {
        self.election.saw(self.now(), record);
        let leader = self.election.leader().map(str::to_owned);
        let other = leader.filter(|leader| leader != self.election.name());
        if let Some(leader) = other.filter(|leader| self.told.as_ref() != Some(leader)) {
            info!(leader, "leads");
            self.told = Some(leader);
        }
    }

    async fn write(&mut self, version: Option<String>, transitions: i32, takes: bool) {
        if takes {
            self.acquired = Some(MicroTime(Timestamp::now()));
        }
        let lease = self.lease(version, transitions, Some(self.election.name().to_owned()));
        let makes = lease.metadata.resource_version.is_none();
        match self.ask(|api, name| put(api, name, lease.clone())).await {
            Ok(Answer { said: Ok(made), .. }) if makes => self.saw(Some(record(&made))),
            Ok(Answer { said: Ok(written), asked }) => self.wrote(asked, &written, takes),
            // Perhaps by itself: one whose answer was given up may have come through.
            Ok(Answer { said: Err(error), .. }) => {
                debug!("the Lease is another by now: {error}");
                self.election.unsure();
            }
            Err(why) => self.failed(&why).await,
        }
    }

    fn wrote(&mut self, asked: Time, written: &Lease, takes: bool) {
        self.election.wrote(asked, self.now(), record(written));
        if takes {
            self.told = Some(self.election.name().to_owned());
            info!("leads from now on");
        }
        self.candidacy.term.prolong(self.election.leads_until());
    }

    async fn failed(&mut self, why: &str) {
        let now = self.now();
        self.election.failed(now);
        self.rest(&format!("the Lease cannot be written: {why}")).await;
    }

    async fn rest(&mut self, why: &str) {
        warn!("{why}");
        let retry = if self.election.leads(self.now()) { TIMING.retry / 4 } else { TIMING.retry };
        time::sleep(retry).await;
    }

    fn lease(&self, version: Option<String>, transitions: i32, holder: Option<String>) -> Lease {
        let now = MicroTime(Timestamp::now());
        Lease {
            metadata: ObjectMeta {
                name: Some(self.candidacy.lease.clone()),
                namespace: Some(self.candidacy.namespace.clone()),
                resource_version: version,
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.unwrap_or_default()),
                lease_duration_seconds: Some(TIMING.lease.as_secs() as i32),
                lease_transitions: Some(transitions),
                acquire_time: self.acquired.clone(),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Hears of changes until `wait` is over or the watch ends.
    async fn follow(&mut self, wait: Duration) {
        let until = time::Instant::now() + wait.min(LOOK);
        let Some(version) = self.version() else {
            // There is nothing to watch yet.
            time::sleep(wait.min(TIMING.retry)).await;
            return self.read().await;
        };
        let fields = format!("metadata.name={}", self.candidacy.lease);
        let watch = WatchParams::default().fields(&fields).timeout(290);
        let api: Api<Lease> = Api::namespaced(self.candidacy.lines.good(), &self.candidacy.namespace);
        let events = match time::timeout_at(until, api.watch(&watch, &version)).await {
            Ok(Ok(events)) => events,
            Ok(Err(error)) => {
                // Without a watch it looks as often as the leader renews.
                debug!("the Lease cannot be watched: {error}");
                time::sleep(wait.min(TIMING.retry)).await;
                return self.read().await;
            }
            Err(_) => return,
        };
        let mut events = std::pin::pin!(events);
        loop {
            let until = match self.election.next(self.now()) {
                Step::Wait(wait) => time::Instant::now() + wait,
                _ => return,
            };
            match time::timeout_at(until, events.next()).await {
                Err(_) => return,
                Ok(Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease)))) => {
                    self.saw(Some(record(&lease)));
                }
                Ok(Some(Ok(WatchEvent::Deleted(_)))) => return self.saw(None),
                Ok(Some(Ok(WatchEvent::Bookmark(_)))) => {}
                Ok(Some(Ok(WatchEvent::Error(_)) | Err(_)) | None) => {
                    time::sleep(TIMING.retry / 4).await;
                    return self.read().await;
                }
            }
        }
    }

    fn version(&self) -> Option<String> {
        self.election.version().map(str::to_owned)
    }

    async fn release(&mut self) {
        if !self.election.leads(self.now()) {
            return;
        }
        // From here on nobody in this process writes.
        self.candidacy.term.prolong(None);
        let lease = self.lease(self.version(), self.election.transitions(), None);
        let api = Api::namespaced(self.candidacy.lines.good(), &self.candidacy.namespace);
        let put = put(api, self.candidacy.lease.clone(), lease);
        match time::timeout(self.limit().min(TIMING.retry), put).await {
            Ok(Ok(_)) => info!("leads no more: the Lease is released"),
            Ok(Err(error)) => warn!("the Lease cannot be released, others take it when it is over: {error}"),
            Err(_) => warn!("the Lease cannot be released in time, others take it when it is over"),
        }
    }
}

/// Writes it over the version that it names, or makes it where it names none.
async fn put(api: Api<Lease>, name: String, lease: Lease) -> kube::Result<Lease> {
    match &lease.metadata.resource_version {
        None => api.create(&PostParams::default(), &lease).await,
        Some(_) => api.replace(&name, &PostParams::default(), &lease).await,
    }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|it| u64::try_from(it).ok());
    Record {
        holder: spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty()),
        lease: seconds.map(Duration::from_secs),
        transitions: spec.and_then(|spec| spec.lease_transitions).unwrap_or_default(),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
