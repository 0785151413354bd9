//! Bytes from another media pod, on a socket that can be read like a pipe.

use std::{fmt::Write as _, io, net::TcpStream as StdStream, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{RELAY, reply, upstream::connect};

/// A response head may have this many bytes.
const LARGEST: usize = 16 << 10;
/// And this many header fields.
const MOST_FIELDS: usize = 64;
/// A pod gives up what gives nothing for 20 s; one that says nothing for longer is broken.
const HEAD: Duration = Duration::from_secs(30);
/// Bytes of an answer's reason that are shown.
const REASON: usize = 500;

/// A response that goes on until its connection ends.
#[derive(Debug)]
pub struct Fetched {
    /// The rest of the response: to be read to its end. Non-blocking.
    pub socket: StdStream,
    /// Its first bytes, which came with the head.
    pub first: Bytes,
}

/// Why nothing can be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no connection.
    #[error("{address}: {source}")]
    Connect {
        /// Where to.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// It was there, and ended or said nothing more.
    #[error("{address} said nothing")]
    Silent {
        /// Who.
        address: String,
    },
    /// What it said is no response that can be read as it is.
    #[error("{address} answered something else than HTTP/1.1 without a length")]
    NotHttp {
        /// Who.
        address: String,
    },
    /// It refused.
    #[error("{address} answered {status}: {reason}")]
    Refused {
        /// Who.
        address: String,
        /// Other than 200.
        status: u16,
        /// The beginning of its body.
        reason: String,
    },
    /// What was to be asked cannot be written in a request.
    #[error("the path or the token holds control characters")]
    Request,
}

/// Asks `address` (host and port) for `path`, showing `relay`.
pub async fn fetch(address: &str, path: &str, relay: &str) -> Result<Fetched, FetchError> {
    if [address, path, relay].iter().any(|text| text.chars().any(|c| c.is_control() || c == ' ')) {
        return Err(FetchError::Request);
    }
    let failed = |source| FetchError::Connect { address: address.to_owned(), source };
    let mut socket = connect(address).await.map_err(failed)?;
    let mut head = String::new();
    // Writing to memory does not fail.
    let _ = write!(
        head,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: {}\r\n{}: {relay}\r\nConnection: close\r\n\r\n",
        reply::NAME,
        RELAY.as_str(),
    );
    socket.write_all(head.as_bytes()).await.map_err(failed)?;
    let silent = || FetchError::Silent { address: address.to_owned() };
    let (status, mut rest) = timeout(HEAD, read_head(&mut socket, address)).await.map_err(|_| silent())??;
    if status == 200 {
        let socket = socket.into_std().map_err(failed)?;
        return Ok(Fetched { socket, first: rest.freeze() });
    }
    let more =
        async { while rest.len() < REASON && socket.read_buf(&mut rest).await.is_ok_and(|n| n > 0) {} };
    let _ = timeout(Duration::from_secs(1), more).await;
    let shown = String::from_utf8_lossy(rest.get(..REASON.min(rest.len())).unwrap_or_default());
    let reason = shown.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Err(FetchError::Refused { address: address.to_owned(), status, reason })
}

/// The status, and what came behind the head.
async fn read_head(socket: &mut TcpStream, address: &str) -> Result<(u16, BytesMut), FetchError> {
    let mut bytes = BytesMut::new();
    loop {
        match socket.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Err(FetchError::Silent { address: address.to_owned() }),
            Ok(_) => {}
        }
        match parse(&bytes) {
            Answer::Partial if bytes.len() < LARGEST => {}
            Answer::Partial | Answer::Bad => {
                return Err(FetchError::NotHttp { address: address.to_owned() });
            }
            Answer::Whole { status, length } => return Ok((status, bytes.split_off(length))),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Partial,
    Bad,
    Whole { status: u16, length: usize },
}

/// Looks at all bytes received so far.
fn parse(bytes: &[u8]) -> Answer {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Partial) => Answer::Partial,
        Ok(httparse::Status::Complete(length)) => {
            let framed = |field: &httparse::Header<'_>| {
                let is = |name: &str| field.name.eq_ignore_ascii_case(name);
                is("transfer-encoding") || is("content-length")
            };
            match response.code {
                // Between the bytes of a framed body there would be others.
                Some(200) if response.headers.iter().any(framed) => Answer::Bad,
                Some(status) => Answer::Whole { status, length },
                None => Answer::Bad,
            }
        }
        Err(_) => Answer::Bad,
    }
}

/// For fuzzing: must return, whatever comes.
#[cfg(any(test, fuzzing))]
pub fn fuzz_answer(bytes: &[u8]) {
    if let Answer::Whole { length, .. } = parse(bytes) {
        assert!(length <= bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::net::TcpListener;

    use super::*;

    const SAMPLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\nGbytes";

    #[test]
    fn the_body_begins_behind_the_head() {
        assert_eq!(parse(SAMPLE), Answer::Whole { status: 200, length: SAMPLE.len() - 6 });
        assert_eq!(parse(&SAMPLE[..30]), Answer::Partial);
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Answer::Bad);
        assert_eq!(parse(b"SSH-2.0-x\r\n"), Answer::Bad);
    }

    async fn answered(with: &'static [u8]) -> Result<Fetched, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1000];
            let n = socket.read(&mut asked).await.unwrap();
            let asked = String::from_utf8_lossy(&asked[..n]).into_owned();
            assert!(
                asked.starts_with("GET /x HTTP/1.1\r\n") && asked.contains("millrace-relay: t\r\n"),
                "{asked}"
            );
            for byte in with.chunks(7) {
                socket.write_all(byte).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        fetch(&address, "/x", "t").await
    }

    #[tokio::test]
    async fn a_refusal_comes_with_its_reason() {
        let error = answered(b"HTTP/1.1 503 No\r\nContent-Length: 8\r\n\r\nnot yet\n").await.unwrap_err();
        assert!(error.to_string().ends_with(" answered 503: not yet"), "{error}");
        let error = answered(b"hello").await.unwrap_err();
        assert!(matches!(error, FetchError::NotHttp { .. } | FetchError::Silent { .. }), "{error}");
        assert!(matches!(fetch("127.0.0.1:1", "/x\r\nA: b", "t").await, Err(FetchError::Request)));
    }

    #[tokio::test]
    async fn what_came_with_the_head_is_not_lost() {
        let fetched = answered(SAMPLE).await.unwrap();
        let mut bytes = fetched.first.to_vec();
        TcpStream::from_std(fetched.socket).unwrap().read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"Gbytes");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            fuzz_answer(&bytes);
        }

        #[test]
        fn no_flipped_bit_of_a_real_head_makes_it_panic(at in 0..SAMPLE.len(), bit in 0..8_u8, cut in 0..SAMPLE.len()) {
            let mut bytes = SAMPLE.to_vec();
            bytes[at] ^= 1 << bit;
            bytes.truncate(cut);
            fuzz_answer(&bytes);
        }
    }
}
