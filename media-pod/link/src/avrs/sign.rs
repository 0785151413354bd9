//! Content is signed once, by its origin, and verified by each who takes it.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{BufMut, Bytes};

use super::content::{CONTENT_HEADER_LEN, Content, split};
use crate::secure::identity::KeyError;
use crate::secure::{MemberId, MemberKey, Trust};
use crate::wire::tsd::TSD_HEADER_LEN;
use crate::wire::{Code, tag};

/// Bytes of the signature's section: its header, key, signature.
pub const SIGN_LEN: usize = TSD_HEADER_LEN + 32 + 64;
const LABEL: &[u8] = b"millrace-link content";

/// A packet that was taken: who signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The signer.
    pub by: MemberId,
}

impl Content {
    /// Header and arguments with a signature over header, arguments and data: send them and then the data.
    pub fn sign_head(&self, key: &MemberKey) -> Result<Bytes, KeyError> {
        let mut head = self.head(SIGN_LEN);
        let signature = key.sign(&to_sign(&head, &self.data))?;
        head.put_u16_le(tag::CONTENT_SIGN);
        head.put_u32_le(32 + 64);
        head.put_slice(&key.id().0);
        head.put_slice(&signature);
        Ok(head.freeze())
    }
}

/// Checks the signature of a whole content packet and whether its key may sign content. The three failures are
/// [`Code::SIGN_NOT_PRESENT`], [`Code::SIGN_INCORRECT`] and [`Code::SIGN_ALIEN`].
pub fn verify(packet: &[u8], trust: &dyn Trust) -> Result<Signed, Code> {
    let (_, args) = split(packet).ok_or(Code::CONTENT_INFO_CORRUPTED)?;
    let offset = args.checked_sub(SIGN_LEN).filter(|offset| *offset >= CONTENT_HEADER_LEN);
    let offset = offset.ok_or(Code::SIGN_NOT_PRESENT)?;
    let (before, rest) = packet.split_at_checked(offset).ok_or(Code::SIGN_NOT_PRESENT)?;
    let (section, data) = rest.split_at_checked(SIGN_LEN).ok_or(Code::SIGN_NOT_PRESENT)?;
    let body = section.strip_prefix(&SECTION_HEADER).ok_or(Code::SIGN_NOT_PRESENT)?;
    let (key, signature) = body.split_first_chunk::<32>().ok_or(Code::SIGN_NOT_PRESENT)?;
    let by = MemberId(*key);
    if !by.verify(&to_sign(before, data), signature) {
        return Err(Code::SIGN_INCORRECT);
    }
    if trust.may_sign(&by) { Ok(Signed { by }) } else { Err(Code::SIGN_ALIEN) }
}

const SECTION_HEADER: [u8; TSD_HEADER_LEN] = {
    let [t0, t1] = tag::CONTENT_SIGN.to_le_bytes();
    [t0, t1, 96, 0, 0, 0]
};

/// Ed25519 signs a short text with a hash in it: hashing in pieces needs no copy of the data, and SHA-256 has
/// instructions of its own.
fn to_sign(head: &[u8], data: &[u8]) -> Vec<u8> {
    let mut hash = Context::new(&SHA256);
    hash.update(head);
    hash.update(data);
    [LABEL, hash.finish().as_ref()].concat()
}
