//! Feed, Stream, Cluster and Room: the resources people write, checked and resolved.
//!
//! [`load`] is the way from a file's text to what a media pod runs: it reads every document with the place of
//! each field, checks it by the same schema and rules that the API server has, and [`resolve`](resolve::resolve)s
//! templates and sets into the final form, [`Resolved`]. What is wrong is said all at once, as [`Diagnostic`]s.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod crd;
pub mod kinds;
pub mod resolve;
pub mod resolved;
pub mod rules;
pub mod shared;

mod check;
mod diagnostic;
mod hint;
mod reader;
mod yaml;

/// Entries for fuzzers: each takes any bytes and must come back.
#[cfg(any(test, fuzzing))]
pub mod fuzz {
    /// The whole way of a file; what is right must come back from its final form.
    ///
    /// # Panics
    /// When it does not.
    pub fn file(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(resolved) = crate::load("fuzz.yaml", &text) {
            let printed = crate::to_yaml(&resolved);
            assert!(crate::load("printed.yaml", &printed).as_ref() == Ok(&resolved), "{printed}");
        }
    }
}

pub use diagnostic::Diagnostic;
pub use kinds::{Cluster, Feed, Room, Stream};
pub use reader::{Checked, Documents, Loaded, check, load, load_with_warnings, read};
pub use resolved::{
    FinalCluster, FinalFeed, FinalRoom, FinalSecret, FinalSource, FinalStream, Resolved, secrets_to_yaml,
    to_yaml,
};
pub use yaml::{
    path::{FieldPath, Step},
    tree::{MAX_BYTES, MAX_DEPTH, MAX_NODES},
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn a_real_file_with_any_bit_flipped_or_cut_anywhere_is_read_without_a_panic() {
        let sample = include_bytes!("../../examples/sets.yaml");
        for at in (0..sample.len()).step_by(7) {
            crate::fuzz::file(sample.get(..at).unwrap());
            let mut flipped = sample.to_vec();
            flipped[at] ^= 1 << (at % 8);
            crate::fuzz::file(&flipped);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            crate::fuzz::file(&bytes);
        }
    }
}
