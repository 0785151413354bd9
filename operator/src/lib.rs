//! Reconciles Millrace resources into media pods.
//!
//! What is here so far is the first of the planner's decisions, which needs no cluster: [`grouping`], which Feeds and
//! Streams belong into one media pod.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod grouping;
