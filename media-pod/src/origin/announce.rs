//! Tells one balancer what is here, and what is not here any more.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use millrace_link::{
    Code,
    avrs::{Announcement, ClusterMessage, Return, Serving},
    net::{Channel, ChannelError, Link},
    wire::{ChannelType, tag},
};
use tokio::{
    sync::{mpsc, watch},
    time,
};

use super::catalog::{Entries, Entry};

/// What was refused is said again after this time: the balancer may have learned something.
const AGAIN: Duration = Duration::from_secs(2);

/// What one balancer was told.
#[derive(Default)]
struct Told {
    paths: BTreeMap<String, Entry>,
    /// Which path a request was about.
    asked: HashMap<u32, String>,
    refused: BTreeMap<String, Code>,
    next: u32,
}

/// Tells the balancer at the other end of `link` of every change, until the link is over. `inside` is where it finds what is
/// no stream; what became of its requests comes by `returns`.
pub(super) async fn announce(
    link: Link,
    mut entries: watch::Receiver<Entries>,
    mut returns: mpsc::Receiver<Return>,
    inside: Option<SocketAddr>,
) -> Result<(), ChannelError> {
    let cluster = link.open_channel(ChannelType::CLUSTER).await?;
    let mut told = Told::default();
    loop {
        let now = entries.borrow_and_update().clone();
        told.tell(&cluster, &now, inside).await?;
        tokio::select! {
            Ok(()) = entries.changed() => {}
            Some(returned) = returns.recv() => told.heard(&returned),
            () = time::sleep(AGAIN), if !told.refused.is_empty() => {
                for path in std::mem::take(&mut told.refused).into_keys() {
                    told.paths.remove(&path);
                }
            }
            _ = cluster.closed() => return Ok(()),
        }
    }
}

impl Told {
    async fn tell(
        &mut self,
        cluster: &Channel,
        now: &Entries,
        inside: Option<SocketAddr>,
    ) -> Result<(), ChannelError> {
        for message in self.news(now, inside) {
            cluster.send(message).await?;
        }
        Ok(())
    }

    /// What is to be said so that `now` is known.
    fn news(&mut self, now: &Entries, inside: Option<SocketAddr>) -> Vec<Bytes> {
        let mut messages = Vec::new();
        let gone: Vec<String> = self.paths.keys().filter(|path| !now.contains_key(*path)).cloned().collect();
        for path in gone {
            if let Some(entry) = self.paths.remove(&path) {
                self.refused.remove(&path);
                messages.push(ClusterMessage::Withdraw { path, epoch: entry.epoch }.encode(0));
            }
        }
        for (path, entry) in now.iter() {
            if self.paths.get(path) == Some(entry) {
                continue;
            }
            self.next = self.next.wrapping_add(1).max(1);
            self.asked.insert(self.next, path.clone());
            self.paths.insert(path.clone(), entry.clone());
            messages.push(ClusterMessage::Announce(announcement(path, entry, inside)).encode(self.next));
        }
        messages
    }

    fn heard(&mut self, returned: &Return) {
        if returned.channel != ChannelType::CLUSTER {
            return;
        }
        let Some(path) = self.asked.remove(&returned.request) else { return };
        if returned.code.is_success() {
            self.refused.remove(&path);
            return;
        }
        let text = returned.results.text(tag::TEXT).unwrap_or_default();
        if self.refused.insert(path.clone(), returned.code) != Some(returned.code) {
            tracing::warn!(path, code = %returned.code, text, "a balancer refuses this stream");
        }
    }
}

fn announcement(path: &str, entry: &Entry, inside: Option<SocketAddr>) -> Announcement {
    Announcement {
        path: path.to_owned(),
        feed_uid: entry.feed_uid.clone(),
        epoch: entry.epoch,
        grant: entry.grant.clone().into(),
        stream: entry.outlet.id,
        serving: Serving {
            ask: entry.ask,
            container: entry.container.clone(),
            address: inside.map(|address| address.to_string()),
            relay: entry.relay.clone(),
        },
    }
}
