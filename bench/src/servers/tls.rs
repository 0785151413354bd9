//! A certificate for loopback, made for one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rustls::{ClientConfig, RootCertStore};

/// A self-signed certificate and who trusts it.
pub struct Identity {
    /// The certificate's PEM file.
    pub cert: PathBuf,
    /// The key's PEM file.
    pub key: PathBuf,
    /// A client that trusts it.
    pub client: Arc<ClientConfig>,
}

/// Makes one in `dir`.
pub fn identity(dir: &Path) -> Result<Identity> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&cert, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone())?;
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(Identity { cert, key, client: Arc::new(client) })
}
