//! YAML as kubectl reads it, with the place of every value, and written so that both read it alike.

pub(crate) mod emit;
pub(crate) mod path;
pub(crate) mod scalar;
pub(crate) mod tree;
