//! From what is seen to what is to be done. Pure.

use crate::{decision::Decision, view::View};

/// Decides.
pub fn decide(_view: &View) -> Decision {
    Decision::default()
}
