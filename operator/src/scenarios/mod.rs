//! Whole stories, told against the simulated API server.

mod balancers;
pub mod faulty;
mod pods;
mod quickstart;
mod secret;
mod set;
