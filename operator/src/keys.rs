//! Keys of a Cluster's members and of grants. All are derived from one key that only the operator knows: every replica
//! has the same ones, nothing is stored, and nothing is lost. They change from period to period; before and after a
//! change those of both periods are believed.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use millrace_fencing::{Signer, keys::KeyError};
use millrace_report::link::{Key, Members};

use crate::names::{self, hex};

/// The role bit of server pods.
pub const SERVER: u16 = 0x0100;
/// The role bit of balancers.
pub const BALANCER: u16 = 0x0200;
/// The shortest period: within a tenth of it every pod has seen its new files.
pub const SHORTEST: Duration = Duration::from_hours(1);
/// The period where nothing is said: thirty days.
pub const PERIOD: Duration = Duration::from_hours(30 * 24);

/// An Ed25519 key in PKCS#8 up to its seed (RFC 8410, section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Public keys that are kept, at most: each is derived once, and a Cluster has thousands.
const KEPT: usize = 100_000;

/// Which generation of keys is in use: counted in periods since 1970.
pub fn generation(now: Timestamp, period: Duration) -> u64 {
    let since = u64::try_from(now.as_millisecond()).unwrap_or(0);
    since / millis(period)
}

/// Those that are believed, the one in use first: in the last tenth of a period the next one, too, in the first tenth
/// the one before.
pub fn trusted_generations(now: Timestamp, period: Duration) -> Vec<u64> {
    let current = generation(now, period);
    let (into, tenth) = (into(now, period), millis(period) / 10);
    let mut all = vec![current];
    if into < tenth {
        all.extend(current.checked_sub(1));
    } else if into >= millis(period) - tenth {
        all.push(current + 1);
    }
    all
}

/// How long what [`generation`] and [`trusted_generations`] say stays so.
pub fn stays(now: Timestamp, period: Duration) -> Duration {
    let (into, period) = (into(now, period), millis(period));
    let tenth = period / 10;
    let ends = [tenth, period - tenth, period];
    Duration::from_millis(ends.into_iter().find(|end| into < *end).unwrap_or(period) - into)
}

fn into(now: Timestamp, period: Duration) -> u64 {
    u64::try_from(now.as_millisecond()).unwrap_or(0) % millis(period)
}

fn millis(period: Duration) -> u64 {
    u64::try_from(period.max(SHORTEST).as_millis()).unwrap_or(u64::MAX)
}

/// What a member's key is made of: HMAC-SHA256 by `token_key` of `member/NAMESPACE/SLOT/GENERATION`.
pub fn member_seed(token_key: &[u8], namespace: &str, slot: &str, generation: u64) -> [u8; 32] {
    derived(token_key, &format!("member/{namespace}/{slot}/{generation}"))
}

/// A member's private key: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` makes one.
pub fn member_pem(token_key: &[u8], namespace: &str, slot: &str, generation: u64) -> String {
    let der = [PKCS8.as_slice(), &member_seed(token_key, namespace, slot, generation)].concat();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// A member's public key: 64 hexadecimal digits.
///
/// # Errors
/// Where the system's cryptography fails.
pub fn member_public(
    token_key: &[u8],
    namespace: &str,
    slot: &str,
    generation: u64,
) -> Result<String, KeyError> {
    let signer = Signer::from_seed(&member_seed(token_key, namespace, slot, generation))?;
    Ok(hex(signer.public()))
}

/// What grants are signed with: the key of HMAC-SHA256 by `token_key` of `grant/GENERATION`.
///
/// # Errors
/// Where the system's cryptography fails.
pub fn grant_signer(token_key: &[u8], generation: u64) -> Result<Signer, KeyError> {
    Signer::from_seed(&derived(token_key, &format!("grant/{generation}")))
}

fn derived(key: &[u8], of: &str) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), of.as_bytes());
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}

/// Whose word counts, at one time, in the Clusters of one operator.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// Now.
    pub now: Timestamp,
    /// How long a generation of keys is in use.
    pub period: Duration,
}

/// Public keys that were derived before, of one operator's key.
#[derive(Clone, Default)]
pub struct Derived(Arc<Mutex<HashMap<String, String>>>);

impl fmt::Debug for Derived {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Derived").finish_non_exhaustive()
    }
}

impl Derived {
    /// Whom server pods believe: the balancers of their Cluster, and the operator's grants.
    pub fn servers_trust(&self, token_key: &[u8], namespace: &str, cluster: &str, when: When) -> Members {
        let balancers = names::balancers(cluster);
        self.members(token_key, namespace, std::iter::once(balancers.as_str()), BALANCER, when)
    }

