//! The operator as a process: starts its parts, and ends them in order.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use kube::{Client, Config};
use millrace_report::server::Options;
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time,
};
use tracing::{info, warn};

use crate::{
    api,
    cli::Cli,
    controller::{Controller, Parts, Teller, Writer, queue::Queue},
    failover::{
        guards::Guards,
        hands::{Founds, Real},
        trouble::Troubles,
    },
    health,
    identity::{Identity, identity},
    key::ClusterKey,
    keys::Derived,
    leader::{self, Election, Term},
    link::{Around, Link, Watchers},
    metrics::Metrics,
    readiness::Readiness,
    view::Settings,
    watch::{Stores, Touch},
};

/// How long the release of the Lease may take.
const RELEASE: Duration = Duration::from_millis(450);

/// The Lease was lost: whoever led begins anew, with nothing of what it knew.
#[derive(Debug, thiserror::Error)]
#[error("this replica lost the Lease, and begins anew")]
pub struct Lost;

/// Runs until a signal, or until it leads no more.
///
/// # Errors
/// Where it cannot begin, or leads no more ([`Lost`]).
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime =
        runtime::Builder::new_multi_thread().enable_all().build().context("no threads can be made")?;
    let ended = runtime.block_on(begin(cli));
    // What is still under way is not waited for.
    runtime.shutdown_background();
    ended
}

