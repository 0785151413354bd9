//! The handshake on channel 3: exchange of keys, then each side shows who it is, bound to everything said before.
//!
//! ```text
//! dialer                                             acceptor
//!   1 hello  random, X25519, ML-KEM key, secrecy  ->
//!                  <-  2 answer  random, X25519, ML-KEM ciphertext, secrecy
//!                  <-  3 auth    key, role, grant, signature, finished
//!   3 auth   key, role, grant, signature, finished ->
//! ```
//! From the answer on, packets are sealed if either side wants that.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::error::Unspecified;
use bytes::{BufMut, Bytes, BytesMut};

use super::kex::{self, Offer};
use super::{Claim, MemberId, MemberKey, Secrets, Trust};
use crate::Side;
use crate::wire::{Code, Role, Sections, TsdWriter, tag};

/// Version of the protocol.
pub const VERSION: u8 = 1;
/// Bytes that a grant may have.
pub const MAX_GRANT: usize = 8192;

const HELLO: u8 = 1;
const ANSWER: u8 = 2;
const AUTH: u8 = 3;

/// Who keeps packets secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Secrecy {
    /// The transport (TLS).
    Transport = 0,
    /// Every packet is sealed.
    Packets = 1,
}

/// What a side brings to the handshake.
#[derive(Clone)]
pub struct Credentials {
    /// Its key; none: it stays nameless (only a dialer may).
    pub key: Option<Arc<MemberKey>>,
    /// The role it claims.
    pub role: Role,
    /// What an issuer wrote about it.
    pub grant: Bytes,
    /// Whom it lets in.
    pub trust: Arc<dyn Trust>,
    /// What it wants of secrecy; the stricter of both holds.
    pub secrecy: Secrecy,
    /// Bytes that both ends of the transport know and no other transport has (RFC 9266, `tls-exporter`); empty for
    /// a bare one.
    pub binding: Bytes,
}

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("handshake: {text}: {code}")]
pub struct HandshakeError {
    /// What the other side is told.
    pub code: Code,
    /// The same for people.
    pub text: &'static str,
}

const fn wrong(code: Code, text: &'static str) -> HandshakeError {
    HandshakeError { code, text }
}

impl From<Unspecified> for HandshakeError {
    fn from(_: Unspecified) -> Self {
        wrong(Code::ERROR, "the key exchange failed")
    }
}

/// What to do after a message, in this order.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Send this, never sealed.
    pub send_clear: Option<Bytes>,
    /// From here on, in both directions, these are the keys; `true`: every packet is sealed.
    pub keys: Option<(Secrets, bool)>,
    /// Send this.
    pub send: Option<Bytes>,
    /// The other side is let in, in the role it says here.
    pub done: Option<Claim>,
}

enum Step {
    AwaitHello,
    AwaitAnswer(Offer),
    AwaitAuth(Secrets),
    Over,
}

/// One side of one handshake.
pub struct Handshake {
    side: Side,
    credentials: Credentials,
    step: Step,
    transcript: Context,
}

impl Handshake {
    /// The acceptor's side: it waits.
    pub fn accept(credentials: Credentials) -> Self {
        Self::new(Side::Acceptor, credentials, Step::AwaitHello)
    }

    /// The dialer's side, and the first message.
    pub fn dial(credentials: Credentials) -> Result<(Self, Bytes), HandshakeError> {
        let offer = Offer::generate()?;
        let (x25519, ml_kem) = offer.public()?;
        let hello = TsdWriter::new()
            .with(tag::VERSION, &[VERSION])
            .with(tag::RANDOM, &random()?)
            .with(tag::X25519, &x25519)
            .with(tag::ML_KEM_KEY, &ml_kem)
            .with(tag::SECRECY, &[credentials.secrecy as u8]);
        let hello = message(HELLO, hello);
        let mut handshake = Self::new(Side::Dialer, credentials, Step::AwaitAnswer(offer));
        handshake.heard(&hello);
        Ok((handshake, hello))
    }

