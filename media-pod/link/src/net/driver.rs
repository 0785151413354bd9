//! The task of one link: moves bytes between transport and core.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::shared::{Shared, now};
use crate::Outgoing;

/// Bytes read at once: little on a quiet link, of which there may be many, more on a busy one.
const READ: std::ops::RangeInclusive<usize> = 4 * 1024..=256 * 1024;
/// Packets and bytes written at once.
const BATCH_PACKETS: usize = 64;
const BATCH_BYTES: usize = 512 * 1024;
/// Reads and writes before the driver lets other tasks run.
const TURNS: usize = 8;
/// What a closed link may still take to say so.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub struct Driver<S> {
    shared: Arc<Shared>,
    stream: S,
    input: BytesMut,
    read: usize,
    batch: VecDeque<Outgoing>,
    /// Packets that are written.
    sent: Vec<Outgoing>,
    /// Bytes of the batch's first packet that are written.
    written: usize,
    unflushed: bool,
    /// The other side takes nothing more.
    deaf: bool,
    timer: Pin<Box<Sleep>>,
    last_words: Option<Instant>,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub fn new(shared: Arc<Shared>, stream: S) -> Self {
        Self {
            shared,
            stream,
            input: BytesMut::new(),
            read: *READ.start(),
            batch: VecDeque::new(),
            sent: Vec::new(),
            written: 0,
            unflushed: false,
            deaf: false,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            last_words: None,
            ended: false,
        }
    }

    fn lost(&mut self) {
        self.ended = true;
        self.batch.clear();
        self.shared.act(|inner| inner.core.transport_lost());
    }

    /// The connection ended by itself, or with an error of the machine.
    fn over(&mut self, error: Option<&io::Error>) {
        if error.is_some_and(|error| !by_peer(error.kind())) {
            return self.lost();
        }
        self.ended = true;
        self.batch.clear();
        self.shared.act(|inner| inner.core.transport_ended());
    }

    /// One write; pending: nothing to write, or no room.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.deaf {
            self.batch.clear();
            self.unflushed = false;
            return Poll::Pending;
        }
        if self.batch.is_empty() {
            self.fill();
        }
        if self.batch.is_empty() {
            if self.unflushed {
                match Pin::new(&mut self.stream).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    Poll::Ready(Err(_)) => self.lost(),
                    Poll::Pending => {}
                }
            }
            return Poll::Pending;
        }
        let mut slices = Vec::with_capacity(self.batch.len() * 2);
        let mut skip = self.written;
        for piece in self.batch.iter().flat_map(Outgoing::pieces) {
            let rest = piece.get(skip.min(piece.len())..).unwrap_or_default();
            skip -= piece.len() - rest.len();
            if !rest.is_empty() {
                slices.push(IoSlice::new(rest));
            }
        }
        match std::task::ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices)) {
            Ok(count) if count > 0 => self.wrote(count),
            // What it said before may still be there to be read.
            Err(error) if by_peer(error.kind()) => self.deaf = true,
            _ => self.lost(),
        }
        Poll::Ready(())
    }

    fn fill(&mut self) {
        let mut inner = self.shared.lock();
        let mut bytes = 0;
        self.sent.drain(..).for_each(|sent| inner.core.recycle(sent));
        while bytes < BATCH_BYTES && self.batch.len() < BATCH_PACKETS {
            let Some(packet) = inner.core.poll_output() else { break };
            bytes += packet.len();
            self.batch.push_back(packet);
        }
        if self.batch.is_empty() {
            inner.core.rest();
            self.sent = Vec::new();
        }
        inner.dispatch(&self.shared.changed);
    }

    fn wrote(&mut self, count: usize) {
        self.unflushed = true;
        self.written += count;
        while let Some(first) = self.batch.front()
            && self.written >= first.len()
        {
            self.written -= first.len();
            self.sent.extend(self.batch.pop_front());
        }
    }

    /// One read.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The rest of a buffer is used up before there is a new one.
        if self.input.capacity() < self.read / 4 {
            self.input.reserve(self.read);
        }
        let room = self.input.capacity();
        let read = {
            let read = pin!(self.stream.read_buf(&mut self.input));
            std::task::ready!(read.poll(cx))
        };
        match read {
            Ok(count) if count > 0 => {
                let bytes = self.input.split();
                if count == room {
                    self.read = (self.read * 2).min(*READ.end());
                } else if count < self.read / 16 {
                    self.read = (self.read / 2).max(*READ.start());
                }
                let mut inner = self.shared.lock();
                inner.core.handle_input_mut(now(), bytes);
                inner.dispatch(&self.shared.changed);
            }
            Ok(_) => self.over(None),
            Err(error) => self.over(Some(&error)),
        }
        Poll::Ready(())
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = match self.last_words {
            Some(deadline) => deadline,
            None => match self.shared.lock().core.poll_timeout() {
                Some(deadline) => Instant::from_std(deadline),
                None => return Poll::Pending,
            },
        };
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        std::task::ready!(self.timer.as_mut().poll(cx));
        if self.last_words.is_some() {
            self.ended = true;
        } else {
            self.shared.act(|inner| inner.core.handle_timeout(now()));
        }
        Poll::Ready(())
    }

    fn is_done(&mut self) -> bool {
        if self.ended {
            return true;
        }
        let closed = {
            let inner = self.shared.lock();
            inner.core.is_closed().then(|| inner.core.has_output())
        };
        if let Some(more) = closed {
            let deadline = Instant::now() + LAST_WORDS;
            self.last_words.get_or_insert(deadline);
            return self.deaf || (!more && self.batch.is_empty() && !self.unflushed);
        }
        false
    }
}

/// Whether the other side's machine said so; not this one's, and not the network between.
fn by_peer(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error, BrokenPipe | ConnectionReset | UnexpectedEof)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared.driver.register(cx.waker());
        for _ in 0..TURNS {
            let wrote = this.poll_write(cx).is_ready();
            if this.is_done() {
                // An error here changes nothing: the link is over.
                let _ = Pin::new(&mut this.stream).poll_shutdown(cx);
                return Poll::Ready(());
            }
            // A link that only says good-bye reads no more.
            let read = this.last_words.is_none() && this.poll_read(cx).is_ready();
            let timed = !this.ended && this.poll_timer(cx).is_ready();
            if !wrote && !read && !timed {
                return Poll::Pending;
            }
        }
        // Others have their turn; a peer that floods must not keep them waiting.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
