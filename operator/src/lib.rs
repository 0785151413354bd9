//! Reconciles Millrace resources into media pods.
//!
//! One Cluster at a time: what is seen of it is a [`view::View`], [`decide::decide`] (pure) makes a
//! [`decision::Decision`] of it, and the shell carries that out.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod api;
pub mod balancing;
pub mod build;
pub mod cli;
pub mod controller;
pub mod decide;
pub mod decision;
pub mod directory;
pub mod failover;
pub mod front;
pub mod grouping;
pub mod health;
pub mod identity;
pub mod kept;
pub mod key;
pub mod keys;
pub mod labels;
pub mod leader;
pub mod link;
pub mod logging;
pub mod metrics;
pub mod names;
pub mod objects;
pub mod plan;
pub mod readiness;
pub mod reason;
pub mod resolve;
pub mod run;
pub mod scale;
pub mod status;
pub mod view;
pub mod watch;

#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod simulated;
