//! `media-pod run`: everything put together.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, anyhow, bail};
use millrace_bus::egress::Egress;
use millrace_crds::resolved::{FinalListener, Resolved};
use millrace_exec::Agent;
use millrace_http::{Certificates, FrontDoor, Options};
use millrace_link::{Role, avrs::Hop};
use millrace_report::message;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{
    buffer,
    cli::{Balance, Run, Serve},
    config::{self, Follower, Reports, Taker, Texts},
    drain,
    edge::{self, Edge},
    guests::Guests,
    logging::{self, mask},
    member::{self, First, Member, Waiting},
    origin,
    pod::Pod,
    rates::Rates,
    runners::{self, Runners},
    shop::Shop,
    site::{Front, Internal},
};

/// How long a member of a cluster drains where nobody says, in seconds.
const DRAIN: u64 = 30;

/// What went wrong is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the log says why")]
pub struct Logged;

/// What this media pod is for.
enum Part {
    /// It runs feeds and streams, with these runners of commands.
    Server { origin: Box<origin::Options>, runner: Vec<runners::Address>, media: PathBuf },
    /// It serves what servers have.
    Balancer(edge::Options),
}

impl Part {
    fn role(&self) -> message::Role {
        match self {
            Self::Server { .. } => message::Role::Server,
            Self::Balancer(_) => message::Role::Balancer,
        }
    }
}

/// Runs until a signal ends it. An error of another type than [`Logged`] is to be shown.
pub fn run(options: Run) -> anyhow::Result<()> {
    let default = |file: &PathBuf| !file.exists() && file.as_os_str() == config::DEFAULT;
    let Run { serve, origin, runner, media } = options;
    if serve.member.operator.is_none() && serve.config.files.iter().all(default) {
        bail!("{}", how_to_begin());
    }
    begin(serve, Part::Server { origin: Box::new(origin), runner, media })
}

/// As [`run`], a balancer.
pub fn balance(options: Balance) -> anyhow::Result<()> {
    begin(options.serve, Part::Balancer(options.edge))
}

fn begin(mut options: Serve, part: Part) -> anyhow::Result<()> {
    logging::start(options.log_format, &options.log_level).map_err(|e| anyhow!(e))?;
    let format = options.log_format;
    options.member.boot_id.get_or_insert_with(member::boot);
    start(options, part).map_err(|e| {
        logging::last_words(format, &format!("{e:#}"));
        Logged.into()
    })
}

