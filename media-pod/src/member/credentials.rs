//! The operator's certificate and the slot's token: files of a Secret, which may be replaced.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use millrace_report::{message::Hello, tls};
use tokio::{sync::watch, time};

use crate::logging::mask;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(5);
/// Neither is longer, in bytes.
const LARGEST: u64 = 64 << 10;

/// See the module.
pub(super) struct Credentials {
    files: [PathBuf; 2],
    certificate: watch::Sender<String>,
    token: String,
}

impl Credentials {
    /// Reads both.
    pub(super) fn read(certificate: PathBuf, token: PathBuf) -> anyhow::Result<Self> {
        let files = [certificate, token];
        let [certificate, token] = files.each_ref().map(|file| text(file));
        let (certificate, token) =
            (certificate.context("--operator-ca")?, token.context("--operator-token")?);
        tls::client(&certificate).context("--operator-ca")?;
        mask::learn_token(&token);
        Ok(Self { files, certificate: watch::Sender::new(certificate), token })
    }

    /// The certificate, in PEM.
    pub(super) fn certificate(&self) -> watch::Receiver<String> {
        self.certificate.subscribe()
    }

    /// The token.
    pub(super) fn token(&self) -> String {
        self.token.clone()
    }

    /// Looks for other ones, for ever.
    pub(super) async fn follow(&self, hello: &watch::Sender<Hello>) {
        loop {
            time::sleep(LOOK).await;
            let [certificate, token] = self.files.each_ref().map(|file| text(file).ok());
            if let Some(certificate) = certificate.filter(|pem| tls::client(pem).is_ok()) {
                self.certificate.send_if_modified(|before| replace(before, certificate));
            }
            if let Some(token) = token {
                hello.send_if_modified(|hello| {
                    mask::learn_token(&token);
                    replace(&mut hello.token, token)
                });
            }
        }
    }
}

fn replace(before: &mut String, now: String) -> bool {
    let another = *before != now;
    *before = now;
    another
}

fn text(file: &Path) -> anyhow::Result<String> {
    let read = || {
        let found = fs::metadata(file)?.len();
        if found > LARGEST {
            return Err(std::io::Error::other("is longer than 64 KiB"));
        }
        fs::read_to_string(file)
    };
    let text = read().with_context(|| file.display().to_string())?;
    Ok(text.trim().to_owned())
}
