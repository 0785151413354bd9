//! Viewers whose connection is hyper's: a bounded queue between an egress shard and a response body.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use millrace_bus::egress::{Poke, Sink};

/// Pieces that may wait.
const PIECES: usize = 32;
/// Bytes that may wait.
const BYTES: usize = 256 << 10;

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// The shard found no room.
    full: bool,
    /// Nothing more will be put in. False: the viewer was thrown out.
    ended: Option<bool>,
    /// The body is gone.
    gone: bool,
    reader: Option<Waker>,
    poke: Option<Poke>,
}

type Shared = Arc<Mutex<Queue>>;

/// The shard's end.
#[derive(Debug)]
pub(crate) struct QueueSink(Shared);

/// hyper's end: a body without a length.
#[derive(Debug)]
pub(crate) struct QueueBody(Shared);

/// The viewer was thrown out before the stream's end, or who sends it is gone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the viewer was too slow, or told to go, or the media pod behind this one is gone")]
pub(crate) struct CutOff;

pub(crate) fn queue() -> (QueueSink, QueueBody) {
    let shared = Shared::default();
    (QueueSink(shared.clone()), QueueBody(shared))
}

fn lock(shared: &Shared) -> MutexGuard<'_, Queue> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for QueueSink {
    fn write(&mut self, parts: &[Bytes]) -> io::Result<usize> {
        let mut queue = lock(&self.0);
        let mut taken = 0;
        for part in parts {
            let room = BYTES.saturating_sub(queue.bytes).min(part.len());
            if room == 0 || queue.pieces.len() >= PIECES {
                break;
            }
            queue.bytes += room;
            queue.pieces.push_back(part.slice(..room));
            taken += room;
        }
        if taken == 0 {
            queue.full = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let reader = queue.reader.take();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(taken)
    }

    fn drain(&mut self) -> io::Result<bool> {
        Ok(!lock(&self.0).gone)
    }

    fn poked_by(&mut self, poke: Poke) {
        let mut queue = lock(&self.0);
        if queue.gone {
            poke.poke();
        }
        queue.poke = Some(poke);
    }

    fn unacknowledged(&self) -> u64 {
        lock(&self.0).bytes as u64
    }

    fn close(&mut self, orderly: bool) {
        end(&self.0, orderly);
    }
}

impl Drop for QueueSink {
    fn drop(&mut self) {
        end(&self.0, false);
    }
}

fn end(shared: &Shared, orderly: bool) {
    let mut queue = lock(shared);
    if queue.ended.is_some() {
        return;
    }
    queue.ended = Some(orderly);
    if !orderly {
        // Whoever does not read holds nothing.
        queue.pieces = VecDeque::new();
        queue.bytes = 0;
    }
    let reader = queue.reader.take();
    drop(queue);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Body for QueueBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let mut queue = lock(&self.0);
        let Some(piece) = queue.pieces.pop_front() else {
            return match queue.ended {
                Some(true) => Poll::Ready(None),
                Some(false) => Poll::Ready(Some(Err(CutOff))),
                None => {
                    queue.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        queue.bytes -= piece.len().min(queue.bytes);
        // Half of it, so that the shard is not woken for every piece.
        if queue.full && queue.bytes <= BYTES / 2 && queue.pieces.len() <= PIECES / 2 {
            queue.full = false;
            if let Some(poke) = &queue.poke {
                poke.poke();
            }
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Drop for QueueBody {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.gone = true;
        queue.pieces = VecDeque::new();
        queue.bytes = 0;
        if let Some(poke) = &queue.poke {
            poke.poke();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn next(body: &mut QueueBody) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    fn data(body: &mut QueueBody) -> Bytes {
        match next(body) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_queue_takes_what_there_is_room_for_and_then_nothing() {
        let (mut sink, mut body) = queue();
        let big = Bytes::from(vec![7; BYTES - 10]);
        assert_eq!(sink.write(&[big.clone(), big.clone()]).unwrap(), BYTES);
        assert_eq!(sink.write(&[big]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(sink.unacknowledged(), BYTES as u64);
        assert_eq!(data(&mut body).len(), BYTES - 10);
        assert_eq!(data(&mut body).len(), 10);
        assert!(next(&mut body).is_pending());
        let small = Bytes::from_static(b"x");
        let many = vec![small.clone(); PIECES + 5];
        assert_eq!(sink.write(&many).unwrap(), PIECES);
        assert!(sink.write(&[small]).is_err());
    }

    #[test]
    fn an_orderly_end_leaves_what_waits_and_another_one_does_not() {
        let (mut sink, mut body) = queue();
        sink.write(&[Bytes::from_static(b"last words")]).unwrap();
        sink.close(true);
        drop(sink);
        assert_eq!(data(&mut body), "last words");
        assert!(matches!(next(&mut body), Poll::Ready(None)));

        let (mut sink, mut body) = queue();
        sink.write(&[Bytes::from_static(b"lost")]).unwrap();
        drop(sink);
        assert!(matches!(next(&mut body), Poll::Ready(Some(Err(CutOff)))));
    }

    #[test]
    fn the_shard_hears_that_the_body_is_gone() {
        let (mut sink, body) = queue();
        assert!(sink.drain().unwrap());
        drop(body);
        assert!(!sink.drain().unwrap());
    }
}
