//! A media pod that is a member of a cluster: it tells the operator what it does, and runs what the operator says.

mod balancing;
mod changes;
mod credentials;
mod doing;
mod first;
mod gather;
mod words;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use millrace_crds::Resolved;
use millrace_fencing::Time;
use millrace_report::{
    client::{self, Client, Told},
    link::Members,
    message::{Beat, Configuration, Edges, Hello, Role},
};
use tokio::sync::watch;

pub use balancing::Balancer;
pub use first::{First, Waiting};

use self::{credentials::Credentials, words::Words};
use crate::{
    config::{self, Taker, Texts},
    logging::{self, mask},
    origin::Links,
    pod::Pod,
};

/// Between two beats, until a configuration says otherwise.
const INTERVAL: Duration = Duration::from_secs(1);
/// What is told of the operator's configurations where people ask for the file.
pub const FROM: &str = "the operator";

/// Which cluster it is a member of, and as what.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Be a member of a cluster: tell the operator at each address of HOST what this media pod does, and run what it says.
    /// Several with commas between are right, too.
    #[arg(long, value_name = "HOST:PORT", requires_all = ["operator_ca", "operator_token", "slot"])]
    pub operator: Option<String>,
    /// The operator's certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "operator")]
    pub operator_ca: Option<PathBuf>,
    /// Holds what proves to the operator that this media pod is of its slot.
    #[arg(long, value_name = "FILE", requires = "operator")]
    pub operator_token: Option<PathBuf>,
    /// The slot whose configuration this media pod runs.
    #[arg(long, value_name = "NAME", requires = "operator")]
    pub slot: Option<String>,
    /// The name of this media pod in its cluster.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub pod_name: Option<String>,
    /// The namespace of this media pod.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub pod_namespace: Option<String>,
    /// The UID of this media pod.
    #[arg(long, env = "POD_UID", value_name = "UID")]
    pub pod_uid: Option<String>,
    /// Names this start of the program, in place of a random name: for who signs grants by hand.
    #[arg(long, env = "BOOT_ID", value_name = "ID")]
    pub boot_id: Option<String>,
    /// What other Clusters know this one by: alike in all of its media pods, and in those of no other Cluster. A random one by
    /// default. See "A tree of Clusters" in the documentation.
    #[arg(long, env = "CLUSTER_ID", value_name = "ID")]
    pub cluster_id: Option<String>,
    /// The template of this media pod: configurations for pods of another one are not taken while one runs.
    #[arg(long, env = "POD_TEMPLATE", value_name = "HASH")]
    pub pod_template: Option<String>,
}

/// See the module. Dropping it ends its connections.
pub struct Member {
    address: String,
    /// Once there is something to tell.
    client: OnceLock<Client>,
    hello: watch::Sender<Hello>,
    beat: watch::Sender<Arc<Beat>>,
    interval: watch::Sender<Duration>,
    credentials: Credentials,
    began: Instant,
    words: Arc<Words>,
}

/// What it is a member for.
#[derive(Clone, Default)]
pub struct Part {
    /// A server pod's links to balancers.
    pub links: Option<Arc<Links>>,
    /// A balancer.
    pub balancer: Option<Arc<dyn Balancer>>,
}

impl Part {
    /// Counts of what is to be told at once.
    fn changed(&self) -> Vec<watch::Receiver<u64>> {
        let links = self.links.as_ref().and_then(|links| links.changed());
        links.into_iter().chain(self.balancer.as_ref().map(|balancer| balancer.changed())).collect()
    }

    fn hear(&self, kept: words::Kept, now: Time) {
        if let Some(balancer) = self.balancer.as_ref().filter(|_| !kept.fences.is_empty()) {
            balancer.fenced(kept.fences.into_values().collect());
        }
        if let Some((links, vouched)) = self.links.as_ref().zip(kept.vouched) {
            links.vouched(&vouched, now);
        }
    }

    fn introduced(&self, members: &Arc<Members>) {
        if let Some(links) = &self.links {
            links.introduced(members);
        }
        if let Some(balancer) = &self.balancer {
            balancer.introduced(members.clone());
        }
    }

    fn edges(&self, edges: &Arc<Edges>) {
        if let Some(links) = &self.links {
            links.edges(edges);
        }
        if let Some(balancer) = &self.balancer {
            balancer.edges(edges.clone());
        }
    }
}

impl Member {
    /// Of the cluster that `options` name, if they name one, in this role.
    pub fn of(options: &Options, role: Role) -> anyhow::Result<Option<Self>> {
        let Some(address) = options.operator.clone() else { return Ok(None) };
        let named = |value: &Option<String>, flag: &str, env: &str| {
            value
                .clone()
                .ok_or_else(|| anyhow!("--operator needs --{flag}, or {env} in the environment, too"))
        };
        let files = options.operator_ca.clone().zip(options.operator_token.clone());
        let (certificate, token) = files.context("--operator needs --operator-ca and --operator-token")?;
        let credentials = Credentials::read(certificate, token)?;
        let hello = Hello {
            version: logging::VERSION.to_owned(),
            namespace: named(&options.pod_namespace, "pod-namespace", "POD_NAMESPACE")?,
            pod: named(&options.pod_name, "pod-name", "POD_NAME")?,
            uid: named(&options.pod_uid, "pod-uid", "POD_UID")?,
            cluster: String::new(),
            slot: options.slot.clone().context("--operator needs --slot")?,
            boot: options.boot_id.clone().unwrap_or_else(boot),
            token: credentials.token(),
            role,
        };
        let (hello, interval) = (watch::Sender::new(hello), watch::Sender::new(INTERVAL));
        let beat = watch::Sender::new(Arc::new(Beat::default()));
        let client = OnceLock::new();
        let (began, words) = (Instant::now(), Arc::default());
        Ok(Some(Self { address, client, hello, beat, interval, credentials, began, words }))
    }