    fn new(side: Side, credentials: Credentials, step: Step) -> Self {
        let mut transcript = Context::new(&SHA256);
        transcript.update(b"millrace-link 1");
        transcript.update(&(credentials.binding.len() as u32).to_le_bytes());
        transcript.update(&credentials.binding);
        Self { side, credentials, step, transcript }
    }

    /// The next message of the other side.
    pub fn handle(&mut self, bytes: &Bytes) -> Result<Outcome, HandshakeError> {
        let (&number, _) = bytes.split_first().ok_or(wrong(Code::ARG_INCORRECT, "empty message"))?;
        let sections = Sections::parse(bytes.slice(1..))
            .map_err(|_| wrong(Code::ARG_INCORRECT, "the message is no list of sections"))?;
        match (std::mem::replace(&mut self.step, Step::Over), number) {
            (Step::AwaitHello, HELLO) => self.hello(bytes, &sections),
            (Step::AwaitAnswer(offer), ANSWER) => self.answer(offer, bytes, &sections),
            (Step::AwaitAuth(secrets), AUTH) => self.auth(&secrets, bytes, &sections),
            _ => Err(wrong(Code::ARG_INCORRECT, "not the message whose turn it is")),
        }
    }

    fn hello(&mut self, bytes: &Bytes, sections: &Sections) -> Result<Outcome, HandshakeError> {
        if sections.u8(tag::VERSION) != Some(VERSION) {
            return Err(wrong(Code::ARG_INCORRECT, "version 1 is spoken here"));
        }
        let (Some(x25519), Some(ml_kem)) = (sections.get(tag::X25519), sections.get(tag::ML_KEM_KEY)) else {
            return Err(wrong(Code::ARG_INCORRECT, "a public key is missing"));
        };
        let reply = kex::respond(x25519, ml_kem)?;
        let secrecy = self.credentials.secrecy.max(secrecy(sections));
        let answer = TsdWriter::new()
            .with(tag::RANDOM, &random()?)
            .with(tag::X25519, &reply.x25519)
            .with(tag::ML_KEM_CIPHERTEXT, &reply.ciphertext)
            .with(tag::SECRECY, &[secrecy as u8]);
        let answer = message(ANSWER, answer);
        self.heard(bytes);
        self.heard(&answer);
        let secrets = Secrets::derive(&reply.shared, &self.hash())?;
        let auth = self.own_auth(&secrets)?;
        self.heard(&auth);
        self.step = Step::AwaitAuth(secrets.clone());
        Ok(Outcome {
            send_clear: Some(answer),
            keys: Some((secrets, secrecy == Secrecy::Packets)),
            send: Some(auth),
            done: None,
        })
    }

    fn answer(
        &mut self,
        offer: Offer,
        bytes: &Bytes,
        sections: &Sections,
    ) -> Result<Outcome, HandshakeError> {
        let (Some(x25519), Some(ciphertext)) =
            (sections.get(tag::X25519), sections.get(tag::ML_KEM_CIPHERTEXT))
        else {
            return Err(wrong(Code::ARG_INCORRECT, "a public key is missing"));
        };
        let shared = offer.finish(x25519, ciphertext)?;
        self.heard(bytes);
        let secrets = Secrets::derive(&shared, &self.hash())?;
        let secrecy = self.credentials.secrecy.max(secrecy(sections));
        self.step = Step::AwaitAuth(secrets.clone());
        Ok(Outcome { keys: Some((secrets, secrecy == Secrecy::Packets)), ..Outcome::default() })
    }

    fn auth(
        &mut self,
        secrets: &Secrets,
        bytes: &Bytes,
        sections: &Sections,
    ) -> Result<Outcome, HandshakeError> {
        let claim = self.check(secrets, sections)?;
        self.heard(bytes);
        let send = if self.side == Side::Dialer { Some(self.own_auth(secrets)?) } else { None };
        Ok(Outcome { send, done: Some(claim), ..Outcome::default() })
    }

