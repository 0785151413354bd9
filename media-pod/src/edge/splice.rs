//! What becomes of content that comes: sessions end and others begin, in the same run of a stream or in a newer one. Pure.

use bytes::Bytes;
use millrace_link::avrs::{Content, ContentFlags, Generation};

/// What a session may send before its first byte of the stream itself, in bytes.
pub(super) const LARGEST_OPENING: usize = 4 << 20;

/// What to do with content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: it was there before, or is kept for later.
    Nothing,
    /// Go on with this.
    Push(Bytes),
    /// Begin a new run with these.
    Begin(Vec<Bytes>),
    /// It is older than what was published, or too much.
    Refuse,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Splice {
    newest: Option<Generation>,
    /// What is being published, and its next byte.
    run: Option<(Generation, u64)>,
    /// What came of a session, or of a new run in it, before its first byte: the header.
    opening: Option<Vec<(Generation, Bytes)>>,
}

impl Splice {
    /// Another session begins: its first bytes need not follow those of the one before.
    pub fn session(&mut self) {
        self.opening = Some(Vec::new());
    }

    /// What was published is over; older generations are refused as before.
    pub fn rest(&mut self) {
        self.run = None;
        self.opening = None;
    }

    /// Content of the session comes.
    pub fn take(&mut self, content: Content) -> Step {
        let generation = content.generation;
        if self.newest.is_some_and(|newest| newest > generation) {
            return Step::Refuse;
        }
        self.newest = Some(generation);
        let next = self.run.filter(|(run, _)| *run == generation).map(|(_, next)| next);
        if next.is_none() && self.opening.is_none() {
            self.opening = Some(Vec::new());
        }
        let header = content.flags.has(ContentFlags::HEADER);
        if let Some(opening) = self.opening.as_mut().filter(|_| header) {
            let held: usize = opening.iter().map(|(_, bytes)| bytes.len()).sum();
            if held + content.data.len() > LARGEST_OPENING {
                return Step::Refuse;
            }
            opening.push((generation, content.data));
            return Step::Nothing;
        }
        if header {
            return Step::Push(content.data);
        }
        let end = content.item.saturating_add(content.data.len() as u64);
        let opening = self.opening.take();
        match (next, opening) {
            // A jump within a session is the origin's, which has said so; between two sessions it is a gap.
            (Some(next), opening) if opening.is_none() || content.item <= next => {
                let known = next.saturating_sub(content.item);
                self.run = Some((generation, end.max(next)));
                let known = usize::try_from(known).unwrap_or(usize::MAX);
                if known >= content.data.len() {
                    if end < next {
                        self.opening = opening;
                    }
                    return Step::Nothing;
                }
                Step::Push(content.data.slice(known..))
            }
            (_, opening) => {
                self.run = Some((generation, end));
                let opening = opening.into_iter().flatten().filter(|(of, _)| *of == generation);
                Step::Begin(opening.map(|(_, bytes)| bytes).chain([content.data]).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(run: u64, item: u64, data: &'static [u8]) -> Content {
        Content {
            stream: 1,
            flags: ContentFlags::NONE,
            generation: Generation { epoch: 1, run },
            timestamp: 0,
            item,
            data: Bytes::from_static(data),
        }
    }

    fn header(run: u64, data: &'static [u8]) -> Content {
        Content { flags: ContentFlags::HEADER, ..content(run, 0, data) }
    }

    fn begin(all: &[&'static [u8]]) -> Step {
        Step::Begin(all.iter().map(|bytes| Bytes::from_static(bytes)).collect())
    }

    fn push(bytes: &'static [u8]) -> Step {
        Step::Push(Bytes::from_static(bytes))
    }

    #[test]
    fn a_session_begins_with_its_header_and_goes_on() {
        let mut splice = Splice::default();
        splice.session();
        assert_eq!(splice.take(header(1, b"H")), Step::Nothing);
        assert_eq!(splice.take(content(1, 100, b"abc")), begin(&[b"H", b"abc"]));
        assert_eq!(splice.take(content(1, 103, b"de")), push(b"de"));
        // The origin skipped: the rest of a unit, what announces the jump, and on.
        assert_eq!(splice.take(header(1, b"rest")), push(b"rest"));
        assert_eq!(splice.take(content(1, 500, b"f")), push(b"f"));
    }

    #[test]
    fn a_new_session_of_the_same_run_goes_on_where_it_was_or_begins_anew_after_a_gap() {
        let mut splice = Splice::default();
        splice.session();
        assert_eq!(splice.take(content(1, 0, b"0123456789")), begin(&[b"0123456789"]));
        splice.session();
        assert_eq!(splice.take(header(1, b"H")), Step::Nothing);
        assert_eq!(splice.take(content(1, 4, b"456")), Step::Nothing);
        assert_eq!(splice.take(content(1, 7, b"789ab")), push(b"ab"));
        assert_eq!(splice.take(content(1, 12, b"cd")), push(b"cd"));
        splice.session();
        assert_eq!(splice.take(header(1, b"H")), Step::Nothing);
        assert_eq!(splice.take(content(1, 20, b"xy")), begin(&[b"H", b"xy"]));
    }

    #[test]
    fn a_newer_run_begins_anew_and_an_older_one_is_refused() {
        let mut splice = Splice::default();
        splice.session();
        assert_eq!(splice.take(content(5, 0, b"a")), begin(&[b"a"]));
        assert_eq!(splice.take(header(6, b"S")), Step::Nothing);
        assert_eq!(splice.take(content(6, 0, b"b")), begin(&[b"S", b"b"]));
        assert_eq!(splice.take(content(5, 1, b"old")), Step::Refuse);
        assert_eq!(splice.take(content(6, 1, b"c")), push(b"c"));
        splice.rest();
        splice.session();
        assert_eq!(splice.take(content(5, 1, b"old")), Step::Refuse);
        assert_eq!(splice.take(content(6, 2, b"d")), begin(&[b"d"]));
    }

    #[test]
    fn no_session_may_send_an_endless_header() {
        let mut splice = Splice::default();
        splice.session();
        let large = Bytes::from(vec![0; 1 << 20]);
        let sent = (0..6).map(|_| splice.take(Content { data: large.clone(), ..header(1, b"") }));
        assert_eq!(sent.filter(|step| *step == Step::Refuse).count(), 2);
    }
}
