//! One session with an owner of a path, and the content that comes of it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use bytes::Bytes;
use millrace_link::{
    Code,
    avrs::{Content, ContentFlags, ContentKind, Direction, Join, Target},
    net::{HeldSession, SessionError, Wish},
    wire::tag,
};

use super::{Edge, count, registry::Owner, splice::LARGEST_OPENING};
use crate::linking::{ListedSession, Tally, Trusted};

/// See the module.
pub(super) struct Running {
    pub owner: Owner,
    /// What came before is not what happens now.
    pub since: u64,
    edge: Arc<Edge>,
    trust: Arc<Trusted>,
    tally: Arc<Tally>,
    began: Instant,
    session: HeldSession,
    _listed: ListedSession,
}

impl Running {
    /// Begins one. In a task of its own: a session is not left half-begun where nobody waits for it any more.
    pub async fn begin(edge: Arc<Edge>, owner: Owner, path: Arc<str>) -> Result<Self, SessionError> {
        let wish = Wish {
            target: target(&path),
            credentials: Bytes::new(),
            join: Join::LastKeyframe,
            position: None,
        };
        let client = owner.peer.client.clone();
        let begin = tokio::spawn(async move { client.begin(&wish).await.map(HeldSession::from) });
        let session = begin.await.unwrap_or(Err(Code::ERROR.into()))?;
        count(&edge.counts.sessions);
        let since = session.synchronised().u64(tag::TIMESTAMP).unwrap_or_default();
        let tally = Arc::new(Tally::default());
        let listed = edge.lines.session(owner.peer.line, session.channel().id(), path, Some(tally.clone()));
        let trust = edge.identity.trust().clone();
        Ok(Self { owner, since, edge, trust, tally, began: Instant::now(), session, _listed: listed })
    }

    /// The next content. Cancel safe.
    pub async fn next(&self) -> Result<Content, SessionError> {
        let (packet, content) = self.session.recv(Some(&*self.trust)).await?;
        self.edge.counts.bytes_in.fetch_add(packet.len() as u64, Ordering::Relaxed);
        count(&self.edge.counts.packets_in);
        if !content.flags.has(ContentFlags::HEADER) {
            self.tally.count(packet.len(), &content, self.began.elapsed().as_micros() as u64);
        }
        Ok(content)
    }

    /// All until the first that is of the stream itself, and that.
    pub async fn opening(&self) -> Result<Vec<Content>, SessionError> {
        let (mut all, mut held) = (Vec::new(), 0);
        loop {
            let content = self.next().await?;
            let header = content.flags.has(ContentFlags::HEADER);
            held += content.data.len();
            all.push(content);
            if !header {
                return Ok(all);
            }
            if held > LARGEST_OPENING {
                return Err(Code::ERROR.into());
            }
        }
    }
}

/// Live content, to be watched.
pub(super) fn target(path: &str) -> Target {
    Target { content: path.to_owned(), direction: Direction::Watch, kind: ContentKind::Live, quality: None }
}
