//! Flash Video: Adobe's Video File Format Specification 10.1 annex E, with the enhanced codecs of E-RTMP v2.

mod tag;

use bytes::{Bytes, BytesMut};
use millrace_bus::{Container, Track, TrackKind};

use crate::found::{Found, track};
use crate::read::{be, byte};
use crate::walk::{Step, Walk};
use tag::{Role, Tag};

const CONTENT_TYPE: &str = "video/x-flv";
const TAG_HEADER: usize = 11;
/// Size of the previous tag, after each tag.
const BACK: u64 = 4;
/// Bytes of a tag's body that are looked at.
const LOOK: usize = 64;
/// Longest header: metadata and the sequence headers of all tracks.
const LONGEST_HEADER: usize = 1 << 20;
/// Sequence headers that are kept.
const MOST_PARTS: usize = 16;
/// Tags after which a track that was announced and never came is not waited for.
const PATIENCE: u32 = 100;

/// Which tag of the header a new one takes the place of.
type Key = (Role, u8);

/// The parser of Flash Video.
#[derive(Debug, Default)]
pub(crate) struct Flv {
    file_header: Bytes,
    parts: Vec<(Key, Bytes)>,
    taking: Option<Key>,
    taken: BytesMut,
    video: Option<Track>,
    audio: Option<Track>,
    announced: (bool, bool),
    tags: u32,
    /// Tracks and header are known.
    settled: bool,
}

impl Walk for Flv {
    fn step(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        if window.first() == Some(&b'F') {
            return self.begin(window);
        }
        if self.file_header.is_empty() {
            return Step::Lost;
        }
        let Some(size) = be(window, 1, 3) else { return Step::Need(TAG_HEADER) };
        let shown = TAG_HEADER + (size as usize).min(LOOK);
        let Some(head) = window.get(..shown) else { return Step::Need(shown) };
        let whole = TAG_HEADER as u64 + size + BACK;
        let Some(tag) = Tag::read(head) else { return Step::Lost };
        found.container = Some(Container::Flv);
        found.unit(at);
        self.tags = self.tags.saturating_add(1);
        self.learn(&tag);
        if tag.sequence_header {
            if whole > LONGEST_HEADER as u64 {
                return Step::Lost;
            }
            self.taking = Some((tag.role, tag.track));
            return Step::Take(whole);
        }
        self.settle(found);
        self.mark(&tag, at, found);
        Step::Skip(whole)
    }

    fn data(&mut self, piece: &[u8], _found: &mut Found) {
        self.taken.extend_from_slice(piece);
    }

    fn taken(&mut self, found: &mut Found) {
        let bytes = self.taken.split().freeze();
        let Some(key) = self.taking.take() else {
            self.file_header = bytes;
            return;
        };
        self.parts.retain(|(old, _)| *old != key);
        if self.parts.len() < MOST_PARTS {
            self.parts.push((key, bytes));
        }
        self.parts.sort_by_key(|(key, _)| *key);
        let len: usize = self.parts.iter().map(|(_, b)| b.len()).sum();
        if len > LONGEST_HEADER {
            return;
        }
        if self.settled {
            self.report_header(found);
        }
        self.settle(found);
    }
}

impl Flv {
    /// The file header, which is there again if a file is begun again.
    fn begin(&mut self, window: &[u8]) -> Step {
        let Some(head) = window.get(..9) else { return Step::Need(9) };
        let offset = be(head, 5, 4).unwrap_or_default();
        if !head.starts_with(b"FLV") || !(9..=64).contains(&offset) {
            return Step::Lost;
        }
        let flags = byte(head, 4).unwrap_or_default();
        *self = Self { announced: (flags & 1 != 0, flags & 4 != 0), ..Self::default() };
        Step::Take(offset + BACK)
    }

    fn learn(&mut self, tag: &Tag) {
        let Some(codec) = tag.codec else { return };
        match tag.role {
            Role::Video => self.video = Some(track(TrackKind::Video, codec)),
            Role::Audio => self.audio = Some(track(TrackKind::Audio, codec)),
            Role::Script => {}
        }
    }

    /// Says what is there once what was announced has come, or has been waited for long enough.
    fn settle(&mut self, found: &mut Found) {
        let (video, audio) = self.announced;
        let known = 1 + usize::from(self.video.is_some() && self.audio.is_some());
        if self.settled && found.format.as_ref().is_some_and(|f| f.tracks.len() == known) {
            return;
        }
        let complete = (self.video.is_some() || !video) && (self.audio.is_some() || !audio);
        let tracks: Vec<Track> = self.video.iter().chain(&self.audio).cloned().collect();
        if tracks.is_empty() || !(complete || self.tags >= PATIENCE || self.settled) {
            return;
        }
        found.set_format(Container::Flv, CONTENT_TYPE, &tracks);
        if !std::mem::replace(&mut self.settled, true) {
            self.report_header(found);
        }
    }

    fn report_header(&self, found: &mut Found) {
        let mut bytes = BytesMut::from(&self.file_header[..]);
        self.parts.iter().for_each(|(_, part)| bytes.extend_from_slice(part));
        found.set_header(bytes.freeze(), Bytes::new());
    }

    fn mark(&self, tag: &Tag, at: u64, found: &mut Found) {
        if !tag.frame || tag.track != 0 {
            return;
        }
        let video = tag.role == Role::Video;
        if video && tag.key {
            found.random_access(at);
        }
        if !video && self.video.is_none() {
            found.audio_point(at);
        }
        if video || self.video.is_none() {
            found.frames(1);
            found.clock.feed(u64::from(tag.time), 1000, Some(1 << 32));
        }
    }
}
