//! Server pods and balancers of one cluster, linked by hand: the real programs, without an operator.
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
mod failover;
mod peers;
mod reloads;
mod support;
mod watching;
