//! Media pods that are none: each holds its status connection and says that everything rests.

use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{Config, Event, watcher},
    },
};
use millrace_report::{
    client::{self, Told},
    message::{Beat, Doing, Hello, Role},
    token,
};
use serde_json::Value;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::{
    api::Space,
    bare::is_ready,
    candidate::{self, Candidate},
    scale::streams_of,
};

/// As a Cluster's `heartbeat.interval` by default.
const BEAT: Duration = Duration::from_secs(1);

/// All of them, until dropped.
pub struct Fakes {
    follows: JoinHandle<()>,
}

impl Drop for Fakes {
    fn drop(&mut self) {
        self.follows.abort();
    }
}

/// What every one of them needs.
struct Common {
    address: String,
    certificate: watch::Sender<String>,
    interval: watch::Sender<Duration>,
    key: Vec<u8>,
    namespace: String,
}

/// One for each pod of a namespace from when it is Ready.
pub async fn start(client: &Client, namespace: &str, operator: &Candidate) -> Result<Fakes> {
    let secret = Space::at(client, candidate::NAMESPACE).find("Secret", candidate::LEASE).await?;
    let secret = secret.context("the operator has made no Secret")?;
    let data = |name: &str| {
        let text = secret.pointer(&format!("/data/{name}")).and_then(Value::as_str);
        anyhow::Ok(STANDARD.decode(text.with_context(|| format!("the operator's Secret lacks {name}"))?)?)
    };
    let certificate = String::from_utf8(data("tls.crt")?)?;
    let common = Common {
        address: operator.link.to_string(),
        certificate: watch::Sender::new(certificate),
        interval: watch::Sender::new(BEAT),
        key: data("token.key")?,
        namespace: namespace.to_owned(),
    };
    let pods = Space::at(client, namespace).pods();
    Ok(Fakes { follows: tokio::spawn(follow(pods, common)) })
}

async fn follow(pods: kube::Api<Pod>, common: Common) {
    let mut all: HashMap<String, JoinSet<()>> = HashMap::new();
    let mut events = pin!(watcher(pods, Config::default().labels("millrace.dev/slot")).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) if is_ready(&pod) => {
                let uid = pod.uid().unwrap_or_default();
                all.entry(uid).or_insert_with(|| {
                    let mut one = JoinSet::new();
                    one.spawn(be(hello(&pod, &common), streams(&pod), &common));
                    one
                });
            }
            Ok(Event::Delete(pod)) => drop(all.remove(&pod.uid().unwrap_or_default())),
            Ok(_) => {}
            Err(error) => eprintln!("watching pods: {error}"),
        }
    }
}

fn label<'a>(pod: &'a Pod, name: &str) -> &'a str {
    pod.labels().get(name).map_or("", String::as_str)
}

fn hello(pod: &Pod, common: &Common) -> Hello {
    let slot = label(pod, "millrace.dev/slot");
    Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: common.namespace.clone(),
        pod: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        cluster: label(pod, "millrace.dev/cluster").to_owned(),
        slot: slot.to_owned(),
        boot: "1".to_owned(),
        token: token::slot_token(&common.key, &common.namespace, slot),
        role: if label(pod, "millrace.dev/role") == "balancer" { Role::Balancer } else { Role::Server },
    }
}

/// The Feed, and the Streams that the bench makes on it.
fn streams(pod: &Pod) -> (String, Vec<String>) {
    let feed = label(pod, "millrace.dev/feed").to_owned();
    let streams = streams_of(&feed);
    (feed, streams)
}

/// Says that it runs whatever it is told to.
fn be(
    hello: Hello,
    (feed, streams): (String, Vec<String>),
    common: &Common,
) -> impl Future<Output = ()> + use<> {
    let rests = |names: Vec<String>| {
        names.into_iter().map(|name| (name, Doing::default())).collect::<BTreeMap<_, _>>()
    };
    // Its slot's first revision is what its ConfigMap had.
    let first = Beat {
        revision: 1,
        feeds: Some(rests(vec![feed])),
        streams: Some(rests(streams)),
        ..Beat::default()
    };
    let options = client::Options {
        address: common.address.clone(),
        certificate: common.certificate.subscribe(),
        interval: common.interval.subscribe(),
    };
    async move {
        let (beat, beats) = watch::channel(Arc::new(first));
        let (_hello, hellos) = watch::channel(hello);
        let client = client::Client::start(options, Told { hello: hellos, beat: beats }, Instant::now());
        let mut news = client.heard().configuration;
        let Some(mut words) = client.words() else { return };
        loop {
            tokio::select! {
                // Nobody is served here, so that whose frames count does not matter.
                word = words.recv() => if word.is_none() { return },
                changed = news.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let revision = news.borrow_and_update().as_ref().map(|it| it.revision);
                    if let Some(revision) = revision {
                        beat.send_modify(|beat| Arc::make_mut(beat).revision = revision);
                    }
                }
            }
        }
    }
}
