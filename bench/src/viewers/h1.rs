//! The body out of an HTTP/1.x answer: to the end of the connection, or in chunks.

use anyhow::{Result, bail, ensure};

const LONGEST_HEAD: usize = 16 * 1024;

/// Where in the answer a viewer is.
pub enum H1 {
    /// Before its blank line; what came so far.
    Head(Vec<u8>),
    /// All that comes is body.
    UntilClose,
    /// In a chunk-size line; the size so far.
    Size(usize),
    /// In a chunk; bytes that are missing.
    Chunk(usize),
    /// In the line end after a chunk.
    ChunkEnd,
}

impl Default for H1 {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

/// The request for a stream.
pub fn request(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: millrace-bench\r\nAccept: */*\r\n\r\n")
        .into_bytes()
}

impl H1 {
    /// Whether the head is complete.
    pub fn has_head(&self) -> bool {
        !matches!(self, Self::Head(_))
    }

    /// Takes what came and passes on what of it is body.
    pub fn feed(&mut self, mut data: &[u8], body: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Self::Head(seen) = self {
            let before = seen.len();
            seen.extend_from_slice(data);
            let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") else {
                ensure!(seen.len() < LONGEST_HEAD, "the head of the answer does not end");
                return Ok(());
            };
            let head = String::from_utf8_lossy(seen.get(..end).unwrap_or_default()).to_lowercase();
            let status = head.lines().next().unwrap_or_default();
            ensure!(status.split(' ').nth(1) == Some("200"), "the answer is {status}");
            let chunked = head.lines().any(|l| l.starts_with("transfer-encoding:") && l.contains("chunked"));
            data = data.get(end + 4 - before..).unwrap_or_default();
            *self = if chunked { Self::Size(0) } else { Self::UntilClose };
        }
        while let Some(&byte) = data.first() {
            match self {
                Self::UntilClose => {
                    body(data);
                    return Ok(());
                }
                Self::Chunk(missing) => {
                    let (now, rest) = data.split_at((*missing).min(data.len()));
                    body(now);
                    *missing -= now.len();
                    data = rest;
                    if *missing == 0 {
                        *self = Self::ChunkEnd;
                    }
                    continue;
                }
                Self::ChunkEnd if byte == b'\n' => *self = Self::Size(0),
                Self::Size(0) if byte == b'\n' => bail!("the answer ended"),
                Self::Size(n) if byte == b'\n' => *self = Self::Chunk(*n),
                Self::Size(n) if byte != b'\r' => {
                    let digit = char::from(byte).to_digit(16);
                    let Some(digit) = digit.filter(|_| *n < 1 << 30) else { bail!("a chunk size is wrong") };
                    *n = *n * 16 + digit as usize;
                }
                _ => {}
            }
            data = data.get(1..).unwrap_or_default();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body_of(answer: &[u8], step: usize) -> Vec<u8> {
        let (mut h, mut got) = (H1::default(), Vec::new());
        for part in answer.chunks(step) {
            h.feed(part, &mut |b| got.extend_from_slice(b)).unwrap();
        }
        got
    }

    #[test]
    fn a_body_is_the_same_however_it_is_framed_and_cut() {
        let plain = b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello, world".as_slice();
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n".as_slice();
        for step in 1..60 {
            assert_eq!(body_of(plain, step), b"hello, world");
            assert_eq!(body_of(chunked, step), b"hello, world");
        }
    }

    #[test]
    fn another_status_is_an_error() {
        assert!(H1::default().feed(b"HTTP/1.1 404 Not Found\r\n\r\n", &mut |_| ()).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..300), step in 1_usize..50) {
            let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            answer.extend(tail);
            let mut h = H1::default();
            for part in answer.chunks(step) {
                if h.feed(part, &mut |_| ()).is_err() {
                    break;
                }
            }
        }
    }
}
