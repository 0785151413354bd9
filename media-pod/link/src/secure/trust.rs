//! Whom to let in.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use super::MemberId;
use crate::wire::{Code, Role};

/// What the other side says of itself in the handshake. The key was shown to be its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its key; none: it wants to stay nameless.
    pub id: Option<MemberId>,
    /// The role it wants.
    pub role: Role,
    /// What an issuer wrote about it: opaque to this crate.
    pub grant: Bytes,
}

/// Decides whom to let in, and as what. Grants, revocation and rotation are the implementation's.
pub trait Trust: Send + Sync {
    /// The role that the other side gets (at most what it claims), or why it gets none.
    fn admit(&self, claim: &Claim) -> Result<Role, Code>;

    /// Whether content signed with this key is the cluster's own.
    fn may_sign(&self, signer: &MemberId) -> bool {
        let _ = signer;
        false
    }
}

/// A list of known keys with their roles. It can be changed while links are up: rotation adds the new key, waits, and
/// removes the old one.
#[derive(Debug, Default)]
pub struct Members {
    known: RwLock<HashMap<MemberId, Role>>,
    nameless: bool,
}

impl Members {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nobody, but who has no key may come in as a Client.
    pub fn with_nameless_clients() -> Self {
        Self { nameless: true, ..Self::default() }
    }

    /// From now on this key has this role.
    pub fn insert(&self, id: MemberId, role: Role) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, role);
    }

    /// From now on this key is nobody's.
    pub fn remove(&self, id: &MemberId) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The role of a key.
    pub fn role(&self, id: &MemberId) -> Option<Role> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }
}

impl Trust for Members {
    fn admit(&self, claim: &Claim) -> Result<Role, Code> {
        let Some(id) = &claim.id else {
            return if !self.nameless {
                Err(Code::SIGN_NOT_PRESENT)
            } else if claim.role == Role::CLIENT {
                Ok(Role::CLIENT)
            } else {
                Err(Code::MEMBER_SECURITY_ISSUE)
            };
        };
        let role = self.role(id).ok_or(Code::SIGN_ALIEN)?;
        if role.has(claim.role) { Ok(claim.role) } else { Err(Code::MEMBER_SECURITY_ISSUE) }
    }

    fn may_sign(&self, signer: &MemberId) -> bool {
        self.role(signer).is_some_and(|role| role.has(Role::SERVER))
    }
}
