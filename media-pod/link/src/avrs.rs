//! Sessions, content, cluster and signals over a link: channels `S`, `c`, `C`, `A`, and `r` for what became of it.

pub mod client;
pub mod cluster;
pub mod content;
pub mod kind;
pub mod message;
pub mod rights;
pub mod server;
pub mod session;
pub mod sign;
pub mod signal;
pub mod statistics;
pub mod verifier;
pub mod way;

pub use client::{ClientEvent, ClientSessions};
pub use cluster::{Announcement, ClusterMessage, Load, Member, Serving};
pub use content::{Content, ContentError, ContentFlags, Generation};
pub use kind::{ContentKind, Direction, Join};
pub use message::{Request, Return};
pub use rights::{ClusterOp, may};
pub use server::{MAX_QUEUED, ServerEvent, ServerSessions, Target};
pub use session::{Command, Stage};
pub use sign::{SIGN_LEN, Signed};
pub use signal::{Quality, Signal};
pub use statistics::SessionStats;
pub use verifier::{Opinion, RolesOnly, Verifier};
pub use way::{Hop, Way, WayError};
