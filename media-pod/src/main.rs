//! `media-pod`: see `media-pod --help`.
fn main() {}
