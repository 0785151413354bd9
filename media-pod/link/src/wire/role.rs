//! Role bits.

use std::fmt;
use std::ops::BitOr;

/// What a member is (`avrs_role_t`): a set of bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Role(pub u16);

impl Role {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Consumes content.
    pub const CLIENT: Self = Self(0x0001);
    /// Owns the cluster.
    pub const HOST: Self = Self(0x0002);
    /// Looks after the cluster and changes no configuration.
    pub const OPERATOR: Self = Self(0x0004);
    /// Provides content.
    pub const SERVER: Self = Self(0x0100);
    /// Distributes load.
    pub const BALANCER: Self = Self(0x0200);
    /// Every bit.
    pub const ALL: Self = Self(0xffff);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    pub fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Role {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::CLIENT, "client"),
            (Self::HOST, "host"),
            (Self::OPERATOR, "operator"),
            (Self::SERVER, "server"),
            (Self::BALANCER, "balancer"),
        ];
        let set: Vec<_> = names.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| *name).collect();
        write!(f, "Role({:#06x} {})", self.0, set.join("+"))
    }
}