    /// Whom balancers believe: the server pods of these slots, and the operator's grants.
    pub fn balancers_trust<'a>(
        &self,
        token_key: &[u8],
        namespace: &str,
        slots: impl Iterator<Item = &'a str>,
        when: When,
    ) -> Members {
        self.members(token_key, namespace, slots, SERVER, when)
    }

    fn members<'a>(
        &self,
        token_key: &[u8],
        namespace: &str,
        slots: impl Iterator<Item = &'a str>,
        role: u16,
        When { now, period }: When,
    ) -> Members {
        let generations = trusted_generations(now, period);
        // What cannot be derived is left out: nobody is believed for want of a key.
        let signer = |it: &u64| Some((it.to_string(), hex(grant_signer(token_key, *it).ok()?.public())));
        let grant_keys = generations.iter().filter_map(signer).collect();
        let keys = |slot: &str| {
            let of = |generation: &u64| self.public(token_key, namespace, slot, *generation);
            generations.iter().filter_map(of).map(|key| Key { key, role }).collect()
        };
        let members: BTreeMap<String, Vec<Key>> = slots.map(|slot| (slot.to_owned(), keys(slot))).collect();
        Members { grant_keys, members, ..Members::default() }
    }

    fn public(&self, token_key: &[u8], namespace: &str, slot: &str, generation: u64) -> Option<String> {
        let place = format!("{namespace}/{slot}/{generation}");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&place) {
            return Some(known.clone());
        }
        let key = member_public(token_key, namespace, slot, generation).ok()?;
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(place, key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use millrace_fencing::{Grant, Keyring, Verify as _};
    use proptest::prelude::*;
    use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};

    use super::*;

    const DAY: i64 = 86_400;
    const MONTH: Duration = Duration::from_hours(30 * 24);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_same_member_has_the_same_key_and_every_other_another() {
        let seed = member_seed(b"key", "video", "cams-door", 7);
        // By: printf member/video/cams-door/7 | openssl dgst -sha256 -hmac key
        assert_eq!(hex(&seed), openssl_of_member());
        assert_eq!(seed, member_seed(b"key", "video", "cams-door", 7));
        for other in [
            member_seed(b"yek", "video", "cams-door", 7),
            member_seed(b"key", "audio", "cams-door", 7),
            member_seed(b"key", "video", "cams-yard", 7),
            member_seed(b"key", "video", "cams-door", 8),
            derived(b"key", "grant/7"),
        ] {
            assert_ne!(seed, other);
        }
    }

    fn openssl_of_member() -> &'static str {
        "6c0b1d0dec24690c99accb45ee027a7b0a7dfce0f84e420cf44ae615443a4dc1"
    }

    #[test]
    fn a_private_key_is_read_as_media_pods_read_it_and_fits_its_public_one() {
        let pem = member_pem(b"key", "video", "cams-door", 7);
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let pair =
            aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).unwrap();
        let public = aws_lc_rs::signature::KeyPair::public_key(&pair);
        assert_eq!(hex(public.as_ref()), member_public(b"key", "video", "cams-door", 7).unwrap());
    }

    #[test]
    fn balancers_believe_all_slots_and_servers_the_balancers_of_their_own_cluster() {
        let derived = Derived::default();
        let when = When { now: at(681 * 30 * DAY + 15 * DAY), period: MONTH };
        let members = derived.balancers_trust(b"key", "video", ["a", "b"].into_iter(), when);
        assert_eq!(members.members.keys().collect::<Vec<_>>(), ["a", "b"]);
        let key = member_public(b"key", "video", "a", 681).unwrap();
        assert_eq!(members.members["a"], [Key { key, role: 256 }]);
        assert_eq!(members, derived.balancers_trust(b"key", "video", ["a", "b"].into_iter(), when));
        let members = derived.servers_trust(b"key", "video", "cams", when);
        let key = member_public(b"key", "video", "cams-balancers", 681).unwrap();
        assert_eq!(
            members.members,
            BTreeMap::from([("cams-balancers".into(), vec![Key { key, role: 512 }])])
        );
        assert_eq!(members.grant_keys.len(), 1);
    }

    #[test]
    fn a_grant_of_the_key_in_use_is_believed_and_one_of_long_ago_is_not() {
        let grant = Grant {
            feed: "feed".parse().unwrap(),
            holder: "pod_boot".parse().unwrap(),
            epoch: millrace_fencing::Epoch::new(1).unwrap(),
        };
        let signed = grant_signer(b"key", 681).unwrap().sign(&grant);
        let believed = |day: i64| {
            let when = When { now: at(681 * 30 * DAY + day * DAY), period: MONTH };
            let members = Derived::default().servers_trust(b"key", "video", "cams", when);
            let mut ring = Keyring::default();
            for key in members.grant_keys.values() {
                let bytes: Vec<u8> =
                    (0..32).map(|at| u8::from_str_radix(&key[at * 2..at * 2 + 2], 16).unwrap()).collect();
                ring.add(&bytes).unwrap();
            }
            ring.verify(&signed).is_ok()
        };
        assert_eq!([-4, -2, 0, 15, 29, 32, 34].map(believed), [false, true, true, true, true, true, false]);
    }

    #[test]
    fn a_period_is_never_shorter_than_files_take_to_arrive() {
        assert_eq!(generation(at(3 * 3600), Duration::ZERO), 3);
        assert_eq!(stays(at(3 * 3600), Duration::ZERO), Duration::from_mins(6));
    }

    proptest! {
        #[test]
        fn the_key_in_use_is_believed_before_and_after(second in 40_000_000i64..4_000_000_000, hours in 1u64..10_000) {
            let (now, period) = (at(second), Duration::from_hours(hours));
            let trusted = trusted_generations(now, period);
            prop_assert_eq!(trusted[0], generation(now, period));
            prop_assert!(trusted.len() <= 2);
            // Whoever has files that are up to a tenth of a period old or new agrees.
            let tenth = i64::try_from(period.as_secs() / 10).unwrap();
            for other in [second - tenth + 1, second + tenth - 1] {
                prop_assert!(trusted_generations(at(other), period).contains(&trusted[0]), "{}", other);
            }
            // It is told how long this holds.
            let stays = i64::try_from(stays(now, period).as_secs()).unwrap();
            prop_assert!(stays > 0);
            prop_assert_eq!(&trusted_generations(at(second + stays - 1), period), &trusted);
            prop_assert_ne!(&trusted_generations(at(second + stays), period), &trusted);
        }
    }
}
