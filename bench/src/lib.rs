//! Measures the media pod beside a floor program and its peers, in one run, on loopback.
//!
//! Lowest first: [`clock`], [`hist`] and [`ts`] know nothing of the rest; [`clip`] and [`source`] make and play
//! the stream; [`viewers`] read it; [`servers`] starts what is measured; [`experiments`] put them together and
//! [`report`] says what came out.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod ask;
pub mod cgroup;
pub mod clip;
pub mod clock;
pub mod experiments;
pub mod floor;
pub mod hist;
pub mod hyper_peer;
pub mod kubernetes;
pub mod launch;
pub mod limits;
pub mod proc;
pub mod reel;
pub mod report;
pub mod restamp;
pub mod servers;
pub mod source;
pub mod ts;
pub mod viewers;
