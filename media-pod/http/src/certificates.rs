//! Certificates that can be replaced while connections are open.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// A certificate chain and its key. Those who connect after [`Certificates::replace`] see the new ones; those who are
/// there do not notice.
pub struct Certificates {
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
}

struct Current(ArcSwap<CertifiedKey>);

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The first is not PEM.
    #[error("the certificate is not PEM: {0}")]
    CertificatePem(pem::Error),
    /// The first is PEM, but of other things.
    #[error("there is no `-----BEGIN CERTIFICATE-----` in the certificate")]
    NoCertificate,
    /// The second is not PEM, or of other things.
    #[error("there is no key in PEM form (`-----BEGIN PRIVATE KEY-----` or the RSA and EC forms of it): {0}")]
    KeyPem(pem::Error),
    /// They do not belong together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(rustls::Error),
}

impl Certificates {
    /// Takes a chain (the server's own first) and a key, both in PEM form (RFC 7468).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Arc<Self>, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let first = certified(chain, key, &provider)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(first)));
        Ok(Arc::new(Self { provider, current }))
    }

    /// Shows these from now on. On an error the old ones stay.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), CertificateError> {
        self.current.0.store(Arc::new(certified(chain, key, &self.provider)?));
        Ok(())
    }

    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.x.
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certified(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(CertificateError::CertificatePem)?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::KeyPem)?;
    CertifiedKey::from_der(chain, key, provider).map_err(CertificateError::Unusable)
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current(..)")
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({} in the chain)", self.current.0.load().cert.len())
    }
}
