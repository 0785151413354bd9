//! The key schedule: one secret of the handshake, many keys (HKDF-SHA-256, RFC 5869).

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac;

use super::kex::Shared;
use crate::Side;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand of a 32-byte secret.
pub(crate) fn expand<const N: usize>(secret: &[u8; 32], info: &[&[u8]]) -> Result<[u8; N], Unspecified> {
    fill(&Prk::new_less_safe(HKDF_SHA256, secret), info)
}

/// HKDF-Extract, then Expand with one label.
pub(crate) fn mix(salt: &[u8], input: &[u8], info: &[u8]) -> Result<[u8; 32], Unspecified> {
    fill(&Salt::new(HKDF_SHA256, salt).extract(input), &[info])
}

fn fill<const N: usize>(prk: &Prk, info: &[&[u8]]) -> Result<[u8; N], Unspecified> {
    let mut out = [0; N];
    prk.expand(info, Length(N))?.fill(&mut out)?;
    Ok(out)
}

/// What both sides know after the exchange.
#[derive(Clone)]
pub struct Secrets {
    to_acceptor: [u8; 32],
    to_dialer: [u8; 32],
    finished_dialer: [u8; 32],
    finished_acceptor: [u8; 32],
}

impl Secrets {
    /// From the shared secret and the hash of the messages so far.
    pub fn derive(shared: &Shared, transcript: &[u8; 32]) -> Result<Self, Unspecified> {
        let prk = Salt::new(HKDF_SHA256, transcript).extract(shared);
        Ok(Self {
            to_acceptor: fill(&prk, &[b"millrace-link dialer to acceptor"])?,
            to_dialer: fill(&prk, &[b"millrace-link acceptor to dialer"])?,
            finished_dialer: fill(&prk, &[b"millrace-link finished dialer"])?,
            finished_acceptor: fill(&prk, &[b"millrace-link finished acceptor"])?,
        })
    }

    /// The secret of the direction in which `sender` sends.
    pub fn direction(&self, sender: Side) -> &[u8; 32] {
        match sender {
            Side::Dialer => &self.to_acceptor,
            Side::Acceptor => &self.to_dialer,
        }
    }

    /// Shows that `sender` has the keys: HMAC-SHA-256 over what it signed.
    pub fn finished(&self, sender: Side, message: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.finished_key(sender), message);
        let mut out = [0; 32];
        out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        out
    }

    /// Checks [`Secrets::finished`] in constant time.
    pub fn finished_is(&self, sender: Side, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.finished_key(sender), message, tag).is_ok()
    }

    fn finished_key(&self, sender: Side) -> hmac::Key {
        hmac::Key::new(
            hmac::HMAC_SHA256,
            match sender {
                Side::Dialer => &self.finished_dialer,
                Side::Acceptor => &self.finished_acceptor,
            },
        )
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}
