//! Why the front door did not open.

use std::{io, net::SocketAddr};

/// Why the front door did not open.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Somebody else listens there.
    #[error("cannot listen on {address}: another program already does; stop it or choose another port")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// A port below 1024, most likely.
    #[error("cannot listen on {address}: not permitted; choose a port from 1024 on")]
    NotPermitted {
        /// The address.
        address: SocketAddr,
    },
    /// The address is none of this machine's.
    #[error(
        "cannot listen on {address}: this machine has no such address; use 0.0.0.0 or [::] to listen on all it has"
    )]
    NoSuchAddress {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// HTTPS without certificates.
    #[error("cannot listen on {address} for HTTPS: there is no certificate")]
    NoCertificate {
        /// The address.
        address: SocketAddr,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl HttpError {
    pub(crate) fn listen(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { address },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Listen { address, source },
        }
    }
}
