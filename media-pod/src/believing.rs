//! Whose certificates a client over TLS believes.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Where certificates are that machines believe.
const USUAL: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Believes what the certificates in `ca` (its name and PEM) sign; none: what this machine believes.
pub fn believing(ca: Option<(String, Vec<u8>)>) -> Result<Arc<ClientConfig>, String> {
    let (from, pem) = ca.map_or_else(usual, Ok)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| format!("{from}: {e}"))?;
        // Machines believe some that rustls cannot read.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(format!("{from}: no certificate in PEM is in there"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn usual() -> Result<(String, Vec<u8>), String> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let file = named.or_else(|| USUAL.iter().map(PathBuf::from).find(|file| file.exists()));
    let file =
        file.ok_or("this machine has no file of certificates that it believes: name one (`--ca` of a client, `ca.crt` in the Secret of an upstream)")?;
    let pem = crate::linking::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok((file.display().to_string(), pem))
}
