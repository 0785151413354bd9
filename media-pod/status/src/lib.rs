//! The status page and its JSON: one value, two renderings.
//!
//! [`Status`] is what is known at one moment. [`Status::to_json`] writes it for programs, [`render_html`] for
//! people. Nothing here reads a clock, a file or a socket: whoever serves the page fills the value.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod html;
mod model;

pub use html::{PageOptions, content_security_policy, render_html};
pub use model::{
    Activation, ClientStatus, Configuration, ConfigurationError, FeedStatus, Gop, LastExit, Link, LinkStatus,
    Listener, Moment, Process, Program, Source, SourceKind, State, Status, StreamStatus, Totals, Track,
    TrackKind,
};
