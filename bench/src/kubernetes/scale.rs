//! Many Streams on fake nodes: until all is applied, at what cost, and whether it is quiet afterwards.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use serde_json::{Value, json};
use tokio::time;

use super::{
    api::Space,
    candidate::{self, Candidate},
    deployed, fakes,
    figures::Requests,
    first_byte::object,
    kwok,
    table::Table,
};
use crate::{proc, report::Verdict};

const NAMESPACE: &str = "bench-scale";
const STREAMS_OF_A_FEED: usize = 5;
/// Feeds that are applied side by side, each with its Streams after it.
const AT_ONCE: usize = 16;
const LOOK: Duration = Duration::from_millis(250);
/// Without a write for so long, the operator is done.
const DONE: Duration = Duration::from_secs(15);
const ENDS: Duration = Duration::from_mins(20);
/// Megabytes of memory that the operator may have.
const MEMORY: f64 = 150.0;
/// Requests for each object.
const REQUESTS: f64 = 3.0;

/// How to measure.
pub struct How {
    /// Streams of each run.
    pub sizes: Vec<usize>,
    /// Clusters that they are shared among.
    pub clusters: usize,
    /// How long to look on while nothing changes.
    pub quiet: Duration,
    /// How long all may take.
    pub patience: Duration,
    /// Fake nodes.
    pub nodes: usize,
    /// The operator.
    pub program: PathBuf,
}

/// What came of one size.
struct Run {
    applying: f64,
    settled: Settled,
    objects: usize,
    cpu: f64,
    memory: f64,
    requests: Requests,
    quiet: Requests,
    quiet_cpu: f64,
    load: f64,
}

/// How far it got, in seconds from the last apply.
struct Settled {
    /// Until all objects were there.
    made: Option<f64>,
    /// Until the last status was written; nothing where it took too long.
    told: Option<f64>,
    /// How many of the Feeds and Streams are Ready.
    ready: usize,
    /// How many Feeds and Streams there are.
    all: usize,
}

/// The names of the Streams on a Feed.
pub fn streams_of(feed: &str) -> Vec<String> {
    (0..STREAMS_OF_A_FEED).map(|number| format!("{feed}-{number}")).collect()
}

/// Measures, and adds lines to the table.
pub async fn run(client: &Client, how: &How, table: &mut Table) -> Result<()> {
    deployed::pause(client).await?;
    let _kwok = kwok::start(client, how.nodes).await?;
    Space::create(client, candidate::NAMESPACE).await?;
    let mut runs = Vec::new();
    let mut failed = None;
    for size in &how.sizes {
        let run = one(client, how, *size).await;
        // While kwok runs: it lets go of the pods.
        let space = Space::at(client, &name(*size));
        space.delete("Namespace", space.name()).await?;
        match run {
            Ok(run) => runs.push(run),
            Err(error) => {
                table.note(format!("{size} Streams: {error:#}"));
                failed = Some(error);
            }
        }
        space.gone(ENDS).await?;
        if failed.is_some() {
            break;
        }
    }
    lines(&runs, how, table);
    failed.map_or(Ok(()), Err)
}

/// Removes what a run may have left, and starts the installed operator again.
pub async fn clean(client: &Client) -> Result<()> {
    let all = Space::at(client, "default");
    for name in all.names("Namespace", "").await? {
        if name == candidate::NAMESPACE || name.starts_with(NAMESPACE) {
            all.delete("Namespace", &name).await?;
        }
    }
    kwok::remove(client).await?;
    deployed::resume(client).await
}

fn name(size: usize) -> String {
    format!("{NAMESPACE}-{size}")
}

async fn one(client: &Client, how: &How, size: usize) -> Result<Run> {
    let space = Space::create(client, &name(size)).await?;
    let operator = Candidate::start(&how.program, space.name()).await?;
    let _fakes = fakes::start(client, space.name(), &operator).await?;
    for number in 0..how.clusters {
        let spec = json!({"servers": kwok::servers()});
        space.apply(&object("Cluster", &cluster(number), &spec)).await?;
    }
    let services = || async { Ok((space.count("Service").await? == how.clusters).then_some(())) };
    space.until(how.patience, "each Cluster has its Service", services).await?;
    time::sleep(Duration::from_secs(2)).await;

    let (before, cpu, load) = (operator.requests().await?, operator.cpu()?, proc::load());
    let feeds = size.div_ceil(STREAMS_OF_A_FEED);
    let began = Instant::now();
    apply(&space, size, how.clusters).await?;
    let applied = Instant::now();
    let applying = (applied - began).as_secs_f64();
    eprintln!("{size} Streams: applied in {applying:.1} s");
    let settled = settle(&space, &operator, how, size, feeds, applied).await?;
    let cpu = operator.cpu()? - cpu;
    let requests = operator.requests().await?.since(&before).but_leases();
    eprintln!("{size} Streams: {} of {} Ready; {}", settled.ready, settled.all, requests.text());

    let (before, cpu_before) = (operator.requests().await?, operator.cpu()?);
    time::sleep(how.quiet).await;
    let quiet = operator.requests().await?.since(&before).but_leases();
    let quiet_cpu = operator.cpu()? - cpu_before;
    let (memory_now, memory) = operator.memory()?;
    eprintln!("{size} Streams: {memory_now:.0} MB now, {memory:.0} MB at most; quiet: {}", quiet.text());
    // Feeds, Streams, and three objects for each Feed.
    let objects = size + feeds * 4;
    Ok(Run { applying, settled, objects, cpu, memory, requests, quiet, quiet_cpu, load })
}

fn cluster(number: usize) -> String {
    format!("bench-{number}")
}

