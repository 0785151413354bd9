//! One media pod: feeds, streams and viewers, from the YAML that Kubernetes takes.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
