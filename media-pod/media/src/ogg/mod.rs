//! Ogg, RFC 3533, and the headers of the codecs in it.

mod codec;
mod page;

use bytes::{Bytes, BytesMut};
use millrace_bus::{Container, Track, TrackKind};

use crate::found::Found;
use crate::walk::{Step, Walk};
use codec::Codec;
use page::Page;

/// Longest header: the header pages of all logical streams.
const LONGEST_HEADER: usize = 1 << 20;
/// Logical streams that are followed at once.
const MOST_STREAMS: usize = 32;
/// Bytes of a first packet that are looked at.
const LOOK: usize = 80;

#[derive(Debug)]
struct Logical {
    serial: u32,
    codec: Codec,
    /// Header packets still to come.
    headers: u32,
}

/// The parser of Ogg.
#[derive(Debug, Default)]
pub(crate) struct Ogg {
    streams: Vec<Logical>,
    header: BytesMut,
    /// All headers of this link of the chain are there.
    complete: bool,
}

impl Walk for Ogg {
    fn step(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        if !window.starts_with(page::MAGIC.get(..window.len().min(4)).unwrap_or_default()) {
            return match memchr::memchr(b'O', window.get(1..).unwrap_or_default()) {
                Some(ahead) => Step::Skip(ahead as u64 + 1),
                None => Step::Skip(window.len() as u64),
            };
        }
        let (page, body) = match Page::read(window, LOOK) {
            Ok(page) => page,
            Err(Step::Lost) => return Step::Skip(1),
            Err(step) => return step,
        };
        found.container = Some(Container::Ogg);
        found.unit(at);
        if page.first {
            self.begin(&page, body);
        }
        let whole = page.len as u64;
        let Some(index) = self.streams.iter().position(|s| s.serial == page.serial) else {
            return Step::Skip(whole);
        };
        let Some(stream) = self.streams.get_mut(index) else { return Step::Skip(whole) };
        if stream.headers > 0 || (!self.complete && stream.codec.kind.is_none()) {
            stream.headers = stream.headers.saturating_sub(page.completed);
            return if self.header.len() + page.len > LONGEST_HEADER {
                Step::Lost
            } else {
                Step::Take(whole)
            };
        }
        if !self.complete {
            self.finish(found);
        }
        if self.main() == Some(index) {
            self.mark(index, &page, body, at, found);
        }
        Step::Skip(whole)
    }

    fn data(&mut self, piece: &[u8], _found: &mut Found) {
        self.header.extend_from_slice(piece);
    }

    fn taken(&mut self, found: &mut Found) {
        // Streams that were not announced yet come before the second page of any.
        let told = self.streams.iter().all(|s| s.headers == 0);
        if told && self.streams.iter().any(|s| s.codec.headers > 1) {
            self.finish(found);
        }
    }
}

impl Ogg {
    /// A logical stream begins; after data, that is another link of the chain.
    fn begin(&mut self, page: &Page, body: &[u8]) {
        if self.complete {
            *self = Self::default();
        }
        self.streams.retain(|s| s.serial != page.serial);
        if self.streams.len() < MOST_STREAMS {
            let codec = Codec::read(body);
            let headers = codec.headers;
            self.streams.push(Logical { serial: page.serial, codec, headers });
        }
    }

    fn finish(&mut self, found: &mut Found) {
        self.complete = true;
        let tracks: Vec<Track> = self.streams.iter().filter_map(|s| s.codec.track()).collect();
        let video = tracks.iter().any(|t| t.kind == TrackKind::Video);
        let content_type = if video || tracks.is_empty() { "video/ogg" } else { "audio/ogg" };
        found.set_format(Container::Ogg, content_type, &tracks);
        found.set_header(Bytes::copy_from_slice(&self.header), Bytes::new());
    }

    /// The stream by which pages are judged: the first video, else the first audio.
    fn main(&self) -> Option<usize> {
        let first = |kind| self.streams.iter().position(|s| s.codec.kind == Some(kind));
        first(TrackKind::Video).or_else(|| first(TrackKind::Audio))
    }

    fn mark(&self, index: usize, page: &Page, body: &[u8], at: u64, found: &mut Found) {
        let Some(Logical { codec, .. }) = self.streams.get(index) else { return };
        if let Some((ticks, hz)) = page.granule.and_then(|granule| codec.ticks(granule)) {
            found.clock.feed(ticks, hz, None);
        }
        if codec.kind == Some(TrackKind::Audio) {
            found.frames(1);
            if !page.continued {
                found.audio_point(at);
            }
            return;
        }
        found.frames(page.begun);
        // A key frame in the middle of a page would have others before it.
        if !page.continued && !page.starts_empty && body.first().is_some_and(|byte| codec.key(*byte)) {
            found.random_access(at);
        }
    }
}