fn start(options: Serve, part: Part) -> anyhow::Result<()> {
    raise_file_limit();
    buffer::keep_freed_memory();
    // Before any thread: it forks.
    let alone = matches!(&part, Part::Server { runner, .. } if runner.is_empty());
    let local = alone.then(Agent::spawn_local).transpose();
    let local = local.context("the runner of commands could not be started")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let outcome = runtime.block_on(serve(options, part, local));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(options: Serve, part: Part, local: Option<Agent>) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let threads = options.egress_threads.unwrap_or_else(cores);
    let egress = Arc::new(Egress::start(threads).context("the egress threads could not be started")?);
    let played = part.role();
    let member = Member::of(&options.member, played)?.map(Arc::new);
    let template = options.member.pod_template.clone();
    let First { from, texts, loaded, highest } = tokio::select! {
        first = first(&options, played, member.as_deref(), &egress) => first?,
        _ = term.recv() => return Ok(()),
        _ = int.recv() => return Ok(()),
    };
    mask::learn(&loaded.resolved);
    for warning in config::warnings(&loaded) {
        tracing::warn!("{warning}");
    }
    let is_member = member.is_some();
    warn_of_upstreams(&part, is_member, &loaded.resolved);
    let patience = options.drain.unwrap_or(if is_member { DRAIN } else { 0 });
    let number = texts.number.filter(|_| is_member).unwrap_or_default();
    let reports = Arc::new(Reports::new(config::report(&from, &texts, is_member), number, highest));
    let listen = listen(&options, &loaded.resolved)?;
    let certificates = listen.certificates.clone();
    let own = options.member.pod_name.clone();
    let here = here(&options, &loaded.resolved);
    let (edge, links, origin, runner, media) = match part {
        Part::Server { origin, runner, media } => (None, JoinSet::new(), Some(origin), runner, media),
        Part::Balancer(options) => {
            let (edge, links) = edge(&options, own, here.clone(), &loaded.resolved).await?;
            (Some(edge), links, None, Vec::new(), PathBuf::new())
        }
    };
    let runners = local.map_or_else(|| Runners::beside(runner), Runners::Local);
    let pod = Pod::start(loaded.resolved, Shop::new(runners, egress.clone(), media));
    if let Some(edge) = &edge {
        // Set once, here.
        let _ = pod.shop().edge.set(edge.clone());
    }
    let role = if edge.is_some() { Role::BALANCER } else { Role::SERVER };
    let front = Arc::new(Front {
        guests: Guests::new(role, here).context("no key for links")?,
        pod: pod.clone(),
        edge,
        reports: reports.clone(),
        rates: Rates::start(&pod),
        door: OnceLock::new(),
        internal: OnceLock::new(),
        started: SystemTime::now(),
    });
    let inside =
        Options { http: options.internal, max_connections: listen.max_connections, ..Options::default() };
    let internal = FrontDoor::bind(inside, Arc::new(Internal(front.clone())), egress.clone()).await?;
    internal.http_addrs().iter().for_each(|address| tracing::info!("listening internal={address}"));
    let door = Arc::new(FrontDoor::bind(listen, front.clone(), egress.clone()).await?);
    let inside = internal.http_addrs().first().copied();
    let origin = origin.map(|origin| origin::start(&origin, &options.member, &pod, &reports, inside));
    let origin = origin.transpose()?.flatten().map(Arc::new);
    // Set once, here.
    let _ = (front.door.set(door.clone()), front.internal.set(Arc::new(internal)));
    announce(&door, &pod.resolved());

    let began_with = listeners(&pod.resolved());
    let balancer = front.edge.clone();
    let renewed = Box::new(move |resolved: &Resolved| {
        renew(certificates.as_ref(), &began_with, resolved);
        if let Some(edge) = &balancer {
            edge.configure(resolved);
        }
    });
    let taker = Taker::new(pod.clone(), reports, is_member, renewed);
    let taker = Arc::new(taker.only_for(template).only_by(member::rule_of(played)));
    let texts = Some(texts).filter(|_| from != member::FROM);
    let mut tasks = JoinSet::new();
    tasks.spawn(Follower::new(options.config.files.clone(), texts).follow(taker.clone()));
    if let Some(member) = member {
        member.follow_cluster(&pod.resolved());
        let pod = pod.clone();
        let part = member::Part {
            links: origin.clone(),
            balancer: front.edge.clone().map(|edge| edge as Arc<dyn member::Balancer>),
        };
        tasks.spawn(async move { member.serve(&pod, &taker, &part).await });
    }
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tokio::select! {
        () = drain::drain(&front, origin.as_deref(), Duration::from_secs(patience)) => {}
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    // The operator's word is of no use any more; links end with who holds them.
    tasks.shutdown().await;
    drop((origin, links));
    let shop = pod.shop();
    shop.streams.load().values().for_each(|stream| stream.retire());
    shop.feeds.load().values().for_each(|feed| feed.retire());
    Ok(())
}

/// What servers have, from their links.
async fn edge(
    options: &edge::Options,
    own: Option<String>,
    here: Hop,
    resolved: &Resolved,
) -> anyhow::Result<(Arc<Edge>, JoinSet<()>)> {
    Edge::start(options, own, here, resolved).await
}

/// A server by itself asks nobody else.
fn warn_of_upstreams(part: &Part, is_member: bool, resolved: &Resolved) {
    if matches!(part, Part::Server { .. }) && !is_member && !resolved.cluster.upstreams.is_empty() {
        tracing::warn!(
            "Cluster/{} spec.upstreams: balancers pull from other Clusters (`media-pod balance`); this media pod serves what \
             it has itself",
            resolved.cluster.name
        );
    }
}

/// What other Clusters know this one by.
fn here(options: &Serve, resolved: &Resolved) -> Hop {
    let name = match &options.member.pod_namespace {
        Some(namespace) => format!("{namespace}/{}", resolved.cluster.name),
        None => resolved.cluster.name.clone(),
    };
    Hop::new(&options.member.cluster_id.clone().unwrap_or_else(member::boot), &name)
}

/// The configuration to begin with. A member of a cluster waits for one, where the files have none that is right.
async fn first(
    options: &Serve,
    role: message::Role,
    member: Option<&Member>,
    egress: &Arc<Egress>,
) -> anyhow::Result<First> {
    let (files, right) = (&options.config.files, member::rule_of(role));
    let (texts, why) = match Texts::read(files).map(|texts| (texts.understand_by(right), texts)) {
        Ok((Ok(loaded), texts)) => {
            return Ok(First { from: config::named(files), texts, loaded, highest: 0 });
        }
        Ok((Err(why), texts)) => (Some(texts), why),
        Err(why) => (None, why),
    };
    let Some(member) = member else { return Err(why.into()) };
    let waiting = Arc::new(Waiting::because(&why));
    let inside = Options { http: options.internal.clone(), ..Options::default() };
    let door = FrontDoor::bind(inside, waiting.clone(), egress.clone()).await?;
    door.http_addrs().iter().for_each(|address| tracing::info!("waiting internal={address}"));
    let first = member.first(files, texts, why, &waiting).await;
    door.shutdown(Duration::ZERO).await;
    Ok(first)
}

fn listen(options: &Serve, resolved: &Resolved) -> anyhow::Result<Options> {
    let given = |given: &Vec<SocketAddr>, listener: Option<FinalListener>| {
        if given.is_empty() { listener.iter().map(address).collect() } else { given.clone() }
    };
    let mut listen = Options {
        http: given(&options.http, resolved.cluster.http),
        https: given(&options.https, resolved.cluster.https),
        ..Options::default()
    };
    listen.max_connections = resolved.cluster.limits.connections as usize;
    if !listen.https.is_empty() {
        let Some((chain, key)) = certificate(resolved) else {
            bail!(
                "HTTPS needs a certificate: say spec.tls.secretName in the Cluster, and put a Secret of that name \
                   and of type kubernetes.io/tls into the same file"
            );
        };
        listen.certificates =
            Some(Certificates::from_pem(chain, key).context("spec.tls.secretName of the Cluster")?);
    }
    Ok(listen)
}

fn address(listener: &FinalListener) -> SocketAddr {
    SocketAddr::new(listener.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), listener.port)
}

