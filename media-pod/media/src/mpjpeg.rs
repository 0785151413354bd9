//! JPEG pictures as parts of `multipart/x-mixed-replace`, RFC 2046 section 5.1.

use memchr::memmem;
use millrace_bus::{Container, TrackKind};

use crate::found::{Found, track};
use crate::walk::{Step, Walk};

/// Longest boundary line, RFC 2046 says 70 characters and two hyphens.
const LONGEST_BOUNDARY: usize = 72;
/// Longest header line of a part.
const LONGEST_LINE: usize = 1024;
/// What the header lines of a part begin with.
const HEADERS: &[u8] = b"content-";
const NAME: &[u8] = b"content-length:";

/// Most that is written to complete a picture of which the length was announced.
const LONGEST_FILL: u64 = 1 << 20;
/// End of image, ITU-T T.81 annex B.
const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
/// Makes a header line of the boundary that the next run begins with, where one stands already.
const CONTINUED: &[u8] = b"X-Continued: ";

/// The parser of multipart pictures.
#[derive(Debug, Default)]
pub(crate) struct Mpjpeg {
    /// With its two hyphens, and the end of line before them.
    boundary: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No part was seen yet.
    #[default]
    Unknown,
    /// After a part: a boundary follows, perhaps after the end of a line.
    Between,
    /// After a boundary: the part's header lines, and the length if one said it.
    Head(Option<u64>),
    /// In a part whose length is not known.
    Body,
}

impl Walk for Mpjpeg {
    fn step(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        match self.state {
            State::Unknown => self.first(window, at, found),
            State::Between => self.between(window, at, found),
            State::Head(length) => self.head(window, length),
            State::Body => self.body(window),
        }
    }

    fn completion(&self, missing: u64, begun: &[u8]) -> Vec<u8> {
        let line_ends = b"\r\n";
        match self.state {
            State::Unknown => Vec::new(),
            State::Head(length) if begun == b"\r" => [b"\n", &*fill(length.unwrap_or_default())].concat(),
            State::Head(_) => [rest_of_line(begun), CONTINUED].concat(),
            State::Between if missing > 0 => fill(missing),
            State::Between if begun.starts_with(b"-") => {
                let whole = [self.boundary.get(1..).unwrap_or_default(), line_ends].concat();
                [whole.get(begun.len()..).unwrap_or_default(), CONTINUED].concat()
            }
            State::Between | State::Body => line_ends.to_vec(),
        }
    }
}

impl Mpjpeg {
    /// A line that begins with two hyphens, followed by header lines, is the boundary.
    fn first(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        match memchr::memchr(b'-', window) {
            None => return Step::Skip(window.len() as u64),
            Some(0) => {}
            Some(ahead) => return Step::Skip(ahead as u64),
        }
        let (line, len) = match line(window, LONGEST_BOUNDARY + 2) {
            Line::Whole(line, len) => (line, len),
            Line::More => return Step::Need(window.len() + 1),
            Line::TooLong => return Step::Skip(1),
        };
        let enough = len + HEADERS.len();
        let Some(after) = window.get(len..enough) else { return Step::Need(enough) };
        if line.len() < 3 || !line.starts_with(b"--") || !after.eq_ignore_ascii_case(HEADERS) {
            return Step::Skip(1);
        }
        self.boundary = [b"\n", line].concat();
        found.container = Some(Container::Mpjpeg);
        let name = String::from_utf8_lossy(line.get(2..).unwrap_or_default());
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+'".contains(&b));
        let name = if plain { name.into_owned() } else { format!("\"{}\"", name.replace(['"', '\\'], "")) };
        let content_type = format!("multipart/x-mixed-replace;boundary={name}");
        found.set_format(Container::Mpjpeg, &content_type, &[track(TrackKind::Video, "mjpeg")]);
        self.begin(len, at, found)
    }

    fn begin(&mut self, len: usize, at: u64, found: &mut Found) -> Step {
        found.unit(at);
        found.random_access(at);
        found.frames(1);
        self.state = State::Head(None);
        Step::Skip(len as u64)
    }

    fn between(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        if matches!(window.first(), Some(b'\r' | b'\n')) {
            return Step::Skip(1);
        }
        let boundary = self.boundary.get(1..).unwrap_or_default();
        let Some(start) = window.get(..boundary.len()) else { return Step::Need(boundary.len()) };
        if start != boundary {
            self.state = State::Body;
            return Step::Skip(0);
        }
        match line(window, boundary.len() + 16) {
            Line::Whole(_, len) => self.begin(len, at, found),
            Line::More => Step::Need(window.len() + 1),
            Line::TooLong => {
                self.state = State::Body;
                Step::Skip(0)
            }
        }
    }

    fn head(&mut self, window: &[u8], length: Option<u64>) -> Step {
        let (line, len) = match line(window, LONGEST_LINE) {
            Line::Whole(line, len) => (line, len),
            Line::More => return Step::Need(window.len() + 1),
            Line::TooLong => {
                self.state = State::Body;
                return Step::Skip(0);
            }
        };
        if !line.is_empty() {
            self.state = State::Head(content_length(line).or(length));
            return Step::Skip(len as u64);
        }
        self.state = if length.is_some() { State::Between } else { State::Body };
        Step::Skip((len as u64).saturating_add(length.unwrap_or_default()))
    }

    fn body(&mut self, window: &[u8]) -> Step {
        if let Some(ahead) = memmem::find(window, &self.boundary) {
            self.state = State::Between;
            return Step::Skip(ahead as u64 + 1);
        }
        let len = self.boundary.len();
        match (window.len() + 1).checked_sub(len) {
            None | Some(0) => Step::Need(len),
            Some(past) => Step::Skip(past as u64),
        }
    }
}

/// Completes a picture of which so many bytes are missing.
fn fill(missing: u64) -> Vec<u8> {
    let missing = if missing > LONGEST_FILL { 0 } else { missing as usize };
    let mut bytes: Vec<u8> = END_OF_IMAGE.into_iter().take(missing).collect();
    bytes.resize(missing, 0);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Completes a header line so that it does no harm.
fn rest_of_line(begun: &[u8]) -> &'static [u8] {
    let known = [&b"Content-type: image/jpeg\r\n"[..], b"Content-length: 0\r\n"];
    let fits = |line: &&'static [u8]| line.get(..begun.len()).is_some_and(|l| l.eq_ignore_ascii_case(begun));
    match known.into_iter().find(fits) {
        _ if begun.is_empty() => b"",
        Some(line) => line.get(begun.len()..).unwrap_or_default(),
        None if begun.ends_with(b"\r") => b"\n",
        None if begun.contains(&b':') => b"\r\n",
        None => b": 0\r\n",
    }
}

fn content_length(line: &[u8]) -> Option<u64> {
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

enum Line<'a> {
    /// Without its end, and how long it is with it.
    Whole(&'a [u8], usize),
    More,
    TooLong,
}

fn line(window: &[u8], limit: usize) -> Line<'_> {
    match memchr::memchr(b'\n', window.get(..limit.min(window.len())).unwrap_or_default()) {
        Some(end) => {
            let line = window.get(..end).unwrap_or_default();
            Line::Whole(line.strip_suffix(b"\r").unwrap_or(line), end + 1)
        }
        None if window.len() >= limit => Line::TooLong,
        None => Line::More,
    }
}
