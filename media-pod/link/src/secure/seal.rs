//! AES-256-GCM per packet, with keys of its own for each channel and direction.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::{Bytes, BytesMut};

use super::schedule::{expand, mix};
use super::spare::{Sealed, Spare};
use crate::wire::{ChannelId, HEADER_LEN};

/// Bytes that sealing adds.
pub const TAG_LEN: usize = 16;
/// Packets of a channel and direction after which its key changes.
pub const REKEY_AFTER: u64 = 1 << 20;

/// Why a packet could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Changed on the way, or sealed with another key.
    #[error("the packet was changed on its way or sealed with another key")]
    Forged,
    /// A number whose key is gone: using it again could repeat a nonce.
    #[error("the packet's number belongs to a key that is gone")]
    Old,
    /// The provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// The keys of one channel in one direction.
///
/// The nonce is the key's 12-byte vector with the packet's 64-bit number (little endian) added by exclusive or to its last
/// eight bytes; numbers never repeat while the link lives, not even when the channel is closed and opened again. The
/// packet's header is authenticated as well. After every [`REKEY_AFTER`] packets the secret is replaced by one
/// derived from it.
pub struct Seal {
    secret: [u8; 32],
    key: LessSafeKey,
    vector: [u8; 12],
    phase: u64,
}

impl Seal {
    /// Keys for `channel` from the secret of a direction. `own` is a key that both sides have from elsewhere.
    pub fn new(direction: &[u8; 32], channel: ChannelId, own: Option<&[u8; 32]>) -> Result<Self, SealError> {
        let base: [u8; 32] =
            expand(direction, &[b"channel", &channel.0.to_le_bytes()]).map_err(|_| SealError::Provider)?;
        let secret = match own {
            Some(own) => mix(&base, own, b"channel key").map_err(|_| SealError::Provider)?,
            None => base,
        };
        let (key, vector) = keys(&secret)?;
        Ok(Self { secret, key, vector, phase: 0 })
    }

    /// Seals the packet with this number.
    pub fn seal(
        &mut self,
        number: u64,
        header: &[u8; HEADER_LEN],
        parts: &[&[u8]],
    ) -> Result<Bytes, SealError> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let sealed = self.seal_into(number, header, parts, Spare::default().take(size + TAG_LEN))?;
        Ok(Bytes::copy_from_slice(sealed.bytes()))
    }

    /// Seals the packet with this number into memory of its size and that of a tag. The last part, which is the largest, is
    /// read and written once; those before it are copied first.
    pub(crate) fn seal_into(
        &mut self,
        number: u64,
        header: &[u8; HEADER_LEN],
        parts: &[&[u8]],
        mut out: Sealed,
    ) -> Result<Sealed, SealError> {
        self.advance(number)?;
        let (last, before) = parts.split_last().ok_or(SealError::Provider)?;
        let front = before.iter().map(|part| part.len()).sum();
        let (head, body) = out.bytes_mut().split_at_mut_checked(front).ok_or(SealError::Provider)?;
        let mut filled = 0;
        for part in before {
            let to = head.get_mut(filled..filled + part.len()).ok_or(SealError::Provider)?;
            to.copy_from_slice(part);
            filled += part.len();
        }
        self.key
            .seal_in_place_scatter(self.nonce(number), Aad::from(header), head, last, body)
            .map_err(|_| SealError::Provider)?;
        Ok(out)
    }

    /// Opens the packet with this number, where it lies.
    pub fn open(
        &mut self,
        number: u64,
        header: &[u8; HEADER_LEN],
        mut data: BytesMut,
    ) -> Result<Bytes, SealError> {
        self.advance(number)?;
        let opened = self.key.open_in_place(self.nonce(number), Aad::from(header), &mut data);
        let size = opened.map_err(|_| SealError::Forged)?.len();
        data.truncate(size);
        Ok(data.freeze())
    }

    fn advance(&mut self, number: u64) -> Result<(), SealError> {
        let phase = number / REKEY_AFTER;
        if phase < self.phase {
            return Err(SealError::Old);
        }
        while self.phase < phase {
            self.secret = expand(&self.secret, &[b"next"]).map_err(|_| SealError::Provider)?;
            self.phase += 1;
            if self.phase == phase {
                (self.key, self.vector) = keys(&self.secret)?;
            }
        }
        Ok(())
    }

    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.vector;
        nonce.iter_mut().skip(4).zip(number.to_le_bytes()).for_each(|(byte, part)| *byte ^= part);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn keys(secret: &[u8; 32]) -> Result<(LessSafeKey, [u8; 12]), SealError> {
    let key: [u8; 32] = expand(secret, &[b"key"]).map_err(|_| SealError::Provider)?;
    let vector = expand(secret, &[b"iv"]).map_err(|_| SealError::Provider)?;
    let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| SealError::Provider)?;
    Ok((LessSafeKey::new(key), vector))
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("phase", &self.phase).finish_non_exhaustive()
    }
}
