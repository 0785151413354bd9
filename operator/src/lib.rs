//! Reconciles Millrace resources into media pods.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
