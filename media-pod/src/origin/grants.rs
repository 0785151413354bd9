//! What this media pod was granted.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, anyhow};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_fencing::{Epoch, FeedUid, Grant, Holder, SignedGrant};
use millrace_link::secure::{MemberId, MemberKey};
use millrace_report::link::NamedGrant;
use tokio::{sync::watch, time};

/// Between two looks at the file.
const LOOK: Duration = Duration::from_millis(200);

/// What can be granted, as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owned {
    Feed(String),
    Stream(String),
}

/// What was granted, and what was taken away again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Granted {
    pub held: BTreeMap<Owned, SignedGrant>,
    /// Others have these, in these epochs.
    pub over: BTreeMap<Owned, Epoch>,
}

/// See the module. Whoever has grants to give puts them here.
#[derive(Clone)]
pub(super) struct Grants {
    holder: Holder,
    from: From,
    granted: Arc<watch::Sender<Granted>>,
}

#[derive(Clone)]
enum From {
    File(PathBuf),
    /// Whoever calls [`Grants::set`].
    Operator,
    /// Nobody else grants anything.
    Own {
        key: Arc<MemberKey>,
        epoch: Epoch,
    },
}

impl Grants {
    /// Those in `file`, as they come and go.
    pub fn of_file(file: PathBuf, holder: Holder) -> Self {
        Self { holder, from: From::File(file), granted: Arc::new(watch::Sender::default()) }
    }

    /// All that this media pod has, signed with its own key: of two that have the same, the one that was started last
    /// is right.
    pub fn own(key: Arc<MemberKey>, holder: Holder) -> Self {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let from = From::Own { key, epoch: Epoch::new(since).unwrap_or(Epoch::FIRST) };
        Self { holder, from, granted: Arc::new(watch::Sender::default()) }
    }

    /// What an operator gives, by [`Self::set`].
    pub fn of_operator(holder: Holder) -> Self {
        Self { holder, from: From::Operator, granted: Arc::new(watch::Sender::default()) }
    }

    /// Whether somebody else says what they are.
    pub fn are_of_operator(&self) -> bool {
        matches!(self.from, From::Operator)
    }

    /// Has these grants from now on, and no others.
    pub fn set(&self, granted: Granted) {
        self.granted.send_if_modified(|before| {
            let another = *before != granted;
            *before = granted;
            another
        });
    }

    /// Told of every change.
    pub fn watch(&self) -> watch::Receiver<Granted> {
        self.granted.subscribe()
    }

    /// The grant of the first of `owned` that has one.
    pub fn of(&self, owned: &[Owned]) -> Option<SignedGrant> {
        match &self.from {
            From::File(_) | From::Operator => {
                let granted = self.granted.borrow();
                owned.iter().find_map(|owned| granted.held.get(owned)).cloned()
            }
            From::Own { key, epoch } => {
                let feed = uid(owned.last()?)?;
                sign(key, &Grant { feed, holder: self.holder.clone(), epoch: *epoch })
            }
        }
    }

    /// The epoch in which somebody else has the first of `owned` that was taken away.
    pub fn over(&self, owned: &[Owned]) -> Option<Epoch> {
        let granted = self.granted.borrow();
        owned.iter().find_map(|owned| granted.over.get(owned)).copied()
    }

    /// Looks for other grants, for ever.
    pub async fn follow(self) {
        let From::File(file) = &self.from else { return };
        let (mut before, mut was_wrong) = (None, String::new());
        loop {
            match crate::linking::read(file) {
                Ok(now) if before.as_ref() != Some(&now) => {
                    if let Err(e) = self.understand(&now) {
                        tracing::error!(file = %file.display(), error = %format!("{e:#}"), "the grants before hold on");
                    }
                    before = Some(now);
                }
                // Who had a grant goes on.
                Err(e) if e.to_string() != was_wrong => {
                    tracing::warn!(file = %file.display(), error = %e, "no grants can be read");
                    was_wrong = e.to_string();
                }
                Ok(_) | Err(_) => {}
            }
            time::sleep(LOOK).await;
        }
    }

    fn understand(&self, json: &[u8]) -> anyhow::Result<()> {
        let held = self.read(&serde_json::from_slice::<Vec<NamedGrant>>(json)?)?;
        tracing::info!(grants = held.len(), "grants taken");
        self.set(Granted { held, over: BTreeMap::new() });
        Ok(())
    }

