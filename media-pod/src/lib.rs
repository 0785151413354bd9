//! One media pod: feeds, streams and viewers, from the YAML that Kubernetes takes.
//!
//! The way of a byte: a source ([`feed`]) is read by [`buffer`], looked at and published by [`intake`], and reaches
//! viewers by the bus's egress, or a command ([`stream`]) whose output goes the same way.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod believing;
pub mod buffer;
pub mod cli;
pub mod config;
pub mod drain;
pub mod edge;
pub mod feed;
pub mod guests;
pub mod hold;
pub mod inlet;
pub mod intake;
pub mod joining;
pub mod linking;
pub mod logging;
pub mod member;
pub mod not_yet;
pub mod origin;
pub mod plan;
pub mod play;
pub mod pod;
mod pull;
pub mod rates;
pub mod retry;
pub mod run;
pub mod runners;
pub mod shop;
pub mod site;
pub mod snapshot;
pub mod specs;
pub mod state;
pub mod stream;
pub mod watchdog;
