//! A grant: that a run of a pod's bus owns a feed, in one epoch.

use std::str;

use thiserror::Error;

use crate::{
    epoch::Epoch,
    id::{BootId, FeedUid, Holder, IdError, MAX_ID, PodUid},
    keys::KeyId,
};

/// What every grant begins with: nothing else that the operator signs can be taken for one.
const MAGIC: &[u8] = b"millrace grant 1\0";
const SIGNATURE: usize = 64;

/// The longest signed grant, in bytes.
pub const MAX_GRANT: usize = MAGIC.len() + 3 * (1 + MAX_ID) + 8 + KeyId::LENGTH + SIGNATURE;

/// That `holder` owns `feed` in `epoch`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The feed.
    pub feed: FeedUid,
    /// The owner.
    pub holder: Holder,
    /// The epoch.
    pub epoch: Epoch,
}

/// A grant with the operator's signature, not yet verified.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SignedGrant {
    pub(crate) grant: Grant,
    pub(crate) key: KeyId,
    pub(crate) signature: [u8; SIGNATURE],
}

/// A grant that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GrantError {
    /// There is none.
    #[error("no grant; one signed by the operator would be right")]
    Missing,
    /// It does not begin as a grant does.
    #[error("grant: the first bytes are not those of a grant of this version")]
    Magic,
    /// It ends too early.
    #[error("grant: it ends within {field}")]
    Short {
        /// The field.
        field: &'static str,
    },
    /// Something follows.
    #[error("grant: {0} bytes follow its end")]
    Trailing(usize),
    /// A name that cannot be one.
    #[error("grant: {0}")]
    Name(#[from] IdError),
    /// A name that is not text.
    #[error("grant: {field} is not text")]
    Text {
        /// The field.
        field: &'static str,
    },
    /// An epoch that cannot be one.
    #[error("grant: {0}")]
    Epoch(#[from] crate::epoch::EpochError),
    /// Signed with a key that is not known.
    #[error("grant: signed with key {0}, which is none of the operator's")]
    Key(KeyId),
    /// The signature is wrong.
    #[error("grant: the signature by key {0} is not of these bytes")]
    Signature(KeyId),
    /// It is of another feed, pod, boot or epoch.
    #[error("grant: {field} is {found}; {expected} would be right")]
    Other {
        /// The field.
        field: &'static str,
        /// What the grant says.
        found: String,
        /// What it is shown for.
        expected: String,
    },
}

impl GrantError {
    /// The code of the link protocol (`AVRS_ERROR_SIGN_…`): not present, incorrect, alien.
    pub fn code(&self) -> u32 {
        match self {
            Self::Missing => 0xf0,
            Self::Key(_) | Self::Other { .. } => 0xf2,
            _ => 0xf1,
        }
    }
}

impl Grant {
    /// The bytes that are signed: each name with its length in one byte, the epoch in eight, big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_GRANT);
        bytes.extend_from_slice(MAGIC);
        for name in [self.feed.as_str(), self.holder.pod.as_str(), self.holder.boot.as_str()] {
            bytes.push(name.len() as u8);
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(&self.epoch.get().to_be_bytes());
        bytes
    }

    /// Whether it is for this feed, holder and epoch; the error says which of them differs.
    pub fn is_for(&self, feed: &FeedUid, holder: &Holder, epoch: Epoch) -> Result<(), GrantError> {
        fn same(field: &'static str, found: &str, expected: &str) -> Result<(), GrantError> {
            let other = || GrantError::Other { field, found: found.into(), expected: expected.into() };
            if found == expected { Ok(()) } else { Err(other()) }
        }
        same("feed UID", self.feed.as_str(), feed.as_str())?;
        same("pod UID", self.holder.pod.as_str(), holder.pod.as_str())?;
        same("boot ID", self.holder.boot.as_str(), holder.boot.as_str())?;
        if self.epoch == epoch { Ok(()) } else { same("epoch", &self.epoch.to_string(), &epoch.to_string()) }
    }
}

impl SignedGrant {
    /// What it claims. Nobody has verified it.
    pub fn claim(&self) -> &Grant {
        &self.grant
    }

    /// The key that it claims to be signed with.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The signed bytes, the key's name, the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.grant.to_bytes();
        bytes.extend_from_slice(&self.key.0);
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads one. It is well formed then, and not yet verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrantError> {
        if bytes.is_empty() {
            return Err(GrantError::Missing);
        }
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(GrantError::Magic)?;
        let feed = FeedUid::new(name(&mut rest, "feed UID")?)?;
        let pod = PodUid::new(name(&mut rest, "pod UID")?)?;
        let boot = BootId::new(name(&mut rest, "boot ID")?)?;
        let epoch = Epoch::new(u64::from_be_bytes(array(&mut rest, "epoch")?))?;
        let key = KeyId(array(&mut rest, "key")?);
        let signature = array(&mut rest, "signature")?;
        if !rest.is_empty() {
            return Err(GrantError::Trailing(rest.len()));
        }
        Ok(Self { grant: Grant { feed, holder: Holder { pod, boot }, epoch }, key, signature })
    }
}

fn name<'a>(rest: &mut &'a [u8], field: &'static str) -> Result<&'a str, GrantError> {
    let (length, after) = rest.split_first().ok_or(GrantError::Short { field })?;
    let (text, after) = after.split_at_checked(usize::from(*length)).ok_or(GrantError::Short { field })?;
    *rest = after;
    str::from_utf8(text).map_err(|_| GrantError::Text { field })
}

fn array<const N: usize>(rest: &mut &[u8], field: &'static str) -> Result<[u8; N], GrantError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(GrantError::Short { field })?;
    *rest = after;
    Ok(*bytes)
}

/// For fuzzers: no bytes make reading panic, and what is read is written alike.
///
/// # Panics
///
/// If that is not so.
#[cfg(any(test, fuzzing))]
pub fn fuzz(bytes: &[u8]) {
    if let Ok(grant) = SignedGrant::from_bytes(bytes) {
        assert_eq!(grant.to_bytes(), bytes, "read and written alike");
        assert!(bytes.len() <= MAX_GRANT, "within bounds");
    }
}
