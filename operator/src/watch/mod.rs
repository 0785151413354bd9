//! What the API server has, as it was last seen.

mod guarded;
mod health;
mod nodes;
mod patience;
mod pods;
mod reflect;
mod secrets;
mod shelf;
mod stores;

pub use guarded::{Belongs, Guarded, Unreadable, Watched};
pub use health::{Health, Trouble};
pub use secrets::SecretError;
pub use shelf::{Item, Scope, Shelf, version_of};
pub use stores::{Stores, Touch};

/// What all objects that we build have.
pub const MANAGED: &str = "app.kubernetes.io/managed-by=millrace-operator";
