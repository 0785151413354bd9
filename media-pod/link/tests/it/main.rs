//! The link as its users see it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod alive;
mod clients;
mod cluster;
mod compress;
mod content;
mod credit;
mod engine;
mod hostile;
mod machines;
mod pair;
mod peer;
mod secure;
mod served;
mod sessions;
mod shell;
mod table;
mod wire;