    fn read(&self, all: &[NamedGrant]) -> anyhow::Result<BTreeMap<Owned, SignedGrant>> {
        let mut granted = BTreeMap::new();
        for one in all {
            let (owned, signed) = named(one)?;
            if signed.claim().holder == self.holder {
                granted.insert(owned, signed);
            } else {
                tracing::debug!(?owned, holder = %signed.claim().holder, "somebody else's grant");
            }
        }
        Ok(granted)
    }
}

/// What a grant is for, and the grant, which nobody has verified.
pub(super) fn named(one: &NamedGrant) -> anyhow::Result<(Owned, SignedGrant)> {
    let owned = match (&one.feed, &one.stream) {
        (Some(feed), None) => Owned::Feed(feed.clone()),
        (None, Some(stream)) => Owned::Stream(stream.clone()),
        _ => return Err(anyhow!("a grant is for a feed or for a stream: one of both has to be named")),
    };
    let signed = decode(&one.grant).with_context(|| format!("{owned:?}"))?;
    Ok((owned, signed))
}

/// Reads a grant in Base64.
pub(super) fn decode(grant: &str) -> anyhow::Result<SignedGrant> {
    let bytes = STANDARD.decode(grant).context("no Base64")?;
    Ok(SignedGrant::from_bytes(&bytes)?)
}

/// Signs as the operator does, with a member's key.
fn sign(key: &MemberKey, grant: &Grant) -> Option<SignedGrant> {
    let mut bytes = grant.to_bytes();
    let signature = key.sign(&bytes).ok()?;
    // The key's name: see `millrace_fencing::keys::KeyId`.
    let name = digest::digest(&digest::SHA256, &key.id().0);
    bytes.extend_from_slice(name.as_ref().get(..8)?);
    bytes.extend_from_slice(&signature);
    SignedGrant::from_bytes(&bytes).ok()
}

fn uid(owned: &Owned) -> Option<FeedUid> {
    let name = match owned {
        Owned::Feed(name) => format!("feed.{name}"),
        Owned::Stream(name) => format!("stream.{name}"),
    };
    FeedUid::new(&name).ok().or_else(|| {
        let digest = digest::digest(&digest::SHA256, name.as_bytes());
        FeedUid::new(&MemberId(digest.as_ref().try_into().ok()?).to_string()).ok()
    })
}

#[cfg(test)]
mod tests {
    use millrace_fencing::{Keyring, Verify as _};

    use super::*;

    fn holder() -> Holder {
        "pod-1_boot-1".parse().unwrap()
    }

    #[test]
    fn what_a_member_grants_itself_is_believed_by_who_believes_its_key() {
        let key = Arc::new(MemberKey::generate().unwrap());
        let grants = Grants::own(key.clone(), holder());
        let signed = grants.of(&[Owned::Stream("door".into()), Owned::Feed("cam".into())]).unwrap();
        let mut keys = Keyring::default();
        assert!(keys.verify(&signed).is_err());
        keys.add(&key.id().0).unwrap();
        assert_eq!(keys.verify(&signed).unwrap().feed.as_str(), "feed.cam");
        let long = grants.of(&[Owned::Feed("x".repeat(200))]).unwrap();
        assert_eq!(long.claim().feed.as_str().len(), 64);
    }

    #[test]
    fn grants_of_others_are_left_and_mistakes_are_named() {
        let grants = Grants::of_file("none".into(), holder());
        let key = MemberKey::generate().unwrap();
        let named = |feed: &str, holder: &str| {
            let grant = Grant {
                feed: "uid-1".parse().unwrap(),
                holder: holder.parse().unwrap(),
                epoch: Epoch::new(3).unwrap(),
            };
            let grant = STANDARD.encode(sign(&key, &grant).unwrap().to_bytes());
            NamedGrant { feed: Some(feed.into()), stream: None, grant }
        };
        let json = serde_json::to_vec(&[named("cam", "pod-1_boot-1"), named("old", "pod-1_boot-0")]).unwrap();
        grants.understand(&json).unwrap();
        let all: Vec<Owned> = grants.watch().borrow().held.keys().cloned().collect();
        assert_eq!(all, [Owned::Feed("cam".into())]);
        for (wrong, why) in [
            (r#"[{"grant": ""}]"#, "one of both"),
            (r#"[{"feed": "a", "grant": "*"}]"#, "no Base64"),
            (r#"[{"feed": "a", "grant": ""}]"#, "no grant"),
        ] {
            let error = grants.understand(wrong.as_bytes()).unwrap_err();
            assert!(format!("{error:#}").contains(why), "{error:#}");
            assert_eq!(grants.watch().borrow().held.len(), 1, "what was there holds on");
        }
    }
}