fn certificate(resolved: &Resolved) -> Option<(&[u8], &[u8])> {
    resolved.secrets.get(resolved.cluster.tls_secret.as_ref()?)?.certificate_and_key()
}

type Listeners = (Option<FinalListener>, Option<FinalListener>, millrace_crds::kinds::Limits);

/// What cannot change while the front door is open.
fn listeners(resolved: &Resolved) -> Listeners {
    (resolved.cluster.http, resolved.cluster.https, resolved.cluster.limits.clone())
}

/// Shows the certificate of the newest configuration from now on.
fn renew(certificates: Option<&Arc<Certificates>>, began_with: &Listeners, resolved: &Resolved) {
    if *began_with != listeners(resolved) {
        tracing::warn!("listeners and limits of the Cluster take effect at the next start");
    }
    if let (Some(shown), Some((chain, key))) = (certificates, certificate(resolved))
        && let Err(e) = shown.replace(chain, key)
    {
        tracing::error!(error = %e, "the new certificate was refused, the one before is shown on");
    }
}

/// Says what is served, and where.
fn announce(door: &FrontDoor, resolved: &Resolved) {
    let http = door.http_addrs().iter().map(|address| ("http", address));
    let https = door.https_addrs().iter().map(|address| ("https", address));
    for (scheme, address) in http.chain(https) {
        let mut address = *address;
        tracing::info!("listening {scheme}={address}");
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let base = format!("{scheme}://{address}");
        for stream in resolved.streams.values() {
            tracing::info!("serving {base}{}", stream.path);
        }
        if resolved.cluster.status_page.enabled {
            tracing::info!("status page {base}{}", resolved.cluster.status_page.path);
        }
    }
}

fn how_to_begin() -> String {
    format!(
        "There is no configuration: {} does not exist, and no other file was named with -f.\n\n\
         To begin, put this into a file, door.yaml:\n\n\
         {EXAMPLE}\n\
         and run:\n\n    media-pod check -f door.yaml\n    media-pod run -f door.yaml --http 127.0.0.1:8080\n    \
         ffplay http://127.0.0.1:8080/door.ts",
        config::DEFAULT
    )
}

const EXAMPLE: &str = r#"    apiVersion: millrace.dev/v1alpha1
    kind: Feed
    metadata: {name: door}
    spec:
      source: {pull: {url: "rtsp://door.lan/ch1"}}
    ---
    apiVersion: millrace.dev/v1alpha1
    kind: Stream
    metadata: {name: door}
    spec: {path: /door.ts, feeds: [door]}
"#;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Each viewer is a descriptor: as many as the machine allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(e) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(error = %e, "the limit of open files stays as it is");
    }
}
