//! Who is on the other side, and what nobody else can read or change.

pub mod handshake;
pub mod identity;
pub mod kex;
pub mod schedule;
pub mod seal;
mod spare;
pub mod trust;

pub use handshake::{Handshake, HandshakeError, Outcome, Secrecy};
pub use identity::{MemberId, MemberKey};
pub use schedule::Secrets;
pub use seal::{REKEY_AFTER, Seal, SealError, TAG_LEN};
pub use spare::Sealed;
pub(crate) use spare::Spare;
pub use trust::{Claim, Members, Trust};
