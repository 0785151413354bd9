//! Finding out which container it is.

use std::marker::PhantomData;

use memchr::memmem;
use millrace_bus::Container;

use crate::frames::adts::Adts;
use crate::frames::mp3::Mp3;
use crate::frames::{self, Kind, Row, id3, row};
use crate::ts::sync::{self, Sync};

/// Looked at in steps of so many bytes, that the answer not depend on how the bytes were split.
const STEP: usize = 32;
/// Where the header of the first picture has ended.
const PICTURE_HEADER: usize = 1024;
/// Many small frames can lie in one transport packet: a row must be longer to be the stream itself.
const LONGER_THAN_A_PACKET: usize = 2 * 188;
/// A tag longer than this is not waited for: sound of this kind has such.
const LONG_TAG: u64 = 48 * 1024;

pub(crate) enum Guess {
    Is(Container),
    More,
}

/// Gathers the first bytes until they tell.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    gathered: Vec<u8>,
    looked: usize,
    /// First place where packets may still begin.
    packets: usize,
    adts: Search<Adts>,
    mp3: Search<Mp3>,
}

impl Probe {
    /// Looks at the next bytes, which are kept only if they do not tell.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Guess {
        if self.gathered.is_empty() {
            if let Some(container) = self.look(piece) {
                return Guess::Is(container);
            }
            self.gathered.extend_from_slice(piece);
            return Guess::More;
        }
        let before = self.gathered.len();
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.extend_from_slice(piece);
        let found = self.look(&gathered);
        if found.is_some() {
            gathered.truncate(before);
        }
        self.gathered = gathered;
        found.map_or(Guess::More, Guess::Is)
    }

    /// What was gathered before the piece that told.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.gathered)
    }

    fn look(&mut self, bytes: &[u8]) -> Option<Container> {
        while let Some(first) = bytes.get(..self.looked + STEP) {
            self.looked += STEP;
            if let Some(container) = beginning(first).or_else(|| self.in_a_row(first)) {
                return Some(container);
            }
        }
        None
    }

    /// What has no magic number is known by several units in a row.
    fn in_a_row(&mut self, bytes: &[u8]) -> Option<Container> {
        let needed = |at| if at == 0 { sync::LIKELY } else { sync::UNLIKELY };
        match sync::find(bytes, self.packets, needed) {
            Sync::At(_) => return Some(Container::MpegTs),
            Sync::Maybe(from) => self.packets = from,
        }
        let start = id3::len(bytes).unwrap_or_default();
        if start > LONG_TAG {
            return Some(Container::Mp3);
        }
        self.adts.look(bytes, start as usize).or_else(|| self.mp3.look(bytes, start as usize))
    }
}

/// What the first bytes say.
fn beginning(bytes: &[u8]) -> Option<Container> {
    match bytes {
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Container::Matroska),
        [b'F', b'L', b'V', 1, ..] => Some(Container::Flv),
        [b'O', b'g', b'g', b'S', 0, 0..=7, ..] => Some(Container::Ogg),
        [0, _, _, _, b'f', b't', b'y', b'p', ..] => Some(Container::Fmp4),
        [b'-', b'-', ..] | [b'\r', b'\n', b'-', b'-', ..] => {
            let head = bytes.get(..PICTURE_HEADER.min(bytes.len()))?.to_ascii_lowercase();
            memmem::find(&head, b"\ncontent-type: image/").map(|_| Container::Mpjpeg)
        }
        _ => None,
    }
}

/// Looks for frames in a row.
#[derive(Debug, Default)]
struct Search<K> {
    from: usize,
    kind: PhantomData<K>,
}

impl<K: Kind> Search<K> {
    /// Looks from `start` on.
    fn look(&mut self, bytes: &[u8], start: usize) -> Option<Container> {
        self.from = self.from.max(start);
        loop {
            let ahead = memchr::memchr(0xff, bytes.get(self.from..)?);
            let Some(ahead) = ahead else {
                self.from = bytes.len();
                return None;
            };
            self.from += ahead;
            let count = if self.from == start { frames::LIKELY } else { frames::UNLIKELY };
            match row::<K>(bytes.get(self.from..)?, count, LONGER_THAN_A_PACKET) {
                Row::Yes => return Some(K::CONTAINER),
                Row::Need(_) => return None,
                Row::No => self.from += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(bytes: &[u8]) -> Option<Container> {
        Probe::default().look(bytes)
    }

    #[test]
    fn frames_within_transport_packets_are_not_taken_for_the_stream() {
        let mut frame = vec![0xff, 0xf1, 0x4c, 0x80, 2, 0x1f, 0xfc];
        frame.resize(16, 0x21);
        let mut bytes = Vec::new();
        for n in 0..20 {
            let packet = [&[0x47, 1, 0, 0x10 | (n % 16)][..], &frame.repeat(12)].concat();
            bytes.extend_from_slice(&packet[..188]);
        }
        assert_eq!(guess(&bytes), Some(Container::MpegTs));
        assert_eq!(guess(&bytes[50..]), Some(Container::MpegTs));
        assert_eq!(guess(&frame.repeat(30)), Some(Container::Adts));
        assert_eq!(guess(&[&[7; 33][..], &frame.repeat(30)].concat()), Some(Container::Adts));
        assert_eq!(guess(&[0xff; 4000]), None);
    }
}
