//! A media pod that is a member of a cluster: the real program against the real other end of its status connection.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test ends by it"
)]

mod balancer;
mod connection;
mod draining;
mod fleet;
mod operator;
mod ownership;
mod pushes;
mod reports;
mod secrets;
mod upstreams;
