//! A connection's two halves, with a bound on how long each may take.

use std::{io, time::Duration};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time,
};

use crate::{
    frame::{Decoder, FrameError},
    tls::TlsError,
};

/// What is read at once, in bytes.
const PIECE: usize = 16 << 10;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the other end closed it")]
    Closed,
    #[error("nothing came for {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("the other end has not read for {} s", .0.as_secs_f64())]
    Stuck(Duration),
    #[error("no connection within {} s", .0.as_secs_f64())]
    Unreachable(Duration),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("refused: {0}")]
    Refused(String),
}

impl Ended {
    /// Whether the other end has closed or reset it, as its kernel does when the process is killed.
    pub(crate) fn is_by_peer(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match self {
            Self::Closed => true,
            Self::Io(error) => matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof),
            _ => false,
        }
    }
}

/// The half that is read.
pub(crate) struct Reader<R> {
    from: R,
    decoder: Decoder,
    piece: Box<[u8]>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(from: R, limit: usize) -> Self {
        Self { from, decoder: Decoder::new(limit), piece: vec![0; PIECE].into() }
    }

    pub(crate) fn limit(&mut self, limit: usize) {
        self.decoder.limit(limit);
    }

    /// The next message, which must be complete within `patience`.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T, Ended> {
        time::timeout(patience, self.read()).await.unwrap_or(Err(Ended::Silent(patience)))
    }

    async fn read<T: DeserializeOwned>(&mut self) -> Result<T, Ended> {
        loop {
            if let Some(message) = self.decoder.message()? {
                return Ok(message);
            }
            let read = self.from.read(&mut self.piece).await?;
            if read == 0 {
                return Err(Ended::Closed);
            }
            self.decoder.push(self.piece.get(..read).unwrap_or_default());
        }
    }
}

/// Writes all of `bytes`, within `patience`.
pub(crate) async fn write<W: AsyncWrite + Unpin>(
    to: &mut W,
    bytes: &Bytes,
    patience: Duration,
) -> Result<(), Ended> {
    let written = async {
        to.write_all(bytes).await?;
        to.flush().await
    };
    match time::timeout(patience, written).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(Ended::Stuck(patience)),
    }
}
