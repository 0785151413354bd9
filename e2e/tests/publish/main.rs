//! Feeds that wait for somebody to send: over HTTP and over a link, to a server pod and through a balancer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "a test ends by it"
)]

mod alone;
mod balancer;
mod hostile;
mod senders;
mod states;
#[allow(dead_code, reason = "the tests of links need more of it")]
#[path = "../link/support.rs"]
mod support;
mod vanished;
