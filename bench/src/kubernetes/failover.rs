//! From the SIGKILL of an owner's process to the next picture at its viewers, with and without a standby.

use std::time::Instant;

use anyhow::{Result, anyhow};
use millrace_e2e_kubernetes::{
    Address, Crowd, Space, address_of, await_condition, cluster, control_plane_and_workers, feed, install,
    is_ready, kill_bus, local, marked, name, nodes, nodes_ready, stream, with,
};
use serde_json::json;

use super::{
    stats::{p50, p99},
    table::Table,
};
use crate::report::Verdict;

/// Of the table.
pub const HEADINGS: [&str; 7] =
    ["seconds from SIGKILL to the next picture", "p50", "p99", "worst", "cut off", "goal", ""];
const NAMESPACE: &str = "bench-failover";
const FEEDS: [&str; 4] = ["a", "b", "c", "d"];

/// What was seen in all rounds.
#[derive(Default)]
struct Seen {
    /// In seconds, of each viewer of the killed owner in each round.
    took: Vec<f64>,
    /// How often any viewer of any stream was cut off.
    ends: u32,
}

/// Measures, and adds lines to the table.
pub async fn run(kills: usize, viewers: usize, table: &mut Table) -> Result<()> {
    for (standby, most, goals) in [(false, 3.0, "p50 at most 1, p99 at most 3"), (true, 1.0, "p99 at most 1")]
    {
        // What tests are made of blocks, and panics where there is nothing more to hope for.
        let measured = tokio::task::spawn_blocking(move || measure(standby, kills, viewers)).await;
        let seen = measured.map_err(|error| anyhow!("{error}"))?;
        let (middle, high) = (p50(&seen.took), p99(&seen.took));
        let worst = seen.took.iter().copied().fold(0.0, f64::max);
        let verdict = match (Verdict::at_most(middle, 1.0), Verdict::at_most(high, most)) {
            (Verdict::Pass, other) => other,
            (missed, _) => missed,
        };
        let verdict = if seen.ends > 0 { Verdict::Missed(format!("{} cut off", seen.ends)) } else { verdict };
        let what = if standby { "with a standby" } else { "without" };
        let [middle, high, worst] = [middle, high, worst].map(|it| format!("{it:.2}"));
        table.row(what, [middle, high, worst, seen.ends.to_string(), goals.to_owned(), verdict.text()]);
    }
    Ok(())
}

fn measure(standby: bool, kills: usize, viewers: usize) -> Seen {
    assert!(local(), "processes can be killed on the nodes of e2e/cluster/up only");
    install();
    let space = Space::create(&format!("{NAMESPACE}-{standby}"));
    let seen = rounds(&space, standby, kills, viewers);
    space.end();
    seen
}

fn rounds(space: &Space, standby: bool, kills: usize, viewers: usize) -> Seen {
    let feeds = if standby { &FEEDS[..2] } else { &FEEDS[..] };
    space.apply(&cluster("default", &json!({})));
    for name in feeds {
        space.apply_all(&[with(feed(name, &marked()), &json!({"standby": standby})), stream(name, name)]);
    }
    let addresses: Vec<Address> = feeds.iter().map(|feed| outside(&space.address(feed))).collect();
    let pods = feeds.len() * if standby { 2 } else { 1 };
    let settled = || {
        await_condition("all server pods and balancers are Ready, and every feed has an owner", || {
            let (servers, balancers) = (space.pods(), space.balancers());
            let all = servers.len() == pods && balancers.len() == 2;
            (all && servers.iter().chain(&balancers).all(is_ready)).then_some(())
        });
        for feed in feeds {
            space.owner(feed);
        }
    };
    settled();
    let crowd = Crowd::watch(&addresses, viewers / feeds.len());
    let mut seen = Seen::default();
    for (round, feed) in feeds.iter().cycle().take(kills).enumerate() {
        settled();
        crowd.all_see(20);
        let (path, (_, owner)) = (format!("/{feed}"), space.owner(feed));
        let before = crowd.run(&path);
        crowd.begin();
        let killed = kill_bus(&owner);
        crowd.another_run(&path, &before);
        crowd.all_see(10);
        let took = went_on(&crowd, &path, killed);
        eprintln!(
            "{round}: {} viewers, worst {:.2} s, {} cut off so far",
            took.len(),
            took.iter().copied().fold(0.0, f64::max),
            crowd.ends()
        );
        seen.took.extend(took);
    }
    seen.ends = crowd.ends();
    seen
}

/// When the longest pause of each viewer of a path was over, in seconds after the kill.
fn went_on(crowd: &Crowd, path: &str, killed: Instant) -> Vec<f64> {
    let theirs = crowd.seen().into_iter().filter(|seen| seen.path == path);
    theirs.filter_map(|seen| seen.went_on).map(|at| (at.max(killed) - killed).as_secs_f64()).collect()
}

fn outside(address: &Address) -> Address {
    let (first, _) = control_plane_and_workers();
    nodes_ready();
    let node = nodes().into_iter().find(|node| name(node) == first).unwrap_or_default();
    let port = address.host.rsplit(':').next().unwrap_or_default();
    Address { host: format!("{}:{port}", address_of(&node)), path: address.path.clone() }
}
