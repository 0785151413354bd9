//! The status connections of media pods: what they report, and what they are told.

mod hub;
mod upstreams;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use millrace_report::{
    message::{Hello, Role},
    server::{Event, Options, Server, ServerError},
    tls::CertificateAndKey,
    token,
};
use tokio::{sync::mpsc, time};
use tracing::{debug, info};

use crate::{
    failover::{guards::Guards, hands::Real},
    key::ClusterKey,
    labels,
    leader::Term,
    metrics::Metrics,
    names,
    watch::{Stores, Touch},
};

pub(crate) use hub::replace;
pub use hub::{Heard, Wanted};
use hub::{Hub, ToTell};
pub use upstreams::Links;

/// How often it is looked for pods that have become silent.
const LOOK: Duration = Duration::from_millis(200);

/// What the link needs of the rest.
#[derive(Clone)]
pub struct Around {
    /// The pods there are.
    pub stores: Arc<Stores>,
    /// Whether this replica leads: only the leader tells pods what to do.
    pub term: Arc<Term>,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// Told of Clusters whose pods have something new.
    pub touch: Touch,
    /// Told of all that media pods say, for who judges who is alive.
    pub guards: Watchers,
}

/// Who judges who is alive: there when the rest has begun.
pub type Watchers = Arc<OnceLock<Arc<Guards<Real>>>>;

/// The status connections of this replica.
pub struct Link {
    server: Server,
    hub: Mutex<Hub>,
    around: Around,
    since: time::Instant,
}

impl Link {
    /// Listens. The task that goes with it is [`run`](Self::run).
    ///
    /// # Errors
    /// Where the address is taken, or the certificate none.
    pub async fn listen(
        options: Options,
        certificate: &CertificateAndKey,
        token_key: Vec<u8>,
        around: Around,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Event>), ServerError> {
        let stores = Arc::clone(&around.stores);
        let authenticate = move |hello: &Hello| {
            let token = token::slot_token(&token_key, &hello.namespace, &hello.slot);
            if !token::same(&hello.token, &token) {
                return Err(format!("the token is not that of slot {}/{}", hello.namespace, hello.slot));
            }
            plays_its_part(hello)?;
            is_who_it_says(hello, &stores)
        };
        let (server, events) = Server::start(options, certificate, authenticate).await?;
        let link = Self { server, hub: Mutex::default(), around, since: time::Instant::now() };
        Ok((Arc::new(link), events))
    }

