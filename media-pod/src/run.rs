//! `media-pod run`: everything put together.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, anyhow, bail};
use millrace_bus::egress::Egress;
use millrace_crds::resolved::{FinalListener, Resolved};
use millrace_exec::Agent;
use millrace_http::{Certificates, FrontDoor, Options};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    buffer,
    cli::Run,
    config::{self, Follower},
    logging,
    pod::Pod,
    rates::Rates,
    shop::Shop,
    site::Front,
};

/// How long viewers have to leave when the program ends.
const GRACE: Duration = Duration::from_millis(500);

/// What went wrong is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the log says why")]
pub struct Logged;

/// Runs until a signal ends it. An error of another type than [`Logged`] is to be shown.
pub fn run(options: Run) -> anyhow::Result<()> {
    if !options.file.file.exists() && options.file.file.as_os_str() == config::DEFAULT {
        bail!("{}", how_to_begin());
    }
    logging::start(options.log_format, &options.log_level).map_err(|e| anyhow!(e))?;
    let format = options.log_format;
    start(options).map_err(|e| {
        logging::last_words(format, &format!("{e:#}"));
        Logged.into()
    })
}

fn start(options: Run) -> anyhow::Result<()> {
    let file = options.file.file.clone();
    raise_file_limit();
    buffer::keep_freed_memory();
    // Before any thread: it forks.
    let agent = Agent::spawn_local().context("the runner of commands could not be started")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let outcome = runtime.block_on(serve(options, file, agent));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(options: Run, file: std::path::PathBuf, agent: Agent) -> anyhow::Result<()> {
    let (follower, loaded) = Follower::begin(file)?;
    for warning in config::warnings(&loaded) {
        tracing::warn!("{warning}");
    }
    let threads = options.egress_threads.unwrap_or_else(cores);
    let egress = Arc::new(Egress::start(threads).context("the egress threads could not be started")?);
    let listen = listen(&options, &loaded.resolved)?;
    let certificates = listen.certificates.clone();
    let pod = Pod::start(loaded.resolved, Shop::new(agent, egress.clone()));
    let front = Arc::new(Front {
        pod: pod.clone(),
        reports: follower.reports(),
        rates: Rates::start(&pod),
        door: OnceLock::new(),
        started: SystemTime::now(),
    });
    let door = Arc::new(FrontDoor::bind(listen, front.clone(), egress.clone()).await?);
    // Set once, here.
    let _ = front.door.set(door.clone());
    announce(&door, &pod.resolved());

    let began_with = listeners(&pod.resolved());
    let taken = move |resolved: &Resolved| renew(certificates.as_ref(), &began_with, resolved);
    let following = tokio::spawn(follower.follow(pod.clone(), taken));
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("ending");
    following.abort();
    door.shutdown(GRACE).await;
    let shop = pod.shop();
    shop.streams.load().values().for_each(|stream| stream.retire());
    shop.feeds.load().values().for_each(|feed| feed.retire());
    Ok(())
}

fn listen(options: &Run, resolved: &Resolved) -> anyhow::Result<Options> {
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
