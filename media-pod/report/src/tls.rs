//! TLS 1.3 with one certificate that both ends know: the operator shows it, media pods take this one and no other.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    version::TLS13,
};

const TEN_YEARS: Duration = Duration::from_hours(10 * 365 * 24);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text holds none.
    #[error("there is no certificate in it; a PEM file with one CERTIFICATE is needed")]
    Certificate,
    /// The text holds no key.
    #[error("there is no private key in it; a PEM file with one PRIVATE KEY is needed")]
    Key,
    /// TLS refuses it.
    #[error(transparent)]
    Tls(#[from] Error),
    /// A new one could not be made.
    #[error("no certificate could be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// A certificate and its key, both in PEM.
#[derive(Clone)]
pub struct CertificateAndKey {
    /// The certificate, to be given to everybody.
    pub certificate: String,
    /// The key, to be given to nobody.
    pub key: String,
}

impl std::fmt::Debug for CertificateAndKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CertificateAndKey").finish_non_exhaustive()
    }
}

/// Makes a certificate for `name` that is signed by itself, for ten years from now.
///
/// # Errors
/// Where `name` cannot be in a certificate.
pub fn self_signed(name: &str) -> Result<CertificateAndKey, TlsError> {
    let key = rcgen::KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::new([name.to_owned()])?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    parameters.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970;
    parameters.not_after = parameters.not_before + TEN_YEARS;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    let certificate = parameters.self_signed(&key)?;
    Ok(CertificateAndKey { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// For the operator: shows the first certificate of `certificate`, both in PEM.
///
/// # Errors
/// Where they are no certificate and its key.
pub fn server(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, TlsError> {
    let certificate = pinned(certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| TlsError::Key)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config))
}

/// For a media pod: talks only to who shows the first certificate of `certificate`, in PEM, and has its key. Names and
/// dates in it do not matter.
///
/// # Errors
/// Where there is none.
pub fn client(certificate: &str) -> Result<Arc<ClientConfig>, TlsError> {
    let (certificate, provider) = (pinned(certificate)?, provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { certificate, provider }))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn pinned(pem: &str) -> Result<CertificateDer<'static>, TlsError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Certificate)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Takes one certificate and no other.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *shown == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_can_be_used() {
        let made = self_signed("millrace-operator").unwrap();
        assert!(server(&made.certificate, &made.key).is_ok());
        assert!(client(&made.certificate).is_ok());
        let other = self_signed("millrace-operator").unwrap();
        assert!(server(&made.certificate, &other.key).is_err(), "a key of another certificate");
    }

    #[test]
    fn what_is_no_certificate_is_refused_in_words() {
        assert!(client("nothing").unwrap_err().to_string().contains("no certificate"));
        let made = self_signed("x").unwrap();
        assert!(server(&made.certificate, "nothing").unwrap_err().to_string().contains("no private key"));
        assert!(!format!("{made:?}").contains("BEGIN"));
    }
}
