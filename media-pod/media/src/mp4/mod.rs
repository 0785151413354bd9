//! Fragmented MP4, ISO/IEC 14496-12.

mod boxes;
mod codecs;
mod fragment;
mod movie;

use bytes::{Bytes, BytesMut};
use millrace_bus::Container;

use crate::found::Found;
use crate::walk::{Step, Walk};
use boxes::Head;
use fragment::Fragment;
use movie::Movie;

/// Longest `ftyp` and `moov` together.
const LONGEST_HEADER: u64 = 1 << 20;
/// Bytes of the boxes in a fragment that are looked at.
const LOOK: u64 = 48;

/// The parser of fragmented MP4.
#[derive(Debug, Default)]
pub(crate) struct Mp4 {
    header: BytesMut,
    movie: Option<Movie>,
    taking_movie: bool,
    /// Where the boxes before a `moof` begin that belong to it.
    start: Option<u64>,
    moof_end: Option<u64>,
    traf_end: Option<u64>,
    fragment: Fragment,
}

impl Walk for Mp4 {
    fn step(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        self.traf_end = self.traf_end.filter(|end| at < *end);
        self.moof_end = self.moof_end.filter(|end| at < *end);
        let head = match Head::read(window) {
            Ok(head) => head,
            Err(step) => return step,
        };
        let outer = self.traf_end.or(self.moof_end);
        let end = head.size.and_then(|size| at.checked_add(size));
        if outer.is_some_and(|outer| end.is_none_or(|end| end > outer)) {
            return Step::Lost;
        }
        if self.traf_end.is_some() {
            return self.in_traf(&head, window, found);
        }
        if self.moof_end.is_some() {
            if &head.kind == b"traf" {
                self.traf_end = end;
                self.fragment.track();
                return Step::Skip(head.len);
            }
            return head.skip();
        }
        match &head.kind {
            b"ftyp" => self.begin(&head, found),
            b"moov" => self.take(&head, true),
            b"styp" | b"sidx" | b"prft" | b"emsg" => {
                self.start.get_or_insert(at);
                head.skip()
            }
            b"moof" if self.movie.is_some() && end.is_some() => {
                let start = self.start.take().unwrap_or(at);
                found.unit(start);
                self.fragment = Fragment::new(start);
                self.moof_end = end;
                Step::Skip(head.len)
            }
            b"mdat" if self.movie.is_some() => head.skip(),
            // Media before the movie, or fragments without one: nobody can begin here.
            b"mdat" | b"moof" => Step::Lost,
            _ if self.header.is_empty() => Step::Lost,
            _ => head.skip(),
        }
    }

    fn data(&mut self, piece: &[u8], _found: &mut Found) {
        self.header.extend_from_slice(piece);
    }

    fn taken(&mut self, found: &mut Found) {
        if !std::mem::take(&mut self.taking_movie) {
            return;
        }
        let moov = boxes::find(&self.header, *b"moov");
        // Without `mvex` there will be no fragments: a file, not a stream. The next box loses it.
        self.movie = moov.and_then(Movie::read);
        if let Some(movie) = &self.movie {
            found.set_format(Container::Fmp4, &movie.content_type(), &movie.list());
            found.set_header(Bytes::copy_from_slice(&self.header), Bytes::new());
        }
    }
}

impl Mp4 {
    /// The very beginning, which is there again if a file is begun again.
    fn begin(&mut self, head: &Head, found: &mut Found) -> Step {
        found.container = Some(Container::Fmp4);
        self.header.clear();
        self.start = None;
        self.take(head, false)
    }

    fn take(&mut self, head: &Head, movie: bool) -> Step {
        let room = LONGEST_HEADER.saturating_sub(self.header.len() as u64);
        let Some(size) = head.size.filter(|size| *size <= room) else { return Step::Lost };
        if movie && (self.header.is_empty() || boxes::each(&self.header).any(|(kind, _)| &kind == b"moov")) {
            return Step::Lost;
        }
        self.taking_movie = movie;
        Step::Take(size)
    }

    fn in_traf(&mut self, head: &Head, window: &[u8], found: &mut Found) -> Step {
        if !matches!(&head.kind, b"tfhd" | b"tfdt" | b"trun") {
            return head.skip();
        }
        let shown = head.size.unwrap_or_default().min(head.len + LOOK) as usize;
        let Some(body) = window.get(head.len as usize..shown) else { return Step::Need(shown) };
        if let Some(movie) = &self.movie {
            match &head.kind {
                b"tfhd" => self.fragment.header(body, movie, found),
                b"tfdt" => self.fragment.time(body, movie, found),
                _ => self.fragment.run(body, movie, found),
            };
        }
        head.skip()
    }
}
