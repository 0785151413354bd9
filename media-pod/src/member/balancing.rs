//! What a member tells and hears as a balancer.

use std::sync::Arc;

use millrace_report::{
    link::Members,
    message::{Balancing, Edges, Fence},
};
use tokio::sync::watch;

/// A balancer, as its membership sees it. Nothing here may block.
pub trait Balancer: Send + Sync {
    /// All that it says in a beat, `newest` and `floors` in full: what an operator knows already is left out on the wire.
    fn balancing(&self) -> Balancing;

    /// Epochs that exist. Nobody has verified the grants.
    fn fenced(&self, fences: Vec<Fence>);

    /// All balancers of the Cluster, this one among them.
    fn edges(&self, edges: Arc<Edges>);

    /// Whose word counts on links from now on.
    fn introduced(&self, members: Arc<Members>);

    /// Counts what is to be told at once: links that come and go, owners that are new. Not sessions.
    fn changed(&self) -> watch::Receiver<u64>;
}
