//! The API server, as its client sees it.

mod client;
mod error;
mod request;

pub use client::client;
pub use error::{ErrorClass, kind_of};
