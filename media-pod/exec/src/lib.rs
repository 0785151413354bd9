//! Runs transcoder commands so that no orphan can exist.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
