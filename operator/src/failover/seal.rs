//! The Lease of a Feed: written with a signed grant in it, and believed only with one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference},
};
use kube::api::ObjectMeta;
use millrace_fencing::{
    Grant, Keyring, SignedGrant, Signer, Verify as _,
    keys::{KeyError, KeyId},
};

use super::units::{Kind, Member};
use crate::{key::ClusterKey, keys, labels, view::Settings};

/// Generations of keys whose grants in Leases are still believed: only the operator reads those.
const GENERATIONS: u64 = 12;

/// A Lease as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Its `resourceVersion`.
    pub version: Arc<str>,
    /// What it grants, if the operator has signed that.
    pub grant: Option<Grant>,
    /// The slot of the pod that it names, by its label.
    pub slot: Option<Arc<str>>,
    /// Since when it grants that.
    pub since: Option<MicroTime>,
    /// What it grants was signed with a key that is in use no more.
    pub is_old: bool,
}

/// What signs grants, and knows what it signed.
#[derive(Debug)]
pub struct Seals {
    generation: u64,
    signer: Signer,
    /// The keys in use now, and next.
    fresh: [KeyId; 2],
    ring: Keyring,
    /// By the Lease's UID: its version, and what was found.
    read: Mutex<HashMap<String, Read>>,
}

impl Seals {
    /// With the keys of a time.
    ///
    /// # Errors
    /// Where the system's cryptography fails.
    pub fn new(settings: &Settings, now: Timestamp) -> Result<Self, KeyError> {
        let generation = keys::generation(now, settings.key_rotation);
        let signer = keys::grant_signer(&settings.token_key, generation)?;
        let mut ring = Keyring::default();
        for one in generation.saturating_sub(GENERATIONS)..generation {
            ring.add(keys::grant_signer(&settings.token_key, one)?.public())?;
        }
        // Another replica's clock may be ahead.
        let next = keys::grant_signer(&settings.token_key, generation + 1)?;
        let fresh = [ring.add(signer.public())?, ring.add(next.public())?];
        Ok(Self { generation, signer, fresh, ring, read: Mutex::default() })
    }

    /// Whether the keys have changed since.
    pub fn is_old(&self, settings: &Settings, now: Timestamp) -> bool {
        keys::generation(now, settings.key_rotation) != self.generation
    }

    /// A signed grant, in Base64.
    pub fn sign(&self, grant: &Grant) -> String {
        STANDARD.encode(self.signer.sign(grant).to_bytes())
    }

    /// Reads a Lease. Each version of one is verified once.
    pub fn read(&self, lease: &Lease) -> Read {
        let version = lease.metadata.resource_version.as_deref().unwrap_or_default();
        let uid = lease.metadata.uid.clone().unwrap_or_default();
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = known.get(&uid).filter(|read| *read.version == *version) {
            return read.clone();
        }
        let slot = lease.metadata.labels.as_ref().and_then(|labels| labels.get(labels::SLOT));
        let slot = slot.map(|slot| slot.as_str().into());
        let since = lease.spec.as_ref().and_then(|spec| spec.acquire_time.clone());
        let (grant, is_old) = self.granted(lease).unzip();
        let read = Read { version: version.into(), grant, slot, since, is_old: is_old.unwrap_or_default() };
        known.insert(uid, read.clone());
        read
    }

    /// Keeps only what is remembered of these Leases.
    pub fn retain(&self, is_there: impl Fn(&str) -> bool) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| is_there(uid));
    }

    /// What it grants, and whether that was signed long ago.
    fn granted(&self, lease: &Lease) -> Option<(Grant, bool)> {
        let text = lease.metadata.annotations.as_ref()?.get(labels::GRANT)?;
        let signed = SignedGrant::from_bytes(&STANDARD.decode(text).ok()?).ok()?;
        let grant = self.ring.verify(&signed).ok()?;
        let spec = lease.spec.as_ref()?;
        let epoch = u64::try_from(spec.lease_transitions?).ok()?;
        let same = spec.holder_identity.as_deref()? == grant.holder.to_string() && epoch == grant.epoch.get();
        same.then(|| (grant.clone(), !self.fresh.contains(&signed.key())))
    }
}

/// A Lease as it is to be: never renewed, for heartbeats say who lives. One that granted the same `before` does so since then.
pub fn lease(
    cluster: &ClusterKey,
    member: &Member,
    (slot, pod): (&str, &str),
    grant: &Grant,
    before: Option<&Read>,
    seals: &Seals,
) -> Lease {
    let since = before.filter(|read| read.grant.as_ref() == Some(grant)).and_then(|read| read.since.clone());
    let label = match member.kind {
        Kind::Feed => labels::FEED,
        Kind::Stream => labels::STREAM,
    };
    let all = labels::with(labels::of_slot(&cluster.name, slot), label, &member.name);
    Lease {
        metadata: ObjectMeta {
            name: Some(member.lease.clone()),
            namespace: Some(cluster.namespace.clone()),
            labels: Some(all),
            annotations: Some(labels::map([(labels::GRANT, &seals.sign(grant)), (labels::POD, pod)])),
            owner_references: Some(vec![OwnerReference {
                api_version: millrace_crds::kinds::API_VERSION.to_owned(),
                kind: member.kind.name().to_owned(),
                name: member.name.clone(),
                uid: member.uid.as_str().to_owned(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(grant.holder.to_string()),
            lease_transitions: i32::try_from(grant.epoch.get()).ok(),
            acquire_time: Some(since.unwrap_or_else(|| MicroTime(Timestamp::now()))),
            ..LeaseSpec::default()
        }),
    }
}
