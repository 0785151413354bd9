//! Whole stories, told against the simulated API server.

mod balancers;
pub mod faulty;
mod pods;
mod quickstart;
mod restart;
mod secret;
mod set;
mod upstreams;
