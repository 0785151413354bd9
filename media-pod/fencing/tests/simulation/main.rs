//! The rules, against chance: two replicas of the operator, servers, balancers with viewers, clocks that go wrong, a
//! network that loses, delays and falls apart, processes and nodes that die. A seed decides everything.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::unused_self,
    clippy::semicolon_if_nothing_returned,
    reason = "a test"
)]

mod balancer;
mod chance;
mod chaos;
mod checks;
mod crypto;
mod operator;
mod server;
mod world;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use millrace_fencing::Settings;

use crate::world::{Break, Event, World};

/// Milliseconds in which things go wrong.
const STORM: u64 = 10_000;
/// Milliseconds after it within which all must be right again.
const PEACE: u64 = 16_000;
/// When it is looked at first whether all is right.
const SOONEST: u64 = 4_000;

/// As by default, but for a shorter tenure, so that there is time for more of them.
fn settings() -> Settings {
    Settings { tenure: Duration::from_secs(4), move_deadline: Duration::from_secs(5), ..Settings::default() }
}

/// What went wrong, if anything did.
fn storm(seed: u64, broken: Break) -> Option<String> {
    let mut world = World::new(seed, broken, settings(), 3, STORM);
    for _ in 0..world.chance.within(3, 9) {
        let when = world.chance.within(2_000_000, STORM * 1000);
        world.later(when, Event::Fault);
    }
    world.run(STORM);
    world.calm_down();
    for second in 1..=PEACE / 1000 {
        world.run(STORM + second * 1000);
        let broken = world.checks.failed.is_some();
        if broken || second * 1000 >= SOONEST {
            world.check_peace();
        }
        if broken || world.checks.failed.is_none() && second * 1000 >= SOONEST || second * 1000 == PEACE {
            break;
        }
        world.checks.failed = None;
    }
    world.checks.failed
}

fn search(seeds: u64, broken: Break) -> Option<(u64, String)> {
    let (next, found) = (AtomicU64::new(0), std::sync::Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while found.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    if let Some(what) = storm(seed, broken) {
                        found.lock().unwrap().get_or_insert((seed, what));
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn seeds(default: u64) -> u64 {
    std::env::var("FENCING_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_storm_breaks_a_rule_and_after_each_every_feed_has_one_owner() {
    if let Ok(seed) = std::env::var("FENCING_SEED") {
        assert_eq!(storm(seed.parse().unwrap(), Break::Nothing), None);
        return;
    }
    // 10,000 take a minute of two cores where nothing is optimized.
    let default = if cfg!(debug_assertions) { 2_500 } else { 10_000 };
    assert_eq!(search(seeds(default), Break::Nothing), None);
}

fn is_found(broken: Break, what: &str) {
    let (seed, found) = search(3_000, broken).expect("the simulation finds what is broken");
    assert!(found.contains(what), "seed {seed}: {found}");
}

#[test]
fn epochs_counted_by_leases_alone_are_found() {
    is_found(Break::LeaseCounts, "two owners");
}

#[test]
fn balancers_that_forget_epochs_are_found() {
    is_found(Break::BalancersForget, "after Some");
}

#[test]
fn exclusive_work_that_does_not_wait_is_found() {
    is_found(Break::ClearAtOnce, "both do exclusive work");
}

#[test]
fn balancers_that_believe_anything_are_found() {
    is_found(Break::Gullible, "nobody granted");
}

#[test]
fn a_leader_that_does_not_carry_on_is_found() {
    is_found(Break::NotCarriedOn, "");
}

#[test]
fn an_operator_that_waits_for_less_than_a_tenure_is_found() {
    is_found(Break::Impatient, "both do exclusive work");
}

/// Milliseconds from an end to the first frame of the next owner at every balancer, of each feed that was hit; the
/// network is good. Sorted.
fn times(harm: impl Fn(&mut World), settings: &Settings) -> Vec<u64> {
    let mut times = Vec::new();
    for seed in 0..100 {
        let mut world = World::new(seed, Break::Nothing, settings.clone(), 3, 0);
        world.run(12_000);
        world.check_peace();
        assert_eq!(world.checks.failed, None, "seed {seed}");
        let when = 12_000 + world.chance.within(0, 1000);
        world.run(when);
        let leases: Vec<_> =
            world.feeds.iter().map(|f| (f.clone(), world.api[f].lease.clone().unwrap())).collect();
        harm(&mut world);
        let hit: Vec<_> = leases
            .into_iter()
            .filter(|(_, lease)| {
                world.servers.iter().any(|s| s.pod == lease.holder.pod && (!s.alive || s.clock.rate == 0))
            })
            .collect();
        for step in 1..2000 {
            world.run(when + step * 5);
            let healed = hit.iter().all(|(feed, lease)| {
                let alive = world.balancers.iter().filter(|b| b.alive);
                alive.clone().count() > 0 && alive.clone().all(|b| b.viewers.get(feed) > Some(&lease.epoch))
            });
            if healed {
                if !hit.is_empty() {
                    times.push(step * 5);
                }
                break;
            }
            assert!(step < 1999, "seed {seed}: never healed");
        }
    }
    times.sort_unstable();
    times
}

fn say(what: &str, times: &[u64]) -> (u64, u64) {
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{what}: {} times, p50 {p50} ms, p99 {p99} ms, longest {} ms",
        times.len(),
        times[times.len() - 1]
    );
    (p50, p99)
}

/// The process dies and stays dead.
fn sigkill(world: &mut World) {
    let i = (0..world.servers.len()).find(|i| {
        world.api.values().any(|s| s.lease.as_ref().is_some_and(|l| l.holder.pod == world.servers[*i].pod))
    });
    world.kill_for_good(i.unwrap());
}

#[test]
fn a_killed_server_is_followed_within_a_second_or_within_a_beat_of_the_silence_where_resets_are_not_believed()
{
    let (p50, p99) = say("SIGKILL, resets believed", &times(sigkill, &settings()));
    assert!(p50 <= 1000 && p99 <= 1600, "{p50} {p99}");
    let slow = Settings { reset_grace: None, ..settings() };
    let (_, p99) = say("SIGKILL, beats alone", &times(sigkill, &slow));
    // Three beats and one, and then the start of the source and half a beat between frames.
    assert!(p99 <= 4000 + 1000, "{p99}");
}

#[test]
fn a_lost_node_is_followed_within_four_beats_even_with_the_leader_on_it() {
    let lost = |node: usize| move |world: &mut World| world.lose_node_for_good(node);
    for (what, node) in [("node of a balancer, maybe of the leader", 1), ("node of the other operator", 2)] {
        let (_, p99) = say(what, &times(lost(node), &settings()));
        assert!(p99 <= 4500, "{p99}");
    }
}
