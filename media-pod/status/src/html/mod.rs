//! The page for people.

mod clients;
mod details;
mod document;
mod feeds;
mod href;
mod links;
mod overview;
mod parts;
mod policy;
mod server;
mod streams;
mod text;
mod units;

pub(crate) use href::Encoded;

pub use document::{PageOptions, render_html};
pub use policy::content_security_policy;
