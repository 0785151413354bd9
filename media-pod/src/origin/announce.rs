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
    /// The same of those that took back what another media pod has.
    moved: HashMap<u32, String>,
    refused: BTreeMap<String, Code>,
    next: u32,
}

/// Tells the balancer at the other end of `link` of every change, until the link is over. `inside` is where it finds what is
/// no stream; what became of its requests comes by `returns`. A path that it was told to look for elsewhere goes to `let_go`.
pub(super) async fn announce(
    link: Link,
    mut entries: watch::Receiver<Entries>,
    mut returns: mpsc::Receiver<Return>,
    inside: Option<SocketAddr>,
    let_go: mpsc::UnboundedSender<String>,
) -> Result<(), ChannelError> {
    let cluster = link.open_channel(ChannelType::CLUSTER).await?;
    let mut told = Told::default();
    loop {
        let now = entries.borrow_and_update().clone();
        told.tell(&cluster, &now, inside).await?;
        tokio::select! {
            Ok(()) = entries.changed() => {}
            Some(returned) = returns.recv() => {
                if let Some(path) = told.heard(&returned) {
                    let _ = let_go.send(path);
                }
            }
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
        let is_gone = |path: &&String| !now.here.contains_key(*path);
        let gone: Vec<String> = self.paths.keys().filter(is_gone).cloned().collect();
        for path in gone {
            let Some(entry) = self.paths.remove(&path) else { continue };
            self.refused.remove(&path);
            self.next = self.next.wrapping_add(1).max(1);
            // The epoch of who has it now says that somebody has: its viewers stay.
            let moved = now.moved.get(&path).copied();
            if moved.is_some() {
                self.moved.insert(self.next, path.clone());
            }
            let epoch = moved.unwrap_or_default().max(entry.epoch);
            messages.push(ClusterMessage::Withdraw { path, epoch }.encode(self.next));
        }
        for (path, entry) in &now.here {
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

    /// The path of which it knows now that another media pod has it.
    fn heard(&mut self, returned: &Return) -> Option<String> {
        if returned.channel != ChannelType::CLUSTER {
            return None;
        }
        if let Some(path) = self.moved.remove(&returned.request) {
            return Some(path);
        }
        let path = self.asked.remove(&returned.request)?;
        if returned.code.is_success() {
            self.refused.remove(&path);
            return None;
        }
        let text = returned.results.text(tag::TEXT).unwrap_or_default();
        if self.refused.insert(path.clone(), returned.code) != Some(returned.code) {
            tracing::warn!(path, code = %returned.code, text, "a balancer refuses this stream");
        }
        None
    }
}

fn announcement(path: &str, entry: &Entry, inside: Option<SocketAddr>) -> Announcement {
    Announcement {
        path: path.to_owned(),
        feed_uid: entry.feed_uid.clone(),
        epoch: entry.epoch,
        grant: entry.grant.clone().into(),
        stream: entry.stream(),
        serving: Serving {
            ask: entry.ask,
            content_type: entry.content_type.clone(),
            address: inside.map(|address| address.to_string()),
            relay: entry.relay.clone(),
        },
    }
}
