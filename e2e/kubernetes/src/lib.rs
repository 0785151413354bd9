//! Behaviour of the whole on a real Kubernetes cluster, tested from outside.
//!
//! The cluster is that of `KUBECONFIG`, else the one of `e2e/cluster/up`. [`with_temp_namespace`] gives a test a
//! namespace of its own, with the operator of `manifests/` installed; a test that fails prints what is in it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test ends by it"
)]

mod clock;
mod cluster;
mod crowd;
mod distance;
mod door;
mod dump;
mod install;
mod kinds;
mod look;
mod metrics;
mod nodes;
mod operator;
mod programs;
mod resources;
mod scan;
mod space;
mod turn;
mod viewer;
mod wait;

pub use clock::OtherClock;
pub use cluster::{block_on, client};
pub use crowd::{Crowd, Seen};
pub use distance::Distance;
pub use install::{install, install_crds};
pub use look::{condition, is_ready, message, name, reason, uid, words};
pub use metrics::Metrics;
pub use nodes::{
    Broken, Cordoned, Labelled, Opened, address_of, annotation, control_plane_and_workers, kill_bus, nodes,
    nodes_ready, pod_is_gone,
};
pub use operator::{OPERATOR, Operator, SYSTEM};
pub use programs::{Paused, Program, helm, kubectl, local, on_node, pause_node, tool};
pub use resources::{cluster, feed, marked, object, pattern, steady, stream, with};
pub use scan::{Found, Scan};
pub use space::{Space, with_bare_namespace, with_temp_namespace, with_temp_namespace_alone};
pub use turn::{alone, together};
pub use viewer::{Address, curl, status_of};
pub use wait::{LONG, await_condition, await_within};
