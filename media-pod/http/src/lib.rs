//! The front door: HTTP in, streams handed to the egress shards.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
