//! The four kinds, one per file; what only the Cluster has is in `cluster/`.

mod cluster;
mod feed;
mod room;
mod stream;

pub use cluster::*;
pub use feed::*;
pub use room::*;
pub use stream::*;

/// The API group of every kind.
pub const GROUP: &str = "millrace.dev";
/// The API version of every kind.
pub const VERSION: &str = "v1alpha1";
/// What stands after `apiVersion:` in every document of ours.
pub const API_VERSION: &str = "millrace.dev/v1alpha1";
