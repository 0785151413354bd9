//! The operator's keys: one to sign with, several to verify with while they change.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use thiserror::Error;

use crate::grant::{Grant, GrantError, SignedGrant};

/// The most verification keys at one time.
pub const MAX_KEYS: usize = 16;

/// The name of a key: the first eight bytes of the SHA-256 of its public half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; Self::LENGTH]);

impl KeyId {
    pub(crate) const LENGTH: usize = 8;

    fn of(public: &[u8]) -> Self {
        let digest = digest(&SHA256, public);
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not a private key.
    #[error("the signing key is no Ed25519 key in PKCS#8")]
    Private,
    /// Not a public key.
    #[error("a verification key has {0} bytes; the 32 of an Ed25519 public key would be right")]
    Public(usize),
    /// Too many.
    #[error("more than {MAX_KEYS} verification keys; those that sign no grant any more can go")]
    Many,
    /// The system gives no random bytes.
    #[error("no random bytes for a new key")]
    Random,
}

/// Signs grants: the operator's.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: KeyId,
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Signer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Signer {
    /// A new private key, as PKCS#8: for the operator's Secret.
    pub fn generate() -> Result<Vec<u8>, KeyError> {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| KeyError::Random)?;
        Ok(document.as_ref().to_vec())
    }

    /// Reads a private key.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_pkcs8(bytes).map(Self::new).map_err(|_| KeyError::Private)
    }

    /// Makes the key of a seed of 32 bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self::new).map_err(|_| KeyError::Private)
    }

    fn new(pair: Ed25519KeyPair) -> Self {
        let id = KeyId::of(pair.public_key().as_ref());
        Self { pair, id }
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The public half, 32 bytes: what verifies.
    pub fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs. The same grant has the same signature, whoever asks and whenever.
    pub fn sign(&self, grant: &Grant) -> SignedGrant {
        let made = self.pair.sign(&grant.to_bytes());
        let signature = made.as_ref().first_chunk().copied().unwrap_or([0; 64]);
        SignedGrant { grant: grant.clone(), key: self.id, signature }
    }
}

/// Says whether a grant is the operator's.
pub trait Verify {
    /// The grant, if the operator signed it.
    fn verify<'a>(&self, signed: &'a SignedGrant) -> Result<&'a Grant, GrantError>;
}

/// The keys that grants are verified with. While the operator's key changes there are two: the new one is added
/// everywhere before the operator signs with it, the old one goes when no grant of it is left.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<KeyId, [u8; 32]>,
}

impl Keyring {
    /// Adds a public key of 32 bytes.
    pub fn add(&mut self, public: &[u8]) -> Result<KeyId, KeyError> {
        let key: [u8; 32] = public.try_into().map_err(|_| KeyError::Public(public.len()))?;
        let id = KeyId::of(&key);
        if self.keys.len() >= MAX_KEYS && !self.keys.contains_key(&id) {
            return Err(KeyError::Many);
        }
        self.keys.insert(id, key);
        Ok(id)
    }

    /// Takes a key out; whether it was there.
    pub fn remove(&mut self, id: KeyId) -> bool {
        self.keys.remove(&id).is_some()
    }

    /// The keys' names.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.keys().copied()
    }
}

impl Verify for Keyring {
    fn verify<'a>(&self, signed: &'a SignedGrant) -> Result<&'a Grant, GrantError> {
        let key = self.keys.get(&signed.key).ok_or(GrantError::Key(signed.key))?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signed.grant.to_bytes(), &signed.signature)
            .map_err(|_| GrantError::Signature(signed.key))?;
        Ok(&signed.grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{epoch::Epoch, grant};

    fn grant() -> Grant {
        Grant {
            feed: "feed-1".parse().unwrap(),
            holder: "pod-1_boot-1".parse().unwrap(),
            epoch: Epoch::new(7).unwrap(),
        }
    }

    fn ring(signers: &[&Signer]) -> Keyring {
        let mut ring = Keyring::default();
        for signer in signers {
            ring.add(signer.public()).unwrap();
        }
        ring
    }

    #[test]
    fn a_signed_grant_is_read_and_verified() {
        let signer = Signer::from_pkcs8(&Signer::generate().unwrap()).unwrap();
        let bytes = signer.sign(&grant()).to_bytes();
        let read = SignedGrant::from_bytes(&bytes).unwrap();
        assert_eq!(ring(&[&signer]).verify(&read), Ok(&grant()));
    }

    #[test]
    fn while_keys_change_both_are_good_and_then_one() {
        let (old, new) = (Signer::from_seed(&[1; 32]).unwrap(), Signer::from_seed(&[2; 32]).unwrap());
        let mut keys = ring(&[&old, &new]);
        let (by_old, by_new) = (old.sign(&grant()), new.sign(&grant()));
        assert!(keys.verify(&by_old).is_ok() && keys.verify(&by_new).is_ok());
        assert!(keys.remove(old.id()));
        assert_eq!(keys.verify(&by_old), Err(GrantError::Key(old.id())));
        assert!(keys.verify(&by_new).is_ok());
    }

    #[test]
    fn every_bit_that_is_changed_is_noticed() {
        let signer = Signer::from_seed(&[3; 32]).unwrap();
        let (keys, good) = (ring(&[&signer]), signer.sign(&grant()).to_bytes());
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            grant::fuzz(&bad);
            let taken = SignedGrant::from_bytes(&bad).and_then(|read| keys.verify(&read).cloned());
            assert!(taken.is_err(), "bit {at}");
        }
        for length in 0..good.len() {
            let error = SignedGrant::from_bytes(&good[..length]).unwrap_err();
            assert!(matches!(error.code(), 0xf0 | 0xf1), "{length}: {error}");
        }
        let long = [good.as_slice(), &[0]].concat();
        assert_eq!(SignedGrant::from_bytes(&long), Err(GrantError::Trailing(1)));
    }

    #[test]
    fn an_error_names_the_field_that_is_anothers() {
        let other = |feed: &str, holder: &str, epoch| {
            let found =
                grant().is_for(&feed.parse().unwrap(), &holder.parse().unwrap(), Epoch::new(epoch).unwrap());
            found.unwrap_err().to_string()
        };
        assert!(other("feed-2", "pod-1_boot-1", 7).contains("feed UID is feed-1; feed-2"));
        assert!(other("feed-1", "pod-2_boot-1", 7).contains("pod UID is pod-1; pod-2"));
        assert!(other("feed-1", "pod-1_boot-2", 7).contains("boot ID is boot-1; boot-2"));
        assert!(other("feed-1", "pod-1_boot-1", 8).contains("epoch is 7; 8"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_grant_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            grant::fuzz(&bytes);
            grant::fuzz(&[b"millrace grant 1\0".as_slice(), &bytes].concat());
        }
    }
}
