//! Feed, Stream, Cluster and Room: the resources people write, checked and resolved.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
