//! What is shown, as values.

mod feed;
mod moment;
mod process;
mod server;
mod stream;

pub use feed::{Activation, FeedStatus, Source, SourceKind};
pub use moment::Moment;
pub use process::{LastExit, State};
pub use server::{
    ClientStatus, Configuration, ConfigurationError, LinkStatus, Listener, Process, Program, Status, Totals,
};
pub use stream::{Gop, Link, StreamStatus, Track, TrackKind};
