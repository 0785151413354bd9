//! Clients: who watches or publishes one stream at an address.
//!
//! ```no_run
//! use millrace_link::client::{Address, Options, Player};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let address: Address = "millrace://127.0.0.1/door.ts".parse()?;
//! let mut player = Player::open(&address, &Options::default()).await?;
//! while let Some(content) = player.next().await? {
//!     println!("{} bytes of run {}", content.data.len(), content.generation.run);
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod connect;
mod play;
mod publish;

use std::sync::Arc;
use std::time::Duration;

use crate::avrs::Join;
use crate::net::SessionError;
use crate::secure::{Claim, MemberKey, Trust};
use crate::wire::{Code, Role};

#[cfg(any(test, fuzzing))]
pub(crate) use address::fuzz_address;
pub use address::{Address, AddressError, Transport};
pub use connect::{connect, connect_known};
pub use play::{Numbers, Player};
pub use publish::Publisher;

/// How to reach what stands at an address. The default is right for most.
#[derive(Clone)]
pub struct Options {
    /// For `millraces://` and `millrace+wss://`: whom to believe.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The key of this client; none: it stays nameless.
    pub key: Option<Arc<MemberKey>>,
    /// Which servers to believe. The default believes all: then only TLS shows who the other side is.
    pub trust: Arc<dyn Trust>,
    /// Where in live content to begin.
    pub join: Join,
    /// For the connection and both handshakes.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: None,
            key: None,
            trust: Arc::new(AnyServer),
            join: Join::LastKeyframe,
            patience: Duration::from_secs(10),
        }
    }
}

/// Believes everybody who says that it has content.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyServer;

impl Trust for AnyServer {
    fn admit(&self, claim: &Claim) -> Result<Role, Code> {
        let has_content = claim.role.has_any(Role::SERVER | Role::BALANCER | Role::HOST);
        if has_content { Ok(claim.role) } else { Err(Code::MEMBER_SECURITY_ISSUE) }
    }
}

/// Why a client has nothing, or nothing more. Each says its cause itself, and so has no `source()`.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection.
    #[error("{address}: {cause}")]
    Connect {
        /// To where.
        address: String,
        /// Why.
        cause: std::io::Error,
    },
    /// `millraces://` and `millrace+wss://` need [`Options::tls`].
    #[error("{0}: TLS needs to know whom to believe")]
    NoTls(String),
    /// A name and a password are needed, or others than these.
    #[error(
        "{0}: a name and a password are needed in the address, or others: millrace://NAME:PASSWORD@HOST/PATH"
    )]
    Password(String),
    /// The session, or the link below it.
    #[error("{address}: {cause}")]
    Session {
        /// With whom.
        address: String,
        /// Why.
        cause: SessionError,
    },
}

impl ClientError {
    fn of(address: &Address, cause: SessionError) -> Self {
        match cause {
            SessionError::Code { code: Code::MEMBER_INFO_PROBLEM, .. } => Self::Password(address.to_string()),
            cause => Self::Session { address: address.to_string(), cause },
        }
    }

    /// Whether the same may work later: a lost link and content that cannot be had now, but no wrong password or path.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. } => true,
            Self::NoTls(_) | Self::Password(_) => false,
            Self::Session { cause, .. } => match cause {
                SessionError::Channel(_) => true,
                SessionError::Code { code, .. } => *code == Code::CONTENT_UNAVAILABLE,
                SessionError::Content(_) => false,
            },
        }
    }
}
