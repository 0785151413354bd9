//! Ed25519 keys of members.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};

/// A member's public key: its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub [u8; 32]);

impl MemberId {
    /// Whether `signature` is this member's for `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, d| sum << 4 | d)).collect();
        if digits.len() == 64 { bytes.try_into().ok().map(Self) } else { None }
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither 32 bytes of seed nor PKCS#8.
    #[error("not an Ed25519 key: 32 bytes of seed or PKCS#8 (DER) would be one")]
    NotAKey,
    /// No `PRIVATE KEY` in PEM (RFC 7468, 10).
    #[error("no private key in PEM; `openssl genpkey -algorithm ed25519` makes one")]
    NoPem,
    /// The provider could not make or use one.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// A member's private key.
pub struct MemberKey {
    pair: Ed25519KeyPair,
    id: MemberId,
}

impl MemberKey {
    /// A new one.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_pair(Ed25519KeyPair::generate().map_err(|_| KeyError::Provider)?)
    }

    /// From 32 bytes of seed, or PKCS#8 in DER.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let pair = if bytes.len() == 32 {
            Ed25519KeyPair::from_seed_unchecked(bytes)
        } else {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes)
        };
        Self::from_pair(pair.map_err(|_| KeyError::NotAKey)?)
    }

    /// From PKCS#8 in PEM: the first private key in it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyError::NoPem)?;
        Self::from_bytes(der.secret_pkcs8_der())
    }

    fn from_pair(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let id = MemberId(pair.public_key().as_ref().try_into().map_err(|_| KeyError::Provider)?);
        Ok(Self { pair, id })
    }

    /// The public key.
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature = self.pair.try_sign(message).map_err(|_| KeyError::Provider)?;
        signature.as_ref().try_into().map_err(|_| KeyError::Provider)
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberKey({})", self.id)
    }
}
