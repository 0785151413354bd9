//! One session with an upstream, and the content that comes of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_link::{
    Code,
    avrs::{Content, ContentFlags, Way},
    net::{ChannelError, HeldSession, Session, SessionError},
    secure::MemberId,
    wire::tag,
};
use tokio::time::timeout;

use super::uplink::Seat;
use crate::linking::{Lines, ListedSession, Tally};

/// What gives nothing for this long is asked for anew: whoever had it may have it no more.
const SILENCE: Duration = Duration::from_secs(20);

/// Of what the content is: only of the same runs of one stream bytes can be compared.
pub(super) type Identity = (Option<MemberId>, u64);

/// What comes next.
pub(super) enum Next {
    /// Content, and how many bytes it was on the link.
    Content(Content, usize),
    /// The stream is over.
    Over,
    /// No more comes of this session, and why.
    Lost(SessionError),
    /// Nothing came for a long time.
    Silent,
}

/// See the module.
pub(super) struct Pulled {
    /// What came before is not what happens now.
    pub since: u64,
    /// Through which clusters it comes.
    pub from: Way,
    pub identity: Identity,
    session: HeldSession<Seat>,
    tally: Arc<Tally>,
    began: Instant,
    _listed: ListedSession,
}

impl Pulled {
    pub fn new(session: Session, seat: Seat, all: &Arc<Lines>, path: Arc<str>) -> Self {
        let tally = Arc::new(Tally::default());
        let from = session.selected().get(tag::WAY).and_then(|way| Way::decode(way));
        Self {
            since: session.synchronised().u64(tag::TIMESTAMP).unwrap_or_default(),
            from: from.unwrap_or_default(),
            identity: (seat.line.link.peer().and_then(|peer| peer.id), session.stream()),
            _listed: all.session(seat.line.id(), session.channel().id(), path, Some(tally.clone())),
            session: HeldSession::new(session, seat),
            tally,
            began: Instant::now(),
        }
    }

    /// Cancel safe.
    pub async fn next(&self) -> Next {
        match timeout(SILENCE, self.session.recv(None)).await {
            Ok(Ok((packet, content))) => {
                if !content.flags.has(ContentFlags::HEADER) {
                    self.tally.count(packet.len(), &content, self.began.elapsed().as_micros() as u64);
                }
                Next::Content(content, packet.len())
            }
            Ok(Err(SessionError::Channel(ChannelError::Closed(notice))))
                if notice.code == Code::SUCCESS && self.session.kept().line.link.close_reason().is_none() =>
            {
                Next::Over
            }
            Ok(Err(error)) => Next::Lost(error),
            Err(_) => Next::Silent,
        }
    }
}
