//! Behaviour of the real programs, tested from outside.
//!
//! [`Pod`] is a media pod as a user starts it: the built binary, a YAML file, a free port on the loopback
//! interface. It ends with the test, and the test fails if it leaves a process behind.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod browser;
mod children;
mod documented;
mod mark;
mod media;
mod pod;
mod resources;
mod tools;
mod wait;
mod watcher;

pub use browser::Browser;
pub use children::{children_of, processes_marked};
pub use documented::documented_metrics;
pub use mark::{Mark, STEADY};
pub use media::{Packet, brightness, decode, grey, packets, tracks};
pub use pod::{Pod, binary, read_from};
pub use resources::{PATTERN, feed, live, merged, remux, resource, stream, words};
pub use tools::{Said, repository, run, script};
pub use wait::{eventually, eventually_within};
pub use watcher::Watcher;
