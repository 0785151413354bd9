//! A file as a live source: read by a task of its own, at the speed of its timestamps where asked to.

use std::{io, path::PathBuf, time::Instant};

use bytes::{Bytes, BytesMut};
use millrace_media::{Pacer, Sniffer};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    sync::mpsc,
    time,
};

use crate::intake::Expected;

/// What is read at once where nobody paces, in bytes.
const PIECE: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub struct FileRun {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    paced: bool,
}

impl FileRun {
    /// Opens `path` and begins to read it.
    pub async fn open(path: PathBuf, looped: bool, paced: bool, expected: Expected) -> io::Result<Self> {
        let file = File::open(&path).await?;
        // A piece read ahead, not more: what waits here is late.
        let (to, pieces) = mpsc::channel(1);
        tokio::spawn(async move {
            if let Err(e) = read(file, looped, paced.then(|| Clock::new(expected)), &to).await {
                let _ = to.send(Err(e)).await;
            }
        });
        Ok(Self { pieces, paced })
    }

    /// Whether it goes at the speed of its timestamps.
    pub fn paced(&self) -> bool {
        self.paced
    }

    /// The next piece; empty at the end. Cancel safe.
    pub async fn read(&mut self) -> io::Result<Bytes> {
        self.pieces.recv().await.unwrap_or_else(|| Ok(Bytes::new()))
    }
}

struct Clock {
    sniffer: Sniffer,
    pacer: Pacer,
}

impl Clock {
    fn new(expected: Expected) -> Self {
        Self { sniffer: expected.sniffer().unwrap_or_else(|| Sniffer::new(None)), pacer: Pacer::new() }
    }

    async fn wait(&mut self, piece: &Bytes) {
        self.sniffer.push(piece);
        let wait = self.pacer.wait(piece.len(), self.sniffer.media_time(), Instant::now());
        if !wait.is_zero() {
            time::sleep(wait).await;
        }
    }
}

async fn read(
    mut file: File,
    looped: bool,
    mut clock: Option<Clock>,
    to: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut since_start: u64 = 0;
    loop {
        let size = clock.as_ref().map_or(PIECE, |clock| clock.pacer.next_piece());
        let mut piece = BytesMut::with_capacity(size);
        if file.read_buf(&mut piece).await? == 0 {
            if !looped || since_start == 0 {
                return Ok(());
            }
            since_start = 0;
            file.rewind().await?;
            continue;
        }
        since_start += piece.len() as u64;
        let piece = piece.freeze();
        if let Some(clock) = &mut clock {
            clock.wait(&piece).await;
        }
        if to.send(Ok(piece)).await.is_err() {
            return Ok(());
        }
    }
}
