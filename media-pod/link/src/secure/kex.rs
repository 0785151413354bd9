//! The hybrid key exchange: X25519 (RFC 7748) and ML-KEM-768 (FIPS 203). Both must be broken to know the secret.

use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use aws_lc_rs::rand::SystemRandom;

/// Bytes of an X25519 public key.
pub const X25519_LEN: usize = 32;
/// Bytes of an ML-KEM-768 encapsulation key.
pub const ML_KEM_KEY_LEN: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext.
pub const ML_KEM_CIPHERTEXT_LEN: usize = 1088;

/// The secret of both: X25519's 32 bytes, then ML-KEM's 32.
pub type Shared = [u8; 64];

/// The dialer's half: private keys that live for one handshake.
pub struct Offer {
    x25519: EphemeralPrivateKey,
    ml_kem: DecapsulationKey,
}

/// What the acceptor sends and both then know.
pub struct Reply {
    /// X25519 public key.
    pub x25519: Vec<u8>,
    /// ML-KEM-768 ciphertext.
    pub ciphertext: Vec<u8>,
    /// The secret.
    pub shared: Shared,
}

impl Offer {
    /// New keys.
    pub fn generate() -> Result<Self, Unspecified> {
        Ok(Self {
            x25519: EphemeralPrivateKey::generate(&X25519, &SystemRandom::new())?,
            ml_kem: DecapsulationKey::generate(&ML_KEM_768)?,
        })
    }

    /// Public keys: X25519, ML-KEM-768.
    pub fn public(&self) -> Result<(Vec<u8>, Vec<u8>), Unspecified> {
        let x25519 = self.x25519.compute_public_key()?.as_ref().to_vec();
        let ml_kem = self.ml_kem.encapsulation_key()?.key_bytes()?.as_ref().to_vec();
        Ok((x25519, ml_kem))
    }

    /// The secret, from what the acceptor sent.
    pub fn finish(self, x25519: &[u8], ciphertext: &[u8]) -> Result<Shared, Unspecified> {
        let second = self.ml_kem.decapsulate(Ciphertext::from(ciphertext))?;
        agree(self.x25519, x25519, second.as_ref())
    }
}

/// The acceptor's half, from what the dialer sent.
pub fn respond(x25519: &[u8], ml_kem: &[u8]) -> Result<Reply, Unspecified> {
    let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new())?;
    let public = own.compute_public_key()?.as_ref().to_vec();
    let theirs = EncapsulationKey::new(&ML_KEM_768, ml_kem).map_err(|_| Unspecified)?;
    let (ciphertext, second) = theirs.encapsulate()?;
    let shared = agree(own, x25519, second.as_ref())?;
    Ok(Reply { x25519: public, ciphertext: ciphertext.as_ref().to_vec(), shared })
}

fn agree(own: EphemeralPrivateKey, theirs: &[u8], second: &[u8]) -> Result<Shared, Unspecified> {
    // The provider refuses a result of all zeros (a point of small order).
    agree_ephemeral(own, UnparsedPublicKey::new(&X25519, theirs), Unspecified, |first| {
        [first, second].concat().try_into().map_err(|_| Unspecified)
    })
}
