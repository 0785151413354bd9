//! An upstream as the Cluster names it, with what its Secret holds.

use std::{fmt, sync::Arc};

use millrace_crds::{kinds::Upstream, resolved::Resolved};
use millrace_link::{
    client::{Address, Options},
    net::Backoff,
};

use crate::believing::believing;

/// See the module. Of two that are equal one link is enough.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Config {
    pub name: Arc<str>,
    pub url: String,
    login: Option<(String, String)>,
    ca: Option<Vec<u8>>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Config {
    pub fn of(upstream: &Upstream, resolved: &Resolved) -> Self {
        let secret = upstream.credentials.as_ref().and_then(|it| resolved.secrets.get(&it.secret_name));
        let login = secret.and_then(|secret| secret.user_and_password());
        Self {
            name: upstream.name.as_str().into(),
            url: upstream.url.clone(),
            login: login.map(|(name, password)| (name.to_owned(), password.to_owned())),
            ca: secret.and_then(|secret| secret.data.get("ca.crt")).cloned(),
        }
    }

    /// All that the Cluster names, in its order.
    pub fn all(resolved: &Resolved) -> Vec<Self> {
        resolved.cluster.upstreams.iter().map(|upstream| Self::of(upstream, resolved)).collect()
    }

    /// Where it is. The path is of no meaning: a link has many.
    pub fn address(&self) -> Result<Address, String> {
        let whole = format!("{}/", self.url.trim_end_matches('/'));
        let mut address: Address =
            format!("{whole}millrace").parse().map_err(|wrong| format!("{} {wrong}", self.url))?;
        address.login.clone_from(&self.login);
        Ok(address)
    }

    /// How to dial it.
    pub fn options(&self, address: &Address) -> Result<Options, String> {
        let ca = || self.ca.as_ref().map(|pem| ("ca.crt".to_owned(), pem.clone()));
        let tls = if address.transport.is_secure() { Some(believing(ca())?) } else { None };
        Ok(Options { tls, patience: super::uplink::PATIENCE, ..Options::default() })
    }

    /// How long to wait between two tries to reach it.
    pub fn backoff() -> Backoff {
        Backoff::default()
    }

    /// What a session with it authenticates with.
    pub fn credentials(&self) -> Vec<u8> {
        self.login
            .as_ref()
            .map_or_else(Vec::new, |(name, password)| format!("{name}:{password}").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(spec: &str) -> Vec<Config> {
        let yaml = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{username: ann, password: 'a:b'}}\n---\n\
             apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: c}}\nspec: {{upstreams: [{spec}]}}\n"
        );
        let loaded = millrace_crds::load("test.yaml", &yaml).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        Config::all(&loaded)
    }

    #[test]
    fn an_upstream_has_an_address_and_what_its_secret_says() {
        let all = configs(
            "{name: eu, url: 'millrace://eu.example:9000/', credentials: {secretName: s}}, \
             {name: us, url: 'millrace+ws://us.example'}",
        );
        let address = all[0].address().unwrap();
        assert_eq!((address.host.as_str(), address.port), ("eu.example", 9000));
        assert_eq!(all[0].credentials(), b"ann:a:b");
        assert!(!format!("{:?}", all[0]).contains("ann"));
        assert_eq!((all[1].address().unwrap().port, all[1].credentials()), (8080, Vec::new()));
        assert!(all[1].options(&all[1].address().unwrap()).unwrap().tls.is_none());
    }
}
