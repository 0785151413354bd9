//! Publishes one stream.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::play::wish;
use super::{Address, ClientError, Options, connect};
use crate::avrs::{Content, ContentFlags, Direction, Generation};
use crate::net::{Session, SessionClient};
use crate::wire::Code;

/// Bytes in one content packet at most.
const LARGEST: usize = 64 * 1024;

/// A stream that is published: the bytes of a container, in order.
pub struct Publisher {
    session: Session,
    address: Address,
    run: u64,
    sent: u64,
}

impl Publisher {
    /// Dials, and takes a session through every step to streaming.
    pub async fn open(address: &Address, options: &Options) -> Result<Self, ClientError> {
        let link = connect(address, options).await?;
        let failed = |source| ClientError::of(address, source);
        let client = SessionClient::new(&link).await.map_err(failed)?;
        let session = client.begin(&wish(address, Direction::Publish, options)).await.map_err(failed)?;
        Ok(Self { session, address: address.clone(), run: micros(), sent: 0 })
    }

    /// Sends what comes next; waits while the other side takes nothing.
    pub async fn send(&mut self, mut bytes: Bytes) -> Result<(), ClientError> {
        while !bytes.is_empty() {
            let data = bytes.split_to(bytes.len().min(LARGEST));
            let content = self.content(data, ContentFlags::NONE);
            self.sent += content.data.len() as u64;
            self.pass(&content).await?;
        }
        Ok(())
    }

    /// That was all: waits until the other side has taken it.
    pub async fn finish(self) -> Result<(), ClientError> {
        self.pass(&self.content(Bytes::new(), ContentFlags::END)).await?;
        let channel = self.session.channel();
        channel.close(Code::SUCCESS, "");
        channel.closed().await;
        self.session.close().await.map_err(|source| ClientError::of(&self.address, source))
    }

    /// Its session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn content(&self, data: Bytes, flags: ContentFlags) -> Content {
        Content {
            stream: self.session.stream(),
            flags,
            generation: Generation { epoch: 0, run: self.run },
            timestamp: micros(),
            item: self.sent,
            data,
        }
    }

    async fn pass(&self, content: &Content) -> Result<(), ClientError> {
        let sent = self.session.channel().send_parts(content.encode_head(), content.data.clone()).await;
        sent.map_err(|error| ClientError::of(&self.address, error.into()))
    }
}

/// Since 1970.
fn micros() -> u64 {
    UNIX_EPOCH
        .elapsed()
        .or_else(|_| SystemTime::now().duration_since(UNIX_EPOCH))
        .unwrap_or_default()
        .as_micros() as u64
}
