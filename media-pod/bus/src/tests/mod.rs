//! Tests of what is not public: the follower against a reference, memory, the publisher's bookkeeping.

mod demand;
mod follower;
mod memory;
mod piece;
mod publisher;
mod script;
mod trace;
