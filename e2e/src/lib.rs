//! Behaviour of the real programs, tested from outside.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
