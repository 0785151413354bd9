//! From `kubectl apply` of a Feed and a Stream to the first byte of media, beside a bare pod that does the same.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use kube::Client;
use serde_json::{Value, json};
use tokio::time;

use super::{
    api::Space,
    bare::{self, Bare},
    stats::{p50, p99},
    table::Table,
    viewer,
};
use crate::report::Verdict;

const NAMESPACE: &str = "bench-first-byte";
const CLUSTER: &str = "default";
const PATIENCE: Duration = Duration::from_mins(3);
/// What the p50 may be, in seconds.
const GOAL: f64 = 4.0;

/// One round, in seconds from the first request.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// Until the API server told of the media pod.
    made: f64,
    /// Until that was Ready.
    ready: f64,
    /// Until the first byte of media.
    byte: f64,
    /// From the request to create the bare pod until that was Ready.
    bare: f64,
}

/// Measures, and adds lines to the table.
pub async fn run(client: &Client, rounds: usize, table: &mut Table) -> Result<()> {
    let space = Space::create(client, NAMESPACE).await?;
    let measured = measure(&space, rounds).await;
    space.delete("Namespace", NAMESPACE).await?;
    let all = measured?;
    let mut line = |what: &str, of: &dyn Fn(&Round) -> f64, goal: Option<f64>| {
        let values: Vec<f64> = all.iter().map(of).collect();
        let text = |value: f64| format!("{value:.2}");
        let verdict = goal.map_or(Verdict::Stated, |goal| Verdict::at_most(p50(&values), goal));
        let goal = goal.map_or_else(String::new, |goal| format!("p50 at most {goal}"));
        table.row(what, [text(p50(&values)), text(p99(&values)), goal, verdict.text()]);
    };
    line("apply of Feed and Stream to the first media byte", &|it| it.byte, Some(GOAL));
    line("… of it: until the media pod is made", &|it| it.made, None);
    line("… from there until it is Ready", &|it| it.ready - it.made, None);
    line("… from there to the first byte", &|it| it.byte - it.ready, None);
    line("a bare pod of the same shape, from create to Ready", &|it| it.bare, None);
    line("first byte less the bare pod, round by round", &|it| it.byte - it.bare, None);
    Ok(())
}

async fn measure(space: &Space, rounds: usize) -> Result<Vec<Round>> {
    let spec = json!({"service": {"type": "NodePort"}});
    space.apply(&object("Cluster", CLUSTER, &spec)).await?;
    let address = node_port(space).await?;
    eprintln!("media at {address}");
    let bare = warm_up(space, address).await?;
    let mut all = Vec::new();
    for number in 1..=rounds {
        let mut round = of_feed(space, address, &format!("feed-{number}")).await?;
        round.bare = bare.round(space, number).await?;
        eprintln!("round {number}: {round:.2?}");
        all.push(round);
    }
    Ok(all)
}

/// One round that does not count: the images are there afterwards, and its pod is the model of the bare one.
async fn warm_up(space: &Space, address: SocketAddr) -> Result<Bare> {
    let name = "feed-0";
    apply(space, name).await?;
    viewer::first_byte(address, &format!("/{name}.ts"), PATIENCE).await?;
    let selector = format!("millrace.dev/feed={name}");
    let pod = space.names("Pod", &selector).await?.pop().context("no media pod of feed-0")?;
    let bare = bare::like(space, &pod).await?;
    forget(space, name).await?;
    bare.round(space, 0).await?;
    Ok(bare)
}

async fn of_feed(space: &Space, address: SocketAddr, name: &str) -> Result<Round> {
    let began = Instant::now();
    let since = |at: Instant| (at - began).as_secs_f64();
    let label = format!("millrace.dev/feed={name}");
    let path = format!("/{name}.ts");
    let media = async {
        apply(space, name).await?;
        viewer::first_byte(address, &path, PATIENCE).await
    };
    // Each has its own end: the pod may be seen Ready before or after its first byte has come.
    let ((), byte, (made, ready)) = {
        let (byte, pod) = tokio::try_join!(media, bare::watch_ready(space.pods(), &label, PATIENCE))?;
        ((), byte, pod)
    };
    forget(space, name).await?;
    Ok(Round { made: since(made), ready: since(ready), byte: since(byte), bare: f64::NAN })
}

async fn apply(space: &Space, name: &str) -> Result<()> {
    let feed = json!({"source": {"command": ffmpeg()}});
    space.apply(&object("Feed", name, &feed)).await?;
    space.apply(&object("Stream", name, &json!({"path": format!("/{name}.ts"), "feeds": [name]}))).await
}

/// Ends a Feed and its pod, so that rounds do not disturb each other.
async fn forget(space: &Space, name: &str) -> Result<()> {
    space.delete("Stream", name).await?;
    space.delete("Feed", name).await?;
    let selector = format!("millrace.dev/feed={name}");
    space
        .until(PATIENCE, "the pod of a deleted Feed ends", || async {
            Ok(space.names("Pod", &selector).await?.is_empty().then_some(()))
        })
        .await
}

pub(super) fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "millrace.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// As in the quickstart: a pattern, encoded as it comes.
fn ffmpeg() -> Vec<&'static str> {
    "ffmpeg -nostdin -hide_banner -loglevel warning -re -f lavfi -i testsrc2=size=640x360:rate=30 \
     -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 30 -b:v 1M \
     -f mpegts -muxdelay 0 -muxpreload 0 -flush_packets 1 {output}"
        .split_whitespace()
        .collect()
}

/// Where the Cluster's Service is reached from outside: a node's address, and the port.
async fn node_port(space: &Space) -> Result<SocketAddr> {
    let port = space
        .until(PATIENCE, "the Cluster's Service has a node port (is the operator running?)", || async {
            let service = space.find("Service", &format!("{CLUSTER}-balancers")).await?;
            Ok(service.and_then(|it| it.pointer("/spec/ports/0/nodePort")?.as_u64()))
        })
        .await?;
    let mut found = None;
    space
        .each("Node", |node| {
            let all = node.pointer("/status/addresses").and_then(Value::as_array).into_iter().flatten();
            let mut internal = all.filter(|it| it["type"] == "InternalIP");
            found = found.take().or_else(|| internal.next()?["address"].as_str()?.parse().ok());
        })
        .await?;
    let address = SocketAddr::new(found.context("no node has an InternalIP")?, port as u16);
    // Nobody listens yet, so that no more can be known than that the node is there.
    match time::timeout(Duration::from_secs(2), tokio::net::TcpStream::connect(address)).await {
        Err(_) => bail!("{address} does not answer: are the nodes reached from here?"),
        Ok(_) => Ok(address),
    }
}
