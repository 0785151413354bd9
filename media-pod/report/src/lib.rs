//! The status connection: what a media pod and the operator tell each other.
//!
//! A media pod holds one to every replica of the operator, over TLS, and beats on each once a second. The operator's
//! leader answers with configurations and the directory; the others only listen.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod message;
