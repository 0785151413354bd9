//! Clusters that pull from other Clusters: the real programs, on one machine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "a test ends by it"
)]

mod access;
mod by_hand;
mod changes;
mod lost;
mod rings;
mod setup;
#[path = "../link/support.rs"]
#[allow(dead_code, reason = "what the other tests of links need")]
mod support;
mod tree;
mod wrong;
