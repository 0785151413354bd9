//! Watches one stream.

use bytes::Bytes;

use super::{Address, ClientError, Options, connect};
use crate::avrs::{Content, ContentFlags, ContentKind, Direction, Generation, Target};
use crate::net::{ChannelError, Session, SessionClient, SessionError, Wish};

/// A stream that is watched: its content in order, never of an older generation after a newer.
pub struct Player {
    session: Session,
    address: Address,
    newest: Option<(Generation, u64)>,
    numbers: Numbers,
}

/// What a [`Player`] got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Packets.
    pub packets: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes that the other side skipped, because this one was too slow.
    pub skipped: u64,
    /// Packets of an older generation, which were dropped.
    pub stale: u64,
    /// Changes of generation.
    pub generations: u64,
}

impl Player {
    /// Dials, and takes a session through every step to streaming.
    pub async fn open(address: &Address, options: &Options) -> Result<Self, ClientError> {
        let link = connect(address, options).await?;
        let failed = |source| ClientError::of(address, source);
        let client = SessionClient::new(&link).await.map_err(failed)?;
        let wish = wish(address, Direction::Watch, options);
        let session = client.begin(&wish).await.map_err(failed)?;
        Ok(Self { session, address: address.clone(), newest: None, numbers: Numbers::default() })
    }

    /// The next content; none: the stream is over. May be dropped at any await.
    pub async fn next(&mut self) -> Result<Option<Content>, ClientError> {
        loop {
            match self.session.recv(None).await {
                Ok((_, content)) if self.count(&content) => return Ok(Some(content)),
                Ok(_) => {}
                Err(SessionError::Channel(ChannelError::Closed(notice))) if notice.code.is_success() => {
                    // A link that is over ends its channels, too: that is not the stream's end.
                    return match self.session.channel().link().close_reason() {
                        None => Ok(None),
                        Some(reason) => Err(ClientError::of(&self.address, reason.into())),
                    };
                }
                Err(source) => return Err(ClientError::of(&self.address, source)),
            }
        }
    }

    /// False: it is stale.
    fn count(&mut self, content: &Content) -> bool {
        let length = content.data.len() as u64;
        let counted = !content.flags.has(ContentFlags::HEADER);
        match &mut self.newest {
            Some((generation, _)) if content.generation < *generation => {
                self.numbers.stale += 1;
                return false;
            }
            Some((generation, next)) if content.generation == *generation => {
                if counted {
                    self.numbers.skipped += content.item.saturating_sub(*next);
                    *next = content.item.saturating_add(length);
                }
            }
            newest => {
                self.numbers.generations += u64::from(newest.is_some());
                // Of a generation of which only a header is there, the first item is not known.
                let next = if counted { content.item.saturating_add(length) } else { u64::MAX };
                *newest = Some((content.generation, next));
            }
        }
        if let Some((_, next)) = &mut self.newest
            && counted
            && *next == u64::MAX
        {
            *next = content.item.saturating_add(length);
        }
        self.numbers.packets += 1;
        self.numbers.bytes += length;
        true
    }

    /// What came so far.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Its session: statistics of the link, and the other side's.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

pub(super) fn wish(address: &Address, direction: Direction, options: &Options) -> Wish {
    Wish {
        target: Target { content: address.path.clone(), direction, kind: ContentKind::Live, quality: None },
        credentials: Bytes::from(address.credentials()),
        join: options.join,
        position: None,
    }
}
