//! Who owns what: the leader watches who lives, gives Leases and grants, and moves what has lost its owner.
//!
//! The rules are those of the crate `millrace_fencing`; here is what they see ([`facts`], [`seen`], [`units`]), one [`guard`] for
//! each Cluster, and what carries out their orders ([`carry`]).

pub mod books;
pub mod brief;
pub mod carry;
pub mod facts;
pub mod guard;
pub mod guards;
pub mod guests;
pub mod hands;
pub mod owns;
pub mod seal;
pub mod seen;
pub mod trouble;
pub mod units;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;

use std::time::Duration;

/// How long a pod that is to go is waited for while it still owns something.
pub const PATIENCE: Duration = Duration::from_secs(30);
