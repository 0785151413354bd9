//! What all replicas of the operator share: a certificate for the status connections, and the key of their tokens.

use std::{collections::BTreeMap, time::Duration};

use aws_lc_rs::rand;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use millrace_report::tls::{CertificateAndKey, self_signed};
use tokio::time;
use tracing::{info, warn};

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const TOKEN_KEY: &str = "token.key";
const TOKEN_KEY_BYTES: usize = 32;
const REQUEST: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);

/// What all replicas share.
#[derive(Clone)]
pub struct Identity {
    /// For the status connections.
    pub certificate: CertificateAndKey,
    /// What slots' tokens are derived from.
    pub token_key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The API server said no, or was not reached.
    #[error("the Secret {1} cannot be read or made: {0}")]
    Api(Box<kube::Error>, String),
    /// No answer.
    #[error("the Secret {0} cannot be read or made: no answer in time")]
    Late(String),
    /// It was made by hand, or something else has that name.
    #[error(
        "the Secret {0} lacks {1}; delete it, and the operator makes it anew (all media pods are then replaced)"
    )]
    Lacks(String, &'static str),
    /// A certificate or a key could not be made.
    #[error("no certificate or key could be made: {0}")]
    Make(String),
}

/// The Secret `name` of the operator's namespace; made if there is none. Tries until it is there.
pub async fn identity(client: &Client, namespace: &str, name: &str) -> Identity {
    let mut last = String::new();
    loop {
        match once(client, namespace, name).await {
            Ok(identity) => return identity,
            Err(error) => {
                let text = error.to_string();
                if text != last {
                    warn!("{text}");
                    last = text;
                }
            }
        }
        time::sleep(RETRY).await;
    }
}

async fn once(client: &Client, namespace: &str, name: &str) -> Result<Identity, IdentityError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let at = format!("{namespace}/{name}");
    if let Some(secret) = ask(api.get_opt(name), &at).await? {
        return read(&secret, &at);
    }
    let made = make(name)?;
    match ask(api.create(&PostParams::default(), &made), &at).await {
        Ok(secret) => {
            info!(secret = at, "certificate and key for status connections are made");
            read(&secret, &at)
        }
        // Another replica was quicker.
        Err(IdentityError::Api(error, _)) if matches!(&*error, kube::Error::Api(status) if status.code == 409) =>
        {
            let secret = ask(api.get(name), &at).await?;
            read(&secret, &at)
        }
        Err(error) => Err(error),
    }
}

async fn ask<T>(request: impl Future<Output = kube::Result<T>>, at: &str) -> Result<T, IdentityError> {
    let answer = time::timeout(REQUEST, request).await.map_err(|_| IdentityError::Late(at.to_owned()))?;
    answer.map_err(|error| IdentityError::Api(Box::new(error), at.to_owned()))
}

fn make(name: &str) -> Result<Secret, IdentityError> {
    let pair = self_signed(name).map_err(|error| IdentityError::Make(error.to_string()))?;
    let mut key = vec![0; TOKEN_KEY_BYTES];
    rand::fill(&mut key).map_err(|error| IdentityError::Make(error.to_string()))?;
    let data = BTreeMap::from([
        (CERTIFICATE.to_owned(), ByteString(pair.certificate.into_bytes())),
        (KEY.to_owned(), ByteString(pair.key.into_bytes())),
        (TOKEN_KEY.to_owned(), ByteString(key)),
    ]);
    let labels = crate::labels::map([
        ("app.kubernetes.io/name", "millrace"),
        ("app.kubernetes.io/component", "operator"),
    ]);
    Ok(Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        data: Some(data),
        ..Secret::default()
    })
}

fn read(secret: &Secret, at: &str) -> Result<Identity, IdentityError> {
    let value = |key: &'static str| {
        let value = secret.data.as_ref().and_then(|data| data.get(key)).map(|value| value.0.clone());
        value.filter(|value| !value.is_empty()).ok_or_else(|| IdentityError::Lacks(at.to_owned(), key))
    };
    let text = |key| String::from_utf8(value(key)?).map_err(|_| IdentityError::Lacks(at.to_owned(), key));
    let token_key = value(TOKEN_KEY)?;
    if token_key.len() < TOKEN_KEY_BYTES {
        return Err(IdentityError::Lacks(at.to_owned(), TOKEN_KEY));
    }
    Ok(Identity {
        certificate: CertificateAndKey { certificate: text(CERTIFICATE)?, key: text(KEY)? },
        token_key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_read_and_each_part_is_needed() {
        let made = make("millrace-operator").unwrap();
        let identity = read(&made, "ns/x").unwrap();
        assert_eq!(identity.token_key.len(), 32);
        assert!(millrace_report::tls::client(&identity.certificate.certificate).is_ok());
        for key in [CERTIFICATE, KEY, TOKEN_KEY] {
            let mut broken = made.clone();
            broken.data.as_mut().unwrap().remove(key);
            let error = read(&broken, "ns/x").unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("ns/x"), "{error}");
        }
        assert!(!format!("{identity:?}").contains("BEGIN"));
    }
}
