//! Looks at one Cluster after another: gathers, decides, carries out.

mod apply;
mod gather;
pub mod queue;
mod reconcile;
mod tell;

pub(crate) use apply::SEEN_WITHIN;
pub use apply::{WriteError, Writer, Written};
pub use gather::{Gathered, gather};
pub use reconcile::{Controller, Parts};
pub use tell::Teller;
