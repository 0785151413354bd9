//! What each role may ask of another on channel `C`.

use crate::wire::{Code, Role};

/// Operations on channel `C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ClusterOp {
    /// A new member. Host only: it changes configuration.
    AddMember = 1,
    /// A member less. Host only.
    RemoveMember = 2,
    /// Who is there.
    ListMembers = 3,
    /// A server has a path.
    Announce = 4,
    /// A server no longer has a path.
    Withdraw = 5,
    /// How busy a member is.
    ReportLoad = 6,
    /// Go elsewhere.
    Redirect = 7,
    /// Take nothing new and let go of what is there.
    Drain = 8,
}

/// Every operation.
pub const CLUSTER_OPS: [ClusterOp; 8] = [
    ClusterOp::AddMember,
    ClusterOp::RemoveMember,
    ClusterOp::ListMembers,
    ClusterOp::Announce,
    ClusterOp::Withdraw,
    ClusterOp::ReportLoad,
    ClusterOp::Redirect,
    ClusterOp::Drain,
];

impl ClusterOp {
    /// The operation with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        CLUSTER_OPS.into_iter().find(|op| *op as u8 == number)
    }

    /// Any of these roles may ask for it.
    pub const fn allowed(self) -> Role {
        let (host, operator) = (Role::HOST.0, Role::OPERATOR.0);
        let (server, balancer) = (Role::SERVER.0, Role::BALANCER.0);
        Role(match self {
            Self::AddMember | Self::RemoveMember => host,
            Self::ListMembers => host | operator | server | balancer,
            Self::Announce | Self::Withdraw => server,
            Self::ReportLoad => server | balancer,
            Self::Redirect => host | server | balancer,
            Self::Drain => host | operator,
        })
    }
}

/// Whether a member of this role may ask for this.
pub fn may(role: Role, op: ClusterOp) -> Result<(), Code> {
    if role.has_any(op.allowed()) { Ok(()) } else { Err(Code::MEMBER_SECURITY_ISSUE) }
}