    fn check(&self, secrets: &Secrets, sections: &Sections) -> Result<Claim, HandshakeError> {
        let id = sections.array(tag::MEMBER_KEY).map(MemberId);
        let role = Role(sections.u16(tag::ROLE).ok_or(wrong(Code::MEMBER_INFO_PROBLEM, "no role"))?);
        let grant = sections.get(tag::GRANT).cloned().unwrap_or_default();
        if grant.len() > MAX_GRANT {
            return Err(wrong(Code::MEMBER_INFO_PROBLEM, "the grant is too long"));
        }
        let signed = self.to_sign(self.side.other(), id.as_ref(), role, &grant);
        if let Some(id) = &id {
            let signature =
                sections.get(tag::SIGNATURE).ok_or(wrong(Code::SIGN_NOT_PRESENT, "not signed"))?;
            if !id.verify(&signed, signature) {
                return Err(wrong(Code::SIGN_INCORRECT, "the signature does not fit"));
            }
        } else if self.side == Side::Dialer {
            return Err(wrong(Code::SIGN_NOT_PRESENT, "the acceptor did not say who it is"));
        }
        let finished = sections.get(tag::FINISHED).ok_or(wrong(Code::SIGN_NOT_PRESENT, "not finished"))?;
        if !secrets.finished_is(self.side.other(), &signed, finished) {
            return Err(wrong(Code::SIGN_INCORRECT, "the finish does not fit"));
        }
        let mut claim = Claim { id, role, grant };
        claim.role =
            self.credentials.trust.admit(&claim).map_err(|code| wrong(code, "this member is not let in"))?;
        Ok(claim)
    }

    fn own_auth(&self, secrets: &Secrets) -> Result<Bytes, HandshakeError> {
        let Credentials { key, role, grant, .. } = &self.credentials;
        let id = key.as_ref().map(|key| key.id());
        let signed = self.to_sign(self.side, id.as_ref(), *role, grant);
        let signature = match key {
            Some(key) => Some(key.sign(&signed).map_err(|_| wrong(Code::ERROR, "could not sign"))?),
            None => None,
        };
        let auth = TsdWriter::new()
            .with_some(tag::MEMBER_KEY, id.map(|id| id.0))
            .with(tag::ROLE, &role.0.to_le_bytes())
            .with_some(tag::GRANT, Some(grant).filter(|grant| !grant.is_empty()))
            .with_some(tag::SIGNATURE, signature)
            .with(tag::FINISHED, &secrets.finished(self.side, &signed));
        Ok(message(AUTH, auth))
    }

    fn to_sign(&self, sender: Side, id: Option<&MemberId>, role: Role, grant: &[u8]) -> Vec<u8> {
        let label: &[u8] = match sender {
            Side::Dialer => b"millrace-link auth dialer",
            Side::Acceptor => b"millrace-link auth acceptor",
        };
        let mut out = label.to_vec();
        out.extend_from_slice(&self.hash());
        out.extend_from_slice(id.map_or(&[], |id| &id.0));
        out.extend_from_slice(&role.0.to_le_bytes());
        out.extend_from_slice(grant);
        out
    }

    fn heard(&mut self, message: &[u8]) {
        self.transcript.update(&(message.len() as u32).to_le_bytes());
        self.transcript.update(message);
    }

    fn hash(&self) -> [u8; 32] {
        let digest = self.transcript.clone().finish();
        let mut out = [0; 32];
        out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

fn secrecy(sections: &Sections) -> Secrecy {
    if sections.u8(tag::SECRECY) == Some(Secrecy::Transport as u8) {
        Secrecy::Transport
    } else {
        Secrecy::Packets
    }
}

fn message(number: u8, sections: TsdWriter) -> Bytes {
    let sections = sections.finish();
    let mut out = BytesMut::with_capacity(1 + sections.len());
    out.put_u8(number);
    out.extend_from_slice(&sections);
    out.freeze()
}

fn random() -> Result<[u8; 32], HandshakeError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}
