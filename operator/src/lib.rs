//! Reconciles Millrace resources into media pods.
//!
//! One Cluster at a time: what is seen of it is a [`view::View`], [`decide::decide`] (pure) makes a
//! [`decision::Decision`] of it, and the shell carries that out.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod decide;
pub mod decision;
pub mod grouping;
pub mod reason;
pub mod view;
