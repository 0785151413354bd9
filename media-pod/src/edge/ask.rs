//! Who may watch what only its owner knows: asked over the link, and a yes is remembered for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::{hmac, rand};
use millrace_http::{Access, BoxFuture, Credentials, Refusal};
use millrace_link::{Code, net::SessionError};
use tokio::time::{self, timeout};

use super::{Edge, count, registry::Owner, session::target, source::AGAIN};
use crate::linking::Client;

/// A yes holds for this long.
const HOLDS: Duration = Duration::from_secs(10);
/// Answers that are remembered at most.
const MOST: usize = 10_000;
/// An owner that is not there is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look for it.
const LOOK: Duration = Duration::from_millis(100);

/// Those who were let in lately. No password is kept.
pub(super) struct Answers {
    key: hmac::Key,
    yes: Mutex<HashMap<Vec<u8>, Instant>>,
}

impl Default for Answers {
    fn default() -> Self {
        let mut bytes = [0; 32];
        // Without randomness there would be no link either.
        let _ = rand::fill(&mut bytes);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), yes: Mutex::default() }
    }
}

impl Answers {
    fn name(&self, path: &str, client: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(path.len() as u64).to_le_bytes());
        context.update(path.as_bytes());
        context.update(client);
        context.sign().as_ref().to_vec()
    }

    fn knows(&self, name: &[u8], now: Instant) -> bool {
        let yes = self.yes.lock().unwrap_or_else(PoisonError::into_inner);
        yes.get(name).is_some_and(|until| *until > now)
    }

    fn remember(&self, name: Vec<u8>, now: Instant) {
        let mut yes = self.yes.lock().unwrap_or_else(PoisonError::into_inner);
        if yes.len() >= MOST {
            yes.retain(|_, until| *until > now);
        }
        if yes.len() < MOST {
            yes.insert(name, now + HOLDS);
        }
    }
}

impl Edge {
    /// Asks the owner of `path` whether who shows `credentials` may watch it; none where nobody needs to be asked.
    pub(super) fn ask_owner(
        self: &Arc<Self>,
        path: &str,
        credentials: Option<&Credentials>,
    ) -> Option<BoxFuture<'static, Access>> {
        let known = self.registry.known(path)?;
        if !known.ask {
            return None;
        }
        let client = Client(credentials.cloned()).encode();
        let name = self.answers.name(path, &client);
        if self.answers.knows(&name, Instant::now()) {
            return Some(Box::pin(std::future::ready(Access::Granted)));
        }
        let (edge, path) = (self.clone(), path.to_owned());
        Some(Box::pin(async move {
            let Ok(access) = timeout(PATIENCE, edge.asked(&path, &client)).await else {
                return Access::Unknown(Refusal::unavailable(
                    "no media pod says at the moment who may watch this",
                    AGAIN,
                ));
            };
            if access == Access::Granted {
                edge.answers.remember(name, Instant::now());
            }
            access
        }))
    }

    async fn asked(&self, path: &str, client: &[u8]) -> Access {
        loop {
            let Some(owner) = self.registry.owner(path) else {
                time::sleep(LOOK).await;
                continue;
            };
            if !owner.serving.ask {
                return Access::Granted;
            }
            count(&self.counts.asked);
            match may(owner, path.to_owned(), client.to_vec()).await {
                Ok(()) => return Access::Granted,
                Err(SessionError::Code { code: Code::MEMBER_INFO_PROBLEM, .. }) => {
                    return Access::Challenge { realm: "Millrace".to_owned() };
                }
                Err(SessionError::Code { code: Code::MEMBER_SECURITY_ISSUE, .. }) => {
                    return Access::Forbidden;
                }
                Err(error) => {
                    tracing::debug!(path, %error, "who may watch cannot be asked");
                    time::sleep(LOOK).await;
                }
            }
        }
    }
}

/// In a task of its own: a session is not left half-begun where who asked hangs up.
async fn may(owner: Owner, path: String, client: Vec<u8>) -> Result<(), SessionError> {
    let ask = tokio::spawn(async move { owner.peer.client.may(&target(&path), &client).await });
    ask.await.unwrap_or(Err(Code::ERROR.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_for_one_path_and_one_password_and_not_for_long() {
        let (answers, now) = (Answers::default(), Instant::now());
        let name = answers.name("/a", b"client ann:secret");
        answers.remember(name.clone(), now);
        assert!(answers.knows(&name, now + Duration::from_secs(9)));
        assert!(!answers.knows(&name, now + HOLDS));
        for (path, client) in
            [("/b", "client ann:secret"), ("/a", "client ann:other"), ("/ac", "lient ann:secret")]
        {
            assert!(!answers.knows(&answers.name(path, client.as_bytes()), now), "{path} {client}");
        }
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (answers, now) = (Answers::default(), Instant::now());
        for n in 0..MOST + 10 {
            answers.remember(answers.name("/a", n.to_string().as_bytes()), now);
        }
        assert_eq!(answers.yes.lock().unwrap().len(), MOST);
        answers.remember(answers.name("/b", b""), now + HOLDS);
        assert_eq!(answers.yes.lock().unwrap().len(), 1);
    }
}
