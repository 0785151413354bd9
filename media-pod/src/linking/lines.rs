//! The links of this media pod and the sessions on them, to look at.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use millrace_link::{
    ChannelId,
    avrs::Content,
    engine::{ChannelStats, LinkStats},
    net::Link,
};

/// What the other end of a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// It runs feeds and streams.
    Server,
    /// It serves viewers.
    Balancer,
    /// It is of another Cluster, which streams are pulled from.
    Upstream,
}

impl Peer {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Balancer => "Balancer",
            Self::Upstream => "Upstream",
        }
    }
}

/// What was counted of one session's content at the end that receives it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Content packets.
    pub packets: AtomicU64,
    /// Their bytes, arguments and signatures included.
    pub bytes: AtomicU64,
    /// Microseconds (RFC 3550, section 6.4.1, over the packets' times), as bits of an `f64`.
    jitter: AtomicU64,
    /// The time that the packet before took, plus any constant.
    transit: AtomicU64,
}

impl Tally {
    /// Counts a packet of `bytes` that came at `arrival`, microseconds after any fixed moment.
    pub fn count(&self, bytes: usize, content: &Content, arrival: u64) {
        let transit = arrival.wrapping_sub(content.timestamp);
        let before = self.transit.swap(transit, Ordering::Relaxed);
        let first = self.packets.fetch_add(1, Ordering::Relaxed) == 0;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if !first {
            let jitter = self.jitter();
            let varied = transit.wrapping_sub(before).cast_signed().unsigned_abs() as f64;
            let jitter = jitter + (varied - jitter) / 16.0;
            self.jitter.store(jitter.to_bits(), Ordering::Relaxed);
        }
    }

    /// Microseconds.
    pub fn jitter(&self) -> f64 {
        f64::from_bits(self.jitter.load(Ordering::Relaxed))
    }
}

/// A session, as it is now.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Counts the sessions of this program, from 1.
    pub id: u64,
    /// The path.
    pub path: Arc<str>,
    /// Since when.
    pub since: SystemTime,
    /// Numbers of its channel.
    pub stats: ChannelStats,
    /// What was counted of its content, at the end that receives it.
    pub tally: Option<Arc<Tally>>,
}

/// A link, as it is now.
#[derive(Clone, Debug)]
pub struct LinkInfo {
    /// Counts the links of this program, from 1.
    pub id: u64,
    /// What the other end is.
    pub peer: Peer,
    /// POD-UID_BOOT-ID of a server pod; the key of a balancer; what this Cluster calls another one.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Since when.
    pub since: SystemTime,
    /// How long ago something was heard, in milliseconds.
    pub silence: u64,
    /// Numbers of the link.
    pub stats: LinkStats,
    /// By id.
    pub sessions: Vec<SessionInfo>,
}

struct Line {
    peer: Peer,
    name: String,
    address: SocketAddr,
    since: SystemTime,
    link: Link,
    sessions: BTreeMap<u64, Session>,
}

struct Session {
    channel: ChannelId,
    path: Arc<str>,
    since: SystemTime,
    tally: Option<Arc<Tally>>,
}

/// See the module.
#[derive(Default)]
pub struct Lines {
    links: AtomicU64,
    sessions: AtomicU64,
    all: Mutex<BTreeMap<u64, Line>>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("links", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Line>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists `link` until what is given back is dropped.
    pub fn list(self: &Arc<Self>, link: &Link, peer: Peer, name: String, address: SocketAddr) -> Listed {
        let id = self.links.fetch_add(1, Ordering::Relaxed) + 1;
        let new = Line {
            peer,
            name,
            address,
            since: SystemTime::now(),
            link: link.clone(),
            sessions: BTreeMap::new(),
        };
        self.lock().insert(id, new);
        Listed { lines: self.clone(), id }
    }

    /// Lists a session on `channel` of a link, if that is listed, until what is given back is dropped.
    pub fn session(
        self: &Arc<Self>,
        link: u64,
        channel: ChannelId,
        path: Arc<str>,
        tally: Option<Arc<Tally>>,
    ) -> ListedSession {
        let id = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Session { channel, path, since: SystemTime::now(), tally };
        if let Some(line) = self.lock().get_mut(&link) {
            line.sessions.insert(id, session);
        }
        ListedSession { lines: self.clone(), link, id }
    }

    /// All links, by id.
    pub fn all(&self) -> Vec<LinkInfo> {
        let all = self.lock();
        let info = |(id, line): (&u64, &Line)| {
            let channels: BTreeMap<ChannelId, ChannelStats> = line.link.channel_stats().into_iter().collect();
            let session = |(id, session): (&u64, &Session)| SessionInfo {
                id: *id,
                path: session.path.clone(),
                since: session.since,
                stats: channels.get(&session.channel).copied().unwrap_or_default(),
                tally: session.tally.clone(),
            };
            LinkInfo {
                id: *id,
                peer: line.peer,
                name: line.name.clone(),
                address: line.address,
                since: line.since,
                silence: line.link.silence().as_millis() as u64,
                stats: line.link.stats(),
                sessions: line.sessions.iter().map(session).collect(),
            }
        };
        all.iter().map(info).collect()
    }
}

/// A link's place in the list.
pub struct Listed {
    lines: Arc<Lines>,
    id: u64,
}

impl Listed {
    /// The link's number.
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let line = self.lines.lock().remove(&self.id);
        // Outside of the lock: the last handle of a link closes it.
        drop(line);
    }
}

/// A session's place in the list.
pub struct ListedSession {
    lines: Arc<Lines>,
    link: u64,
    id: u64,
}

impl Drop for ListedSession {
    fn drop(&mut self) {
        if let Some(line) = self.lines.lock().get_mut(&self.link) {
            line.sessions.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use millrace_link::{
        Config, Role, Side,
        avrs::{ContentFlags, Generation},
    };

    use super::*;

    #[tokio::test]
    async fn links_and_sessions_are_listed_as_long_as_they_are_there() {
        let (stream, _other) = tokio::io::duplex(1024);
        let link = Link::start(stream, Config::clear(Side::Dialer, Role::SERVER)).unwrap();
        let lines = Arc::new(Lines::default());
        let listed = lines.list(&link, Peer::Balancer, "edge".to_owned(), ([127, 0, 0, 1], 9).into());
        let session = lines.session(listed.id(), ChannelId(9), "/a.ts".into(), None);
        let all = lines.all();
        assert_eq!((all.len(), all[0].sessions.len(), &*all[0].sessions[0].path), (1, 1, "/a.ts"));
        drop(session);
        assert!(lines.all()[0].sessions.is_empty());
        drop(listed);
        assert!(lines.all().is_empty());
    }

    #[test]
    fn jitter_is_how_much_the_way_varies() {
        let tally = Tally::default();
        let content = |timestamp| Content {
            stream: 1,
            flags: ContentFlags::NONE,
            generation: Generation { epoch: 1, run: 1 },
            timestamp,
            item: 0,
            data: Bytes::new(),
        };
        for n in 0..100 {
            tally.count(10, &content(n * 1000), n * 1000 + 7);
        }
        assert!(tally.jitter() < f64::EPSILON);
        tally.count(10, &content(100_000), 101_600);
        assert!((99.0..101.0).contains(&tally.jitter()), "{}", tally.jitter());
        assert_eq!(tally.bytes.load(Ordering::Relaxed), 1010);
    }
}
