//! Only one replica of the operator acts.

pub mod election;
mod lease;
mod lines;
mod term;
mod thread;

pub use lease::End;
pub use term::Term;
pub use thread::{Election, begin};
