//! Answers of another server that are kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bench;
mod bounds;
mod sharing;
#[path = "../support/mod.rs"]
mod support;
mod validity;