    /// What it may be given.
    pub fn rule(&self) -> config::Rule {
        rule_of(self.hello.borrow().role)
    }

    /// The connections: made now, where there is none yet.
    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let options = client::Options {
                address: self.address.clone(),
                certificate: self.credentials.certificate(),
                interval: self.interval.subscribe(),
            };
            let told = Told { hello: self.hello.subscribe(), beat: self.beat.subscribe() };
            let client = Client::start(options, told, self.began);
            if let Some(words) = client.words() {
                // Ends with the connections.
                tokio::spawn(self.words.clone().keep(words));
            }
            client
        })
    }

    /// Says `now`, if it is news.
    fn tell(&self, now: Beat) {
        self.beat.send_if_modified(|before| {
            let another = **before != now;
            if another {
                *before = Arc::new(now);
            }
            another
        });
        self.client();
    }

    /// Takes from the Cluster in `resolved` what concerns the connection.
    pub fn follow_cluster(&self, resolved: &Resolved) {
        let cluster = &resolved.cluster;
        self.hello.send_if_modified(|hello| {
            let another = hello.cluster != cluster.name;
            hello.cluster.clone_from(&cluster.name);
            another
        });
        self.interval.send_if_modified(|interval| {
            let another = *interval != cluster.heartbeat.interval.get();
            *interval = cluster.heartbeat.interval.get();
            another
        });
    }

    /// Tells the operator what `pod` does and what `part` says, and gives what it says to `taker` and to `part`, for ever.
    pub async fn serve(&self, pod: &Arc<Pod>, taker: &Taker, part: &Part) {
        tokio::join!(
            self.report(pod, taker, part),
            self.listen(pod, taker, part),
            self.hear(part),
            self.credentials.follow(&self.hello)
        );
    }

    async fn report(&self, pod: &Pod, taker: &Taker, part: &Part) {
        let reports = taker.reports();
        let draining = pod.shop().draining.watch();
        let mut changes = changes::Changes::new(reports.watch(), self.interval.subscribe(), draining, part);
        loop {
            changes.watch(pod);
            self.tell(gather::beat(pod, reports, part));
            changes.next().await;
        }
    }

    async fn hear(&self, part: &Part) {
        loop {
            let kept = self.words.next().await;
            part.hear(kept, Time::from_micros(self.began.elapsed().as_micros() as u64));
        }
    }

    async fn listen(&self, pod: &Pod, taker: &Taker, part: &Part) {
        let mut heard = self.client().heard();
        let (mut members, mut edges, mut ownership) = (None, None, None);
        loop {
            if let Some(new) = heard.configuration.borrow_and_update().clone() {
                taker.take(FROM, &texts(&new));
                self.follow_cluster(&pod.resolved());
            }
            if let Some(new) = heard.directory.borrow_and_update().clone() {
                mask::learn_token(&new.token);
                pod.shop().directory.store(new);
            }
            // Whose word counts comes before what they say.
            if let Some(new) = news(&mut heard.members, &mut members) {
                part.introduced(&new);
            }
            if let Some(new) = news(&mut heard.edges, &mut edges) {
                part.edges(&new);
            }
            if let Some(new) = news(&mut heard.ownership, &mut ownership)
                && let Some(links) = &part.links
            {
                links.own(new);
            }
            let told = tokio::select! {
                told = heard.configuration.changed() => told,
                told = heard.directory.changed() => told,
                told = heard.members.changed() => told,
                told = heard.edges.changed() => told,
                told = heard.ownership.changed() => told,
            };
            if told.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// What was said, if it is not what was said `before`.
fn news<T>(said: &mut watch::Receiver<Option<Arc<T>>>, before: &mut Option<Arc<T>>) -> Option<Arc<T>> {
    let now = said.borrow_and_update().clone()?;
    if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, &now)) {
        return None;
    }
    *before = Some(now.clone());
    Some(now)
}

/// What a media pod of this role may be given.
pub fn rule_of(role: Role) -> config::Rule {
    match role {
        Role::Server => config::for_server,
        Role::Balancer => config::for_balancer,
    }
}

/// What the operator says, as if it stood in files.
fn texts(configuration: &Configuration) -> Texts {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    Texts {
        texts: vec![file("millrace.yaml", &configuration.yaml), file("secrets.yaml", &configuration.secrets)],
        number: Some(configuration.revision),
        template: Some(configuration.template.clone()).filter(|template| !template.is_empty()),
    }
}

/// Names one start of the program.
pub fn boot() -> String {
    let mut bytes = [0; 8];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        bytes =
            jiff::Timestamp::now().as_nanosecond().to_le_bytes().first_chunk().copied().unwrap_or_default();
    }
    format!("{:016x}", u64::from_le_bytes(bytes))
}
