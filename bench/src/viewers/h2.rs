//! As much of HTTP/2 (RFC 9113) as it takes to watch one stream: a request, and the data that comes.

use anyhow::{Result, bail, ensure};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const WINDOW: u32 = 0x7fff_ffff;

/// Where in the connection a viewer is.
#[derive(Default)]
pub struct H2 {
    header: Vec<u8>,
    control: Vec<u8>,
    kind: u8,
    flags: u8,
    missing: usize,
    head: bool,
    taken: u32,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut f: Vec<u8> = length.into_iter().skip(1).chain([kind, flags]).collect();
    f.extend_from_slice(&stream.to_be_bytes());
    f.extend_from_slice(payload);
    f
}

/// A header field, "literal without indexing" with a name of the static table (RFC 7541, 6.2.2), short values only.
fn field(name: u8, value: &str) -> Vec<u8> {
    let mut f = vec![name, (value.len() & 0x7f) as u8];
    f.extend_from_slice(value.as_bytes().get(..value.len() & 0x7f).unwrap_or_default());
    f
}

/// The preface and the request for a stream, with windows as large as they may be.
pub fn request(host: &str, path: &str, tls: bool) -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let [a, b, c, d] = WINDOW.to_be_bytes();
    out.extend(frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 0, 0, 4, a, b, c, d])); // no push, initial window
    out.extend(frame(WINDOW_UPDATE, 0, 0, &(WINDOW - 65_535).to_be_bytes()));
    let mut fields = vec![0x82, if tls { 0x87 } else { 0x86 }]; // GET, scheme
    fields.extend(field(0x01, host));
    fields.extend(field(0x04, path));
    out.extend(frame(HEADERS, 0x05, 1, &fields)); // END_STREAM, END_HEADERS
    out
}

impl H2 {
    /// Whether the answer's head has come.
    pub fn has_head(&self) -> bool {
        self.head
    }

    /// Takes what came, passes on what of it is body, and returns what has to be answered.
    pub fn feed(&mut self, mut data: &[u8], body: &mut dyn FnMut(&[u8])) -> Result<Vec<u8>> {
        let mut reply = Vec::new();
        while !data.is_empty() {
            if self.header.len() < 9 {
                let (head, rest) = data.split_at((9 - self.header.len()).min(data.len()));
                self.header.extend_from_slice(head);
                data = rest;
                let [a, b, c, kind, flags, ..] = *self.header.as_slice() else { continue };
                if self.header.len() < 9 {
                    continue;
                }
                self.missing = u32::from_be_bytes([0, a, b, c]) as usize;
                (self.kind, self.flags) = (kind, flags);
                self.control.clear();
            }
            let (now, rest) = data.split_at(self.missing.min(data.len()));
            self.missing -= now.len();
            data = rest;
            if self.kind == DATA {
                ensure!(self.flags & 0x08 == 0, "padded DATA is not understood");
                body(now);
                self.taken += now.len() as u32;
            } else {
                self.control.extend_from_slice(now);
            }
            if self.missing == 0 {
                self.header.clear();
                self.frame_end(&mut reply)?;
            }
        }
        Ok(reply)
    }

    fn frame_end(&mut self, reply: &mut Vec<u8>) -> Result<()> {
        match self.kind {
            DATA if self.taken > 1 << 29 => {
                let grown = std::mem::take(&mut self.taken).to_be_bytes();
                reply.extend(frame(WINDOW_UPDATE, 0, 0, &grown));
                reply.extend(frame(WINDOW_UPDATE, 0, 1, &grown));
            }
            HEADERS => {
                // :status 200 is entry 8 of the static table; a dynamic table size update may precede it
                let status = self.control.iter().find(|b| **b & 0xe0 != 0x20);
                ensure!(status == Some(&0x88), "the answer is not 200");
                self.head = true;
            }
            SETTINGS if self.flags & 1 == 0 => reply.extend(frame(SETTINGS, 1, 0, &[])),
            PING if self.flags & 1 == 0 => reply.extend(frame(PING, 1, 0, &self.control)),
            RST_STREAM | GOAWAY => bail!("the server ended the stream"),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer() -> Vec<u8> {
        let mut all = frame(SETTINGS, 0, 0, &[]);
        all.extend(frame(HEADERS, 4, 1, &[0x20, 0x88, 0x0f]));
        all.extend(frame(DATA, 0, 1, b"hello"));
        all.extend(frame(PING, 0, 0, b"12345678"));
        all.extend(frame(DATA, 0, 1, b""));
        all.extend(frame(DATA, 0, 1, b", world"));
        all
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut_and_settings_and_pings_are_answered() {
        for step in 1..80 {
            let (mut h, mut got, mut replies) = (H2::default(), Vec::new(), Vec::new());
            for part in answer().chunks(step) {
                replies.extend(h.feed(part, &mut |b| got.extend_from_slice(b)).unwrap());
            }
            assert_eq!(got, b"hello, world");
            assert!(h.has_head());
            assert_eq!(replies, [frame(SETTINGS, 1, 0, &[]), frame(PING, 1, 0, b"12345678")].concat());
        }
    }

    #[test]
    fn another_status_and_a_reset_are_errors() {
        assert!(H2::default().feed(&frame(HEADERS, 4, 1, &[0x8d]), &mut |_| ()).is_err());
        assert!(H2::default().feed(&frame(RST_STREAM, 0, 1, &[0; 4]), &mut |_| ()).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(at in 0_usize..60, bytes in proptest::collection::vec(any::<u8>(), 1..80)) {
            let mut all = answer();
            let at = at.min(all.len());
            all.splice(at.., bytes);
            let mut h = H2::default();
            for part in all.chunks(7) {
                if h.feed(part, &mut |_| ()).is_err() {
                    break;
                }
            }
        }
    }
}
