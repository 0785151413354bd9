//! Balancers: media pods that viewers connect to, and what belongs to them.

pub mod budget;
pub mod config_map;
pub mod deployment;
pub mod link_service;
pub mod secret;

/// The port that server pods dial.
pub const LINK: u16 = 9100;
