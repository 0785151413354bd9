//! Behaviour of the real programs, tested from outside.
//!
//! [`Pod`] is a media pod as a user starts it: the built binary, a YAML file, a free port on the loopback
//! interface. It ends with the test, and the test fails if it leaves a process behind.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod children;
mod pod;
mod wait;

pub use children::{children_of, processes_marked};
pub use pod::{Pod, binary, read_from};
pub use wait::{eventually, eventually_within};
