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
mod api;
mod by_hand;
mod failover;
mod first_byte;
mod membership;
mod moves;
mod operator;
mod peers;
mod reloads;
mod room;
mod support;
mod watching;
