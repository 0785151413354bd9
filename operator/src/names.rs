//! Names of what the operator makes.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256};

/// The most bytes of a slot's name: a pod adds six, and a host name has at most 63.
const SLOT: usize = 52;
/// The letters of short hashes: none that make words, as in Kubernetes' own names.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The name of a slot, by the Cluster and the Feed or Stream that was put into it first.
pub fn slot(cluster: &str, founder: &str, founder_uid: &str) -> String {
    let room = SLOT.saturating_sub(cluster.len() + 7).max(1);
    let founder: String = founder.chars().take(room).collect();
    let hash = short(&[founder_uid]);
    format!("{cluster}-{}-{hash}", founder.trim_end_matches('-'))
}

/// The Lease of a Feed, or of a Stream.
pub fn lease(cluster: &str, name: &str, uid: &str) -> String {
    slot(cluster, name, uid)
}

/// The name of a pod: another for another template, and for each pod of the slot that died.
pub fn pod(slot: &str, template: &str, dead: &[&str]) -> String {
    let parts: Vec<&str> = std::iter::once(template).chain(dead.iter().copied()).collect();
    format!("{slot}-{}", short(&parts))
}

/// The Service that viewers reach, and what runs behind it: the Deployment, its `ConfigMap` and Secret, its budget.
pub fn balancers(cluster: &str) -> String {
    format!("{cluster}-balancers")
}

/// Whether a slot is that of balancers: the names of all others end in a hash of five letters.
pub fn is_balancers(slot: &str) -> bool {
    slot.ends_with("-balancers")
}

/// The headless Service by which server pods find every balancer.
pub fn link(cluster: &str) -> String {
    format!("{cluster}-link")
}

/// The `PodDisruptionBudget` of the server pods.
pub fn servers(cluster: &str) -> String {
    format!("{cluster}-servers")
}

/// Five letters that differ where the parts do.
pub fn short(parts: &[&str]) -> String {
    let letter = |byte: u8| ALPHABET.get(usize::from(byte) % ALPHABET.len()).copied().unwrap_or(b'x');
    digest(parts).iter().take(5).map(|byte| char::from(letter(*byte))).collect()
}

/// A hash in hexadecimal: 32 digits.
pub fn hash(parts: &[&str]) -> String {
    hex(digest(parts).get(..16).unwrap_or_default())
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash of something that becomes JSON.
pub fn hash_of(value: &impl serde::Serialize) -> String {
    hash(&[&serde_json::to_string(value).unwrap_or_default()])
}

fn digest(parts: &[&str]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let cluster = "c".repeat(40);
        let founder = format!("{}-{}", "f".repeat(4), "g".repeat(35));
        let one = slot(&cluster, &founder, "uid-1");
        assert!(one.len() <= SLOT && !one.contains("--"), "{one}");
        assert_ne!(one, slot(&cluster, &founder, "uid-2"));
        assert!(pod(&one, "t", &[]).len() <= 63);
        assert_ne!(pod("s", "t", &[]), pod("s", "t", &["dead"]));
        assert_ne!(pod("s", "t", &["a", "b"]), pod("s", "t", &["ab"]));
        assert!(slot("default", "door", "x").starts_with("default-door-"));
        assert!(is_balancers(&balancers("default")) && !is_balancers(&slot("default", "balancers", "x")));
    }
}