    /// Takes what pods say, for ever.
    pub async fn run(&self, mut events: mpsc::Receiver<Event>) {
        let mut look = time::interval(LOOK);
        look.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                _ = look.tick() => {
                    let silent = self.hub().silent(time::Instant::now());
                    for (cluster, pod) in silent {
                        info!(%cluster, pod, "a media pod is silent");
                        self.touch(cluster);
                    }
                    let settled = self.hub().settled(time::Instant::now());
                    for cluster in settled {
                        self.touch(cluster);
                    }
                }
            }
        }
    }

    fn take(&self, event: Event) {
        let now = time::Instant::now();
        match event {
            Event::Joined { hello, connection } => {
                debug!(namespace = hello.namespace, pod = hello.pod, "a media pod is connected");
                let cluster = self.cluster_of(&hello);
                if let Some(guards) = self.around.guards.get() {
                    guards.joined(cluster.as_ref(), &hello, connection);
                }
                self.hub().joined(hello, cluster, now);
            }
            Event::Beat { uid, beat } => {
                if let Some(guards) = self.around.guards.get() {
                    let cluster = self.hub().cluster(&uid);
                    guards.beat(cluster.as_ref(), &uid, &beat);
                }
                let (news, cluster) = {
                    let mut hub = self.hub();
                    (hub.beat(&uid, beat, now), hub.cluster(&uid))
                };
                if let Some(cluster) = cluster.filter(|_| news) {
                    self.touch(cluster);
                }
                if news && self.around.term.leads() {
                    self.tell_one(&uid);
                }
            }
            Event::Gone { uid, by_peer } => {
                if let Some(guards) = self.around.guards.get() {
                    let cluster = self.hub().cluster(&uid);
                    guards.gone(cluster.as_ref(), &uid, by_peer);
                }
                let cluster = {
                    let mut hub = self.hub();
                    hub.gone(&uid)
                };
                if let Some(cluster) = cluster {
                    self.touch(cluster);
                }
            }
        }
        self.around.metrics.connected.set(self.hub().connected() as i64);
    }

    /// For how long media pods could have found this replica.
    pub fn listens_for(&self) -> Duration {
        self.since.elapsed()
    }

    /// The status connections themselves.
    pub fn server(&self) -> &Server {
        &self.server
    }

    fn touch(&self, cluster: ClusterKey) {
        (self.around.touch)(cluster);
    }

    /// By the pod's label, which it cannot choose; else by what it says.
    fn cluster_of(&self, hello: &Hello) -> Option<ClusterKey> {
        let pod = self.around.stores.pods.get(&hello.namespace, &hello.pod);
        let label = pod.and_then(|pod| pod.cluster().map(str::to_owned));
        let name = label.or_else(|| Some(hello.cluster.clone()).filter(|name| !name.is_empty()));
        name.map(|name| ClusterKey::new(&hello.namespace, name))
    }

    /// What a Cluster's pods reported that are not silent, by UID.
    pub fn heard(&self, cluster: &ClusterKey) -> Vec<(String, Heard)> {
        self.hub().heard(cluster, time::Instant::now())
    }

    /// After how long without a beat a Cluster's pods count as silent.
    pub fn patience(&self, cluster: &ClusterKey, patience: Duration) {
        self.hub().patience(cluster, patience);
    }

    /// What a Cluster's pods are to run: told those that run something older, now and when they come.
    pub fn want(&self, cluster: &ClusterKey, wanted: Wanted) {
        let uids = {
            let mut hub = self.hub();
            hub.want(cluster, wanted);
            hub.pods_of(cluster)
        };
        for uid in uids {
            self.tell_one(&uid);
        }
    }

    /// Nothing of a Cluster is left.
    pub fn forget(&self, cluster: &ClusterKey) {
        self.hub().forget(cluster);
    }

    fn tell_one(&self, uid: &str) {
        let ToTell { configuration, directory, members } = self.hub().to_tell(uid);
        if let Some(configuration) = configuration
            && self.server.configure(uid, configuration)
        {
            self.around.metrics.pushed("configuration");
        }
        if let Some(directory) = directory
            && self.server.direct(uid, directory)
        {
            self.around.metrics.pushed("directory");
        }
        if let Some(members) = members
            && self.server.introduce(uid, members)
        {
            self.around.metrics.pushed("members");
        }
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token proves the slot, and so whether it is a balancer: these are witnesses of others' life.
fn plays_its_part(hello: &Hello) -> Result<(), String> {
    if (hello.role == Role::Balancer) == names::is_balancers(&hello.slot) {
        return Ok(());
    }
    Err(format!("slot {}/{} is not that of a {:?}", hello.namespace, hello.slot, hello.role))
}

/// A pod that is known must be the one it says it is; one that was not seen yet is believed by its token.
fn is_who_it_says(hello: &Hello, stores: &Stores) -> Result<(), String> {
    let Some(Ok(pod)) = stores.pods.get(&hello.namespace, &hello.pod).map(|item| item.object) else {
        return Ok(());
    };
    let slot = pod.metadata.labels.as_ref().and_then(|labels| labels.get(labels::SLOT));
    let uid = pod.metadata.uid.as_deref();
    if slot.map(String::as_str) != Some(&hello.slot) || uid != Some(&hello.uid) {
        return Err(format!("pod {}/{} is another one, or of another slot", hello.namespace, hello.pod));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
