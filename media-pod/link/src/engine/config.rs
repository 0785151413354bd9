//! What a link is allowed to use.

use std::time::Duration;

use super::MAX_FRAGMENT;
use crate::Side;
use crate::secure::handshake::Credentials;
use crate::wire::Role;

/// How the other side is known.
#[derive(Clone)]
pub enum Security {
    /// No handshake, no secrecy: it is taken for what is said here.
    Clear {
        /// Its role.
        peer_role: Role,
    },
    /// Mutual authentication, and sealing where that is wanted.
    Handshake(Credentials),
}

/// Bounds and choices of one link.
#[derive(Clone)]
pub struct Config {
    /// Who dialed.
    pub side: Side,
    /// How the other side is known.
    pub security: Security,
    /// Largest piece of a message in one packet, bytes (512 to [`MAX_FRAGMENT`]): how long one channel can hold up another.
    pub max_fragment: usize,
    /// Bytes per channel that the other side may send ahead of what was consumed (8,192 and up). A message has at most half.
    pub window: u32,
    /// Bytes per channel that may wait to be sent before [`crate::SendError::Full`].
    pub send_queue: usize,
    /// Channels that may be open at once.
    pub max_channels: usize,
    /// Whether messages may be compressed on their way out. Those that come in may always be.
    pub compress: bool,
    /// Silence after which the other side is dead.
    pub keepalive_timeout: Duration,
}

/// A number that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Too small or too large a fragment.
    #[error("max_fragment is {0}: 512 to 66048 would be right")]
    MaxFragment(usize),
    /// Too small a window.
    #[error("window is {0}: 8192 and up would be right")]
    Window(u32),
    /// No time at all.
    #[error("keepalive_timeout is zero: 3 s is usual")]
    KeepaliveTimeout,
}

impl Config {
    /// The usual bounds.
    pub fn new(side: Side, security: Security) -> Self {
        Self {
            side,
            security,
            max_fragment: 16 * 1024,
            window: 1024 * 1024,
            send_queue: 1024 * 1024,
            max_channels: 1024,
            compress: true,
            keepalive_timeout: crate::KEEPALIVE_TIMEOUT,
        }
    }

    /// The usual bounds, without handshake.
    pub fn clear(side: Side, peer_role: Role) -> Self {
        Self::new(side, Security::Clear { peer_role })
    }

    /// Largest message that may come in.
    pub(crate) fn max_message(&self) -> usize {
        self.window as usize / 2
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !(512..=MAX_FRAGMENT).contains(&self.max_fragment) {
            return Err(ConfigError::MaxFragment(self.max_fragment));
        }
        if self.window < 8192 {
            return Err(ConfigError::Window(self.window));
        }
        if self.keepalive_timeout.is_zero() {
            return Err(ConfigError::KeepaliveTimeout);
        }
        Ok(())
    }
}
