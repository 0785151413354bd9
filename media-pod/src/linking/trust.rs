//! Whom to believe: the members of the cluster, and who signs grants.

use std::{collections::HashMap, path::Path, sync::Arc};

use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use millrace_fencing::{Grant, GrantError, Holder, Keyring, SignedGrant, Verify};
use millrace_link::{
    Code, Role,
    secure::{Claim, MemberId, Trust},
};
use millrace_report::link::Members;
use tokio::sync::watch;

/// See the module. What it says may change while links are up.
#[derive(Debug, Default)]
pub struct Trusted {
    known: ArcSwap<Known>,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Known {
    members: HashMap<MemberId, Role>,
    keys: Keyring,
    /// The names of members, by key, and of the pods that are known, by UID.
    names: HashMap<MemberId, String>,
    pods: HashMap<String, String>,
}

impl Known {
    /// Whether a member may be the pod that it says it is.
    fn may_be(&self, id: &MemberId, claim: &Claim) -> bool {
        let holder = std::str::from_utf8(&claim.grant).ok().and_then(|text| text.parse::<Holder>().ok());
        let named = holder.and_then(|holder| self.pods.get(holder.pod.as_str()));
        named.is_none_or(|name| self.names.get(id) == Some(name))
    }
}

impl Trusted {
    /// What the file says.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let trusted = Self::default();
        trusted.learn_json(&super::read(file)?)?;
        Ok(trusted)
    }

    /// As [`Self::learn`], from a file's text.
    pub fn learn_json(&self, json: &[u8]) -> anyhow::Result<()> {
        self.learn(&serde_json::from_slice(json)?)
    }

    /// Told whenever others are believed.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Believes from now on whom `said` names, and nobody else. What is wrong changes nothing.
    pub fn learn(&self, said: &Members) -> anyhow::Result<()> {
        let mut known = Known::default();
        let hex = |text: &str| {
            MemberId::from_hex(text).ok_or_else(|| anyhow!("is no key: 64 hexadecimal digits would be one"))
        };
        for (name, key) in &said.grant_keys {
            let key = hex(key).with_context(|| format!("grantKeys.{name}"))?;
            known.keys.add(&key.0).with_context(|| format!("grantKeys.{name}"))?;
        }
        known.pods = said.pods.clone().into_iter().collect();
        for (name, keys) in &said.members {
            for key in keys {
                let id = hex(&key.key).with_context(|| format!("members.{name}"))?;
                if known.members.insert(id, Role(key.role)).is_some_and(|role| role != Role(key.role)) {
                    return Err(anyhow!("members.{name}: {id} has another role elsewhere"));
                }
                known.names.insert(id, name.clone());
            }
        }
        self.known.store(Arc::new(known));
        self.changes.send_replace(());
        Ok(())
    }
}

impl Trust for Trusted {
    fn admit(&self, claim: &Claim) -> Result<Role, Code> {
        let id = claim.id.as_ref().ok_or(Code::SIGN_NOT_PRESENT)?;
        let known = self.known.load();
        let role = known.members.get(id).copied().ok_or(Code::SIGN_ALIEN)?;
        let may = role.has(claim.role) && known.may_be(id, claim);
        if may { Ok(claim.role) } else { Err(Code::MEMBER_SECURITY_ISSUE) }
    }

    fn may_sign(&self, signer: &MemberId) -> bool {
        self.known.load().members.get(signer).is_some_and(|role| role.has(Role::SERVER))
    }
}

impl Verify for Trusted {
    fn verify<'a>(&self, signed: &'a SignedGrant) -> Result<&'a Grant, GrantError> {
        self.known.load().keys.verify(signed)
    }
}

#[cfg(test)]
mod tests {
    use millrace_link::secure::MemberKey;

    use super::*;

    #[test]
    fn no_member_is_let_in_as_a_pod_that_is_known_to_be_another() {
        let [one, two] = [(); 2].map(|()| MemberKey::generate().unwrap().id());
        let trusted = Trusted::default();
        let json = format!(
            r#"{{"members": {{"one": [{{"key": "{one}", "role": 256}}], "two": [{{"key": "{two}", "role": 256}}]}},
                "pods": {{"pod-1": "one"}}}}"#
        );
        trusted.learn_json(json.as_bytes()).unwrap();
        let says = |id, pod: &str| {
            let grant = format!("{pod}_boot-1").into_bytes().into();
            trusted.admit(&Claim { id: Some(id), role: Role::SERVER, grant }).is_ok()
        };
        assert!(says(one, "pod-1") && !says(two, "pod-1"));
        assert!(says(one, "pod-2") && says(two, "pod-2"), "a pod that has just begun is not known yet");
    }

    #[test]
    fn a_member_is_let_in_as_what_the_file_says_until_it_says_otherwise() {
        let (server, alien) = (MemberKey::generate().unwrap().id(), MemberKey::generate().unwrap().id());
        let claim = |id, role| Claim { id: Some(id), role, grant: bytes::Bytes::new() };
        let trusted = Trusted::default();
        assert_eq!(trusted.admit(&claim(server, Role::SERVER)), Err(Code::SIGN_ALIEN));
        let json = format!(r#"{{"members": {{"one": [{{"key": "{server}", "role": 256}}]}}}}"#);
        trusted.learn_json(json.as_bytes()).unwrap();
        assert_eq!(trusted.admit(&claim(server, Role::SERVER)), Ok(Role::SERVER));
        assert_eq!(trusted.admit(&claim(server, Role::BALANCER)), Err(Code::MEMBER_SECURITY_ISSUE));
        assert_eq!(trusted.admit(&claim(alien, Role::SERVER)), Err(Code::SIGN_ALIEN));
        assert!(trusted.may_sign(&server) && !trusted.may_sign(&alien));
        let wrong = trusted.learn_json(br#"{"members": {"one": [{"key": "12", "role": 256}]}}"#).unwrap_err();
        assert!(format!("{wrong:#}").starts_with("members.one: is no key"), "{wrong:#}");
        assert!(trusted.may_sign(&server), "what is wrong changes nothing");
        trusted.learn_json(b"{}").unwrap();
        assert!(!trusted.may_sign(&server));
    }
}
