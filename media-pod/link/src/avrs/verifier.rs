//! Who may do what in a session. Attribute rules, tokens and more factors are other implementations of this.

use bytes::Bytes;

use super::kind::Direction;
use crate::secure::Claim;
use crate::wire::{Code, Role};

/// What a verifier thinks of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// Yes.
    Allow,
    /// No, with this code.
    Deny(Code),
    /// It takes time, or another step: the user of the sessions answers.
    Later,
}

/// Decides about sessions. It is asked at each step, so permissions may change over time.
pub trait Verifier: Send + Sync {
    /// Whether a member may have a session, with what it shows besides its key.
    fn authenticate(&self, member: &Claim, credentials: &Bytes) -> Opinion;

    /// Whether it may watch or publish this content.
    fn select(&self, member: &Claim, content: &str, direction: Direction) -> Opinion;
}

/// Every member may watch; servers, balancers and hosts may publish, too.
#[derive(Clone, Copy, Debug, Default)]
pub struct RolesOnly;

impl Verifier for RolesOnly {
    fn authenticate(&self, member: &Claim, _: &Bytes) -> Opinion {
        if member.role == Role::NONE { Opinion::Deny(Code::MEMBER_SECURITY_ISSUE) } else { Opinion::Allow }
    }

    fn select(&self, member: &Claim, _: &str, direction: Direction) -> Opinion {
        let publishers = Role::SERVER | Role::BALANCER | Role::HOST;
        if direction == Direction::Watch || member.role.has_any(publishers) {
            Opinion::Allow
        } else {
            Opinion::Deny(Code::MEMBER_SECURITY_ISSUE)
        }
    }
}
