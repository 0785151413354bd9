//! Who this media pod is on a link.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use bytes::Bytes;
use clap::Args;
use millrace_link::{
    Config, Role, Security, Side,
    engine::MAX_FRAGMENT,
    secure::{MemberKey, Secrecy, handshake::Credentials},
};
use millrace_report::link::Members;
use tokio::time;

use super::{LOOK, MAX_SESSIONS, Trusted};

/// The files that a link needs.
#[derive(Clone, Debug, Args)]
pub struct LinkFiles {
    /// The Ed25519 key of this member of the cluster: PKCS#8, in PEM.
    #[arg(long, value_name = "FILE")]
    pub link_key: Option<PathBuf>,
    /// Whom to believe on links: `members.json`.
    #[arg(long, value_name = "FILE")]
    pub link_trust: Option<PathBuf>,
}

/// See the module. Key and trust follow their files.
pub struct Identity {
    key: ArcSwap<MemberKey>,
    trust: Arc<Trusted>,
    role: Role,
    says: Bytes,
    files: [PathBuf; 2],
    /// Whom to believe was said by somebody who knows it before the file does.
    introduced: AtomicBool,
}

impl Identity {
    /// As the files say, in this role; `says` is what the other side is told of it.
    pub fn read(files: &LinkFiles, role: Role, says: impl Into<Bytes>) -> anyhow::Result<Arc<Self>> {
        let key = files.link_key.clone().context("a link needs --link-key")?;
        let trust = files.link_trust.clone().context("a link needs --link-trust")?;
        let named = |flag: &str, file: &PathBuf| format!("{flag} {}", file.display());
        let own = super::read(&key).map_err(anyhow::Error::from);
        let own =
            own.and_then(|pem| Ok(MemberKey::from_pem(&pem)?)).with_context(|| named("--link-key", &key))?;
        let trusted = Trusted::read(&trust).with_context(|| named("--link-trust", &trust))?;
        Ok(Arc::new(Self {
            key: ArcSwap::from_pointee(own),
            trust: Arc::new(trusted),
            role,
            says: says.into(),
            files: [key, trust],
            introduced: AtomicBool::new(false),
        }))
    }

    /// Its key.
    pub fn key(&self) -> Arc<MemberKey> {
        self.key.load_full()
    }

    /// Whom it believes.
    pub fn trust(&self) -> &Arc<Trusted> {
        &self.trust
    }

    /// The operator says whom to believe: from now on that counts, and not the file, which is written at the same time and
    /// read later. What is wrong changes nothing.
    pub fn introduce(&self, members: &Members) {
        match self.trust.learn(members) {
            Ok(()) => {
                self.introduced.store(true, Ordering::Relaxed);
                tracing::info!(members = members.members.len(), "members taken from the operator");
            }
            Err(e) => {
                tracing::error!(error = %format!("{e:#}"), "the operator's members are wrong; those before are believed on");
            }
        }
    }

    /// For one more link.
    pub fn config(&self, side: Side) -> Config {
        let credentials = Credentials {
            key: Some(self.key()),
            role: self.role,
            grant: self.says.clone(),
            trust: self.trust.clone(),
            secrecy: Secrecy::Packets,
            binding: Bytes::new(),
        };
        let mut config = Config::new(side, Security::Handshake(credentials));
        config.max_channels = MAX_SESSIONS + 16;
        // A chunk goes in one packet. Media does not shrink, and the rest is little.
        (config.max_fragment, config.compress) = (MAX_FRAGMENT, false);
        config
    }

    /// Looks for other files, for ever.
    pub async fn follow(self: Arc<Self>) {
        let [key, trust] = &self.files;
        let (mut key_before, mut trust_before) = (super::read(key).ok(), super::read(trust).ok());
        loop {
            time::sleep(LOOK).await;
            if let Some(now) = changed(&mut key_before, super::read(key).ok()) {
                match MemberKey::from_pem(&now) {
                    Ok(own) => self.key.store(Arc::new(own)),
                    Err(e) => {
                        tracing::error!(file = %key.display(), error = %e, "the key before is used on");
                    }
                }
            }
            if let Some(now) = changed(&mut trust_before, super::read(trust).ok())
                && !self.introduced.load(Ordering::Relaxed)
            {
                match self.trust.learn_json(&now) {
                    Ok(()) => tracing::info!(file = %trust.display(), "members taken"),
                    Err(e) => {
                        tracing::error!(file = %trust.display(), error = %format!("{e:#}"), "the members before are believed on");
                    }
                }
            }
        }
    }
}

/// What a file says now, if that can be read and is news.
pub(crate) fn changed(before: &mut Option<Vec<u8>>, now: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let now = now.filter(|now| before.as_ref() != Some(now))?;
    *before = Some(now.clone());
    Some(now)
}