async fn begin(cli: Cli) -> anyhow::Result<()> {
    info!("millrace-operator {}", env!("CARGO_PKG_VERSION"));
    let mut told =
        Told { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let shared = Shared::new(cli).await?;
    let listener = health::listen(shared.cli.http).await?;
    info!(address = %listener.local_addr()?, "serves health and metrics");
    let readiness = Arc::new(Readiness::new(Arc::clone(&shared.stores), Arc::clone(&shared.term)));
    let mut tasks = JoinSet::new();
    tasks.spawn(health::serve(listener, Arc::clone(&readiness) as _, Arc::clone(&shared.metrics)));
    let touch = shared.touch();
    shared.stores.watch(&shared.client, &touch, &mut tasks);

    let identity = tokio::select! {
        identity = identity(&shared.client, &shared.cli.pod_namespace, &shared.cli.leader_lease) => identity,
        () = told.stopped() => return Ok(()),
    };
    let working = shared.work(identity, touch).await?;
    readiness.listens();
    working.until(told).await
}

/// What the parts share.
struct Shared {
    cli: Cli,
    config: Config,
    client: Client,
    metrics: Arc<Metrics>,
    stores: Arc<Stores>,
    term: Arc<Term>,
    queue: Arc<Queue<ClusterKey>>,
    guards: Watchers,
}

impl Shared {
    async fn new(cli: Cli) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new()?);
        let config =
            Config::infer().await.context("no way to the API server: neither in a pod nor a kubeconfig")?;
        let client = api::client(config.clone(), &metrics).context("no client of the API server")?;
        let stores = Arc::new(Stores::new(client.clone(), &cli.namespace));
        let (term, queue, guards) = (Arc::default(), Arc::default(), Watchers::default());
        Ok(Self { cli, config, client, metrics, stores, term, queue, guards })
    }

    /// Who does not lead keeps no queue: it begins with everything when it does.
    fn touch(&self) -> Touch {
        let (queue, term) = (Arc::clone(&self.queue), Arc::clone(&self.term));
        let guards = Arc::clone(&self.guards);
        Arc::new(move |cluster| {
            if let Some(guards) = guards.get() {
                guards.touch(&cluster);
            }
            if term.leads() {
                queue.touch(&cluster);
            }
        })
    }

    fn settings(&self, identity: &Identity) -> Settings {
        Settings {
            media_pod_image: self.cli.media_pod_image.clone(),
            transcoder_image: self.cli.transcoder_image.clone(),
            image_pull_policy: self.cli.image_pull_policy.clone(),
            operator_address: self.cli.link(),
            operator_certificate: identity.certificate.certificate.clone(),
            token_key: identity.token_key.clone(),
            key_rotation: self.cli.rotate_keys_every,
            derived: Derived::default(),
        }
    }

    /// What carries out failover: with requests of its own, so that nothing waits behind a reconcile.
    fn hands(&self, link: &Arc<Link>, founds: &Founds, touch: Touch) -> Real {
        let (stores, metrics) = (Arc::clone(&self.stores), Arc::clone(&self.metrics));
        let term = Arc::clone(&self.term);
        let (own, same) = (Arc::clone(&stores), Arc::clone(&metrics));
        Real {
            client: self.client.clone(),
            writer: Writer::new(self.client.clone(), own, Arc::clone(&term), same),
            teller: Teller::new(
                self.client.clone(),
                Arc::clone(&stores),
                Arc::clone(&metrics),
                self.cli.pod_name.clone(),
            ),
            stores,
            term,
            link: Arc::clone(link),
            metrics,
            touch,
            founds: founds.clone(),
            troubles: Troubles::default(),
        }
    }

    /// Starts to listen for media pods, to be a candidate, and to reconcile.
    async fn work(self, identity: Identity, touch: Touch) -> anyhow::Result<Working> {
        let settings = Arc::new(self.settings(&identity));
        let around = Around {
            stores: Arc::clone(&self.stores),
            term: Arc::clone(&self.term),
            metrics: Arc::clone(&self.metrics),
            touch: Arc::clone(&touch),
            guards: Arc::clone(&self.guards),
        };
        let listen = self.cli.link_listen;
        let options = Options { listen, replica: self.cli.pod_name.clone(), ..Options::default() };
        let link = Link::listen(options, &identity.certificate, identity.token_key, around).await;
        let (link, events) = link.with_context(|| format!("--link-listen {listen}"))?;
        info!(address = %listen, "listens for media pods");
        let listens_since = Instant::now();
        let founds = Founds::default();
        let hands = self.hands(&link, &founds, touch);
        let guards = Guards::new(hands, Arc::clone(&settings)).context("no keys for grants")?;
        // Nobody else sets it.
        let _ = self.guards.set(Arc::clone(&guards));
        let judging = Arc::clone(&guards);
        let judges = tokio::spawn(async move { judging.run().await });
        let listening = Arc::clone(&link);
        let hears = tokio::spawn(async move { listening.run(events).await });

        let (stores, metrics, term) = (self.stores, self.metrics, self.term);
        let lease = (self.cli.pod_namespace, self.cli.leader_lease);
        let replica = self.cli.pod_name;
        let election = leader::begin(self.config, lease, &replica, Arc::clone(&term), Arc::clone(&metrics))?;
        let writer =
            Writer::new(self.client.clone(), Arc::clone(&stores), Arc::clone(&term), Arc::clone(&metrics));
        let teller = Teller::new(self.client, Arc::clone(&stores), Arc::clone(&metrics), replica);
        let queue = self.queue;
        let parts = Parts {
            stores,
            link,
            settings,
            term,
            queue,
            writer,
            teller,
            metrics,
            listens_since,
            guards,
            founds,
        };
        let (stop, stopping) = watch::channel(false);
        let controls = tokio::spawn(Controller::new(parts).run(stopping));
        Ok(Working { election, controls, hears, judges, stop })
    }
}

/// The parts that work until the end.
struct Working {
    election: Election,
    controls: JoinHandle<()>,
    hears: JoinHandle<()>,
    judges: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Working {
    async fn until(self, mut told: Told) -> anyhow::Result<()> {
        let Election { mut ended, release } = self.election;
        tokio::select! {
            _ = &mut ended => return Err(Lost.into()),
            () = told.stopped() => {}
        }
        info!("stops");
        self.judges.abort();
        // Who is gone needs not be told.
        let _ = self.stop.send(true);
        // Nobody may lead before what is under way here has ended.
        if let Err(error) = self.controls.await {
            warn!("the controller has ended badly: {error}");
        }
        let _ = release.send(true);
        if time::timeout(RELEASE, ended).await.is_err() {
            warn!("the Lease was not released in time");
        }
        self.hears.abort();
        Ok(())
    }
}

struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    async fn stopped(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