async fn apply(space: &Space, size: usize, clusters: usize) -> Result<()> {
    let feeds = size.div_ceil(STREAMS_OF_A_FEED);
    let groups =
        stream::iter((0..feeds).map(|number| group(number, size, clusters))).map(|group| async move {
            for object in group {
                space.apply(&object).await?;
            }
            anyhow::Ok(())
        });
    groups.buffer_unordered(AT_ONCE).try_collect().await
}

/// A Feed and its Streams, of which all together are `size`.
fn group(number: usize, size: usize, clusters: usize) -> Vec<Value> {
    let feed = format!("feed-{number}");
    let cluster = json!({"name": cluster(number % clusters)});
    let source = json!({"command": ["ffmpeg", "-re", "-i", format!("rtsp://camera-{number}/"), "-c", "copy", "-f", "mpegts", "{output}"]});
    let mut all = vec![object("Feed", &feed, &json!({"clusterRef": cluster, "source": source}))];
    let streams = streams_of(&feed).into_iter().take(size - number * STREAMS_OF_A_FEED);
    all.extend(streams.map(|name| {
        let spec = json!({"clusterRef": cluster, "path": format!("/{name}.ts"), "feeds": [feed]});
        object("Stream", &name, &spec)
    }));
    all
}

/// Seconds from the last apply until all objects were there, and until nothing was written any more.
async fn settle(
    space: &Space,
    operator: &Candidate,
    how: &How,
    size: usize,
    feeds: usize,
    applied: Instant,
) -> Result<Settled> {
    let mut made = None;
    let mut last = (0, Instant::now());
    loop {
        let writes = operator.requests().await?.writes().total();
        if writes != last.0 {
            last = (writes, Instant::now());
        }
        if made.is_none() && is_made(space, feeds).await? {
            made = Some(applied.elapsed().as_secs_f64());
        }
        let late = applied.elapsed() > how.patience;
        if late || made.is_some() && last.1.elapsed() >= DONE {
            let (all, ready) = told(space).await?;
            if all == ready && all == size + feeds {
                let told = Some(last.1.saturating_duration_since(applied).as_secs_f64());
                return Ok(Settled { made, told, ready, all });
            }
            eprintln!("{ready} of {all} are Ready as they are now");
            if late {
                return Ok(Settled { made, told: None, ready, all });
            }
        }
        time::sleep(LOOK).await;
    }
}

async fn is_made(space: &Space, feeds: usize) -> Result<bool> {
    // One ConfigMap is Kubernetes' own.
    Ok(space.count("Pod").await? >= feeds
        && space.count("Secret").await? >= feeds
        && space.count("ConfigMap").await? > feeds)
}

/// How many Feeds and Streams there are, and of how many the status says that they are Ready as they are now.
async fn told(space: &Space) -> Result<(usize, usize)> {
    let (mut all, mut ready) = (0, 0);
    for kind in ["Feed", "Stream"] {
        space
            .each(kind, |object| {
                all += 1;
                let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
                let is = conditions.into_iter().flatten().any(|it| {
                    it["type"] == "Ready"
                        && it["status"] == "True"
                        && it.get("observedGeneration") == object.pointer("/metadata/generation")
                });
                ready += usize::from(is);
            })
            .await?;
    }
    Ok((all, ready))
}

fn lines(runs: &[Run], how: &How, table: &mut Table) {
    let mut line = |what: &str, of: &dyn Fn(&Run) -> String, goal: &str| {
        let missing = how.sizes.len().saturating_sub(runs.len());
        let cells = runs.iter().map(of).chain(std::iter::repeat_n("not measured".to_owned(), missing));
        table.row(what, cells.chain([goal.to_owned()]));
    };
    let within = how.patience.as_secs();
    let text = |seconds: Option<f64>| seconds.map_or(format!("not in {within}"), |it| format!("{it:.1}"));
    let judged = |value: f64, limit: f64, digits: usize| {
        let verdict = Verdict::at_most(value, limit).text();
        format!("{value:.digits$} ({verdict})")
    };
    line("load average before", &|it| format!("{:.1}", it.load), "");
    line("the bench applies for so long, s", &|it| format!("{:.1}", it.applying), "");
    line("last apply to all ConfigMaps, Secrets and Pods, s", &|it| text(it.settled.made), "");
    line("last apply to the last status written, s", &|it| text(it.settled.told), "");
    line(
        "Feeds and Streams that are Ready then",
        &|it| format!("{} of {}", it.settled.ready, it.settled.all),
        "all",
    );
    line("operator's CPU until then, s", &|it| format!("{:.1}", it.cpu), "");
    line("operator's resident memory at its highest, MB", &|it| judged(it.memory, MEMORY, 0), "at most 150");
    line("objects changed or made", &|it| it.objects.to_string(), "");
    let per_object = |it: &Run| it.requests.total() as f64 / it.objects as f64;
    line("API requests for each of them", &|it| judged(per_object(it), REQUESTS, 2), "at most 3");
    line("those requests", &|it| it.requests.text(), "");
    let minutes = how.quiet.as_secs_f64() / 60.0;
    let quiet = format!("API requests in {minutes:.1} min without change, but the Lease's");
    let quiet_text = |it: &Run| match it.quiet.total() {
        0 => "0 (pass)".to_owned(),
        n => format!("{n}: {}", it.quiet.text()),
    };
    line(&quiet, &quiet_text, "0; a watch that ends after 5 min is begun anew");
    let cpu = |it: &Run| format!("{:.1}", it.quiet_cpu / how.quiet.as_secs_f64().max(1e-3) * 100.0);
    line("operator's CPU in that time, % of a core", &cpu, "");
}
