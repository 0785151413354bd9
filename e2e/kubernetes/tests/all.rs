//! Behaviour on a real cluster, one module for each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod crds;
mod failover;
mod faults;
mod harness;
mod helm;
mod live;
mod nodes;
mod operator;
mod outage;
mod paths;
mod people;
mod placement;
mod quickstart;
mod scale;
mod secrets;
mod sets;
mod upstreams;
mod verdicts;
