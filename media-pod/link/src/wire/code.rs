//! Return codes.

use std::fmt;

use super::table;

/// What became of something (`AVRS_SUCCESS`, `AVRS_ERROR_*`). Any number can arrive; [`Code::name`] knows those of the
/// documents.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct Code(pub u32);

impl Code {
    /// Done.
    pub const SUCCESS: Self = Self(0x0000_0000);
    /// An argument is missing, malformed or out of bounds.
    pub const ARG_INCORRECT: Self = Self(0x0000_0001);
    /// What must be signed is not.
    pub const SIGN_NOT_PRESENT: Self = Self(0x0000_00f0);
    /// The signature does not fit what it signs.
    pub const SIGN_INCORRECT: Self = Self(0x0000_00f1);
    /// The signature is right, but its key is nobody's here.
    pub const SIGN_ALIEN: Self = Self(0x0000_00f2);
    /// A cluster command that does not exist or makes no sense.
    pub const CLUSTER_WRONG_REQUEST: Self = Self(0x0000_0101);
    /// No such cluster.
    pub const CLUSTER_NOT_FOUND: Self = Self(0x0000_0102);
    /// The content exists but cannot be had now.
    pub const CONTENT_UNAVAILABLE: Self = Self(0x0000_0200);
    /// No such content.
    pub const CONTENT_NOT_FOUND: Self = Self(0x0000_0201);
    /// The header of a content packet is broken.
    pub const CONTENT_INFO_CORRUPTED: Self = Self(0x0000_0202);
    /// The data of a content packet is broken.
    pub const CONTENT_CORRUPTED: Self = Self(0x0000_0203);
    /// The channel or the stream id belongs to another session, or to none.
    pub const CONTENT_FLOW_WRONG_ID: Self = Self(0x0000_0210);
    /// No such member.
    pub const MEMBER_NOT_FOUND: Self = Self(0x0000_0300);
    /// The member is not who it says, or its role does not allow this.
    pub const MEMBER_SECURITY_ISSUE: Self = Self(0x0000_0301);
    /// What the member says of itself is incomplete.
    pub const MEMBER_INFO_PROBLEM: Self = Self(0x0000_0302);
    /// Not what may be asked in this state.
    pub const SESSION_WRONG_REQUEST: Self = Self(0x0000_0400);
    /// The session does not exist or is not open yet.
    pub const SESSION_NOT_OPENED: Self = Self(0x0000_0401);
    /// The session exists or is open already.
    pub const SESSION_ALREADY_OPENED: Self = Self(0x0000_0402);
    /// The content id is not one.
    pub const SESSION_CONTENT_ID_WRONG: Self = Self(0x0000_0404);
    /// Anything else.
    pub const ERROR: Self = Self(0xffff_ffff);

    /// Whether it is [`Code::SUCCESS`].
    pub fn is_success(self) -> bool {
        self == Self::SUCCESS
    }

    /// The name in the documents, if they have this number.
    pub fn name(self) -> Option<&'static str> {
        table::codes().find(|entry| entry.number == self.0).map(|entry| entry.document)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#010x})", self.name().unwrap_or("unknown code"), self.0)
    }
}
