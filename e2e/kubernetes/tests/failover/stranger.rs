//! A peer of this process's own at the balancers' port for links, with a member's key or without.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use millrace_e2e_kubernetes::{Space, await_condition, name};
use millrace_link::{
    Config, Role, Security, Side,
    avrs::{Announcement, ClusterMessage, RolesOnly, Serving},
    net::{Link, Served, SessionServer, connect_tcp},
    secure::{Claim, MemberKey, Secrecy, Trust, handshake::Credentials},
    wire::{ChannelType, Code},
};
use serde_json::Value;
use tokio::time::timeout;

use super::text;

/// Believes everybody: whom it has dialled is what the test chose.
struct Anybody;

impl Trust for Anybody {
    fn admit(&self, claim: &Claim) -> Result<Role, Code> {
        Ok(claim.role)
    }
}

/// The key that the operator gave to a slot.
pub fn key_of(space: &Space, pod: &Value) -> Arc<MemberKey> {
    let slot = text(pod, "/metadata/labels/millrace.dev~1slot");
    let secret = space.get("Secret", slot);
    let pem = STANDARD.decode(text(&secret, "/data/member.key")).unwrap();
    Arc::new(MemberKey::from_pem(&pem).unwrap())
}

/// How a server pod with this key, and of this name, begins a link.
pub fn config(key: &Arc<MemberKey>, holder: &str) -> Config {
    let credentials = Credentials {
        key: Some(key.clone()),
        role: Role::SERVER,
        grant: Bytes::copy_from_slice(holder.as_bytes()),
        trust: Arc::new(Anybody),
        secrecy: Secrecy::Packets,
        binding: Bytes::new(),
    };
    Config::new(Side::Dialer, Security::Handshake(credentials))
}

/// A link to a balancer.
pub async fn dial(to: &str, key: &Arc<MemberKey>, holder: &str) -> Link {
    connect_tcp(to, config(key, holder)).await.unwrap()
}

/// What is in the Lease of a Feed: its grant, and the epoch.
pub fn granted(lease: &Value) -> (Vec<u8>, u64) {
    let grant = STANDARD.decode(text(lease, "/metadata/annotations/millrace.dev~1grant")).unwrap();
    (grant, super::epoch(lease) as u64)
}

/// Says that it has a path.
pub fn announcement(path: &str, feed_uid: &str, epoch: u64, grant: &[u8]) -> ClusterMessage {
    ClusterMessage::Announce(Announcement {
        path: path.into(),
        feed_uid: feed_uid.into(),
        epoch,
        grant: Bytes::copy_from_slice(grant),
        stream: 9,
        serving: Serving::default(),
    })
}

/// Says each of these to the other end; its codes.
pub async fn say(link: &Link, all: Vec<ClusterMessage>) -> Vec<Code> {
    let mut returns = SessionServer::new(link.clone(), Arc::new(RolesOnly), 10).await.unwrap();
    let (saying, count) = (link.clone(), all.len());
    let said = tokio::spawn(async move {
        let cluster = saying.open_channel(ChannelType::CLUSTER).await.unwrap();
        for (number, message) in all.iter().enumerate() {
            cluster.send(message.encode(number as u32 + 1)).await.unwrap();
        }
        cluster
    });
    let mut codes = Vec::new();
    while codes.len() < count {
        let next = timeout(Duration::from_secs(30), returns.next()).await.unwrap();
        if let Served::Return(returned) = next.unwrap() {
            codes.push(returned.code);
        }
    }
    drop(said.await);
    codes
}

/// The sum of a metric of a pod, over all its labels.
pub fn metric(space: &Space, pod: &Value, named: &str) -> f64 {
    let metrics = space.metrics(name(pod), 9000);
    metrics.iter().filter(|(what, _)| what.split('{').next() == Some(named)).map(|(_, value)| value).sum()
}

/// Waits until a balancer has no links but those of so many server pods.
pub fn links(space: &Space, balancer: &Value, count: usize) {
    let what = format!("{} has links to {count} server pods and nobody else", name(balancer));
    await_condition(&what, || {
        ((metric(space, balancer, "millrace_edge_links") - count as f64).abs() < 0.5).then_some(())
    });
}
