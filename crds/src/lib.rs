//! Feed, Stream, Cluster and Room: the resources people write, checked and resolved.
//!
//! [`load`] is the way from a file's text to what a media pod runs: it reads every document with the place of
//! each field, checks it by the same schema and rules that the API server has, and [`resolve`](resolve::resolve)s
//! templates and sets into the final form, [`Resolved`]. What is wrong is said all at once, as [`Diagnostic`]s.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod crd;
pub mod kinds;
pub mod resolve;
pub mod resolved;
pub mod rules;
pub mod shared;

mod check;
mod diagnostic;
mod hint;
mod reader;
mod yaml;

pub use diagnostic::Diagnostic;
pub use kinds::{Cluster, Feed, Room, Stream};
pub use reader::{Checked, Documents, Loaded, check, load, load_with_warnings, read};
pub use resolved::{FinalCluster, FinalFeed, FinalRoom, FinalSecret, FinalSource, FinalStream, Resolved, to_yaml};
pub use yaml::{
    path::{FieldPath, Step},
    tree::{MAX_BYTES, MAX_DEPTH, MAX_NODES},
};
