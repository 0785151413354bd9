//! A viewer that reads as it comes, beside the test.

use std::{
    fs,
    io::Read,
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::{media::brightness, wait::eventually};

/// What a watcher keeps at most of what it read, in bytes.
const KEPT: usize = 32 << 20;

/// Reads a connection to its end in a thread of its own. Dropping it hangs up.
pub struct Watcher {
    socket: TcpStream,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: AtomicU64,
    ended: AtomicBool,
    cleanly: AtomicBool,
    kept: Mutex<Vec<u8>>,
}

impl Watcher {
    /// Reads `socket` from now on.
    ///
    /// # Panics
    /// If the socket cannot be shared with a thread.
    #[allow(clippy::panic, reason = "a test ends by it")]
    pub fn new(socket: TcpStream) -> Self {
        let shared = Arc::new(Shared::default());
        let mut reader = socket.try_clone().unwrap_or_else(|e| panic!("a socket cannot be shared: {e}"));
        let to = shared.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            let last = loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break true,
                    Ok(count) => to.take(buffer.get(..count).unwrap_or_default()),
                    Err(_) => break false,
                }
            };
            to.cleanly.store(last, Ordering::Release);
            to.ended.store(true, Ordering::Release);
        });
        Self { socket, shared }
    }

    /// Bytes so far, the response head included.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Acquire)
    }

    /// Whether the connection is over.
    pub fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// Waits until it is over; whether that was orderly, not a reset.
    pub fn end(&self) -> bool {
        eventually("the viewer's connection ends", || self.ended().then_some(()));
        self.shared.cleanly.load(Ordering::Acquire)
    }

    /// Waits until `more` bytes came from now on.
    ///
    /// # Panics
    /// If the connection ends before.
    pub fn flows(&self, more: u64) {
        let until = self.received() + more;
        eventually(&format!("a viewer receives {more} bytes"), || {
            let there = self.received() >= until;
            assert!(there || !self.ended(), "the viewer's connection ended: {}", self.head());
            there.then_some(())
        });
    }

    /// The response head.
    pub fn head(&self) -> String {
        let kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let all = String::from_utf8_lossy(kept.get(..kept.len().min(4096)).unwrap_or_default()).into_owned();
        all.split_once("\r\n\r\n").map_or(all.clone(), |(head, _)| head.to_owned())
    }

    /// What came after the response head, up to 32 MiB.
    pub fn body(&self) -> Vec<u8> {
        let kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let head = kept.windows(4).position(|four| four == b"\r\n\r\n").map_or(kept.len(), |at| at + 4);
        kept.get(head..).unwrap_or_default().to_vec()
    }

    /// The brightness of the first picture after `from` bytes of what came, which is MPEG-TS.
    ///
    /// # Panics
    /// If no picture is there.
    #[allow(clippy::panic, reason = "a test ends by it")]
    pub fn brightness(&self, from: usize) -> u8 {
        let body = self.body();
        let packets = body.get(from.div_ceil(188) * 188..).unwrap_or_default();
        let file = tempfile::Builder::new().suffix(".ts").tempfile();
        let file = file.and_then(|file| fs::write(&file, packets).map(|()| file));
        brightness(file.unwrap_or_else(|e| panic!("no file for a picture: {e}")).path())
    }
}

impl Shared {
    fn take(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
        drop(kept);
        self.received.fetch_add(bytes.len() as u64, Ordering::AcqRel);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
