//! The request head, read by ourselves. Sans-I/O.

use std::sync::Arc;

use http::{Method, Uri};

use crate::{Credentials, RELAY, target::Target};

/// A head may have this many bytes.
pub(crate) const LARGEST: usize = 16 << 10;
/// And this many header fields.
pub(crate) const MOST_FIELDS: usize = 100;
/// HTTP/2 begins with this (RFC 9113, 3.4); no method is called so.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Characters of a `User-Agent` that are kept.
const AGENT: usize = 120;

/// What the bytes so far are.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Not enough to tell.
    Partial,
    /// The beginning of HTTP/2.
    Http2,
    /// A head of HTTP/1.x.
    Whole(Box<Head>),
    /// No head, whatever follows.
    Bad(BadHead),
}

/// Why something is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHead {
    NotHttp,
    TooLarge,
}

/// What matters of a head of HTTP/1.x.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub method: Method,
    pub target: Target,
    /// HTTP/1.`minor`.
    pub minor: u8,
    pub credentials: Option<Credentials>,
    pub user_agent: Arc<str>,
    /// See [`crate::RELAY`].
    pub relay: Option<Box<[u8]>>,
    /// Nothing follows the head: no body, no upgrade.
    pub alone: bool,
    /// It waits for 100 before it sends a body.
    pub expects: bool,
    /// It has a body that ends with the connection, if it has one: of HTTP/1.0, or one that says that it will close, without
    /// any length.
    pub unmeasured: bool,
    /// Bytes of the head.
    pub length: usize,
    /// It wants to become a WebSocket that speaks one of these, as the header says them.
    pub websocket: Option<Box<str>>,
}

/// Looks at all bytes received so far.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    if bytes.starts_with(PREFACE) {
        return Parsed::Http2;
    }
    if PREFACE.starts_with(bytes) {
        return Parsed::Partial;
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Head::new(&request, length)
            .map_or(Parsed::Bad(BadHead::NotHttp), |head| Parsed::Whole(Box::new(head))),
        Ok(httparse::Status::Partial) if bytes.len() >= LARGEST => Parsed::Bad(BadHead::TooLarge),
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::Bad(BadHead::TooLarge),
        Err(_) => Parsed::Bad(BadHead::NotHttp),
    }
}

impl Head {
    fn new(request: &httparse::Request<'_, '_>, length: usize) -> Option<Self> {
        let method = Method::from_bytes(request.method?.as_bytes()).ok()?;
        let uri: Uri = request.path?.parse().ok()?;
        let mut head = Self {
            method,
            target: Target::new(&uri),
            minor: request.version?,
            credentials: None,
            user_agent: Arc::from(""),
            relay: None,
            alone: true,
            expects: false,
            unmeasured: false,
            length,
            websocket: None,
        };
        let (mut upgrades, mut protocols) = (false, String::new());
        let (mut closes, mut measured) = (head.minor == 0, false);
        for field in &*request.headers {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("authorization") {
                head.credentials = Credentials::from_header(field.value);
            } else if is("user-agent") {
                head.user_agent = user_agent(field.value);
            } else if is(RELAY.as_str()) {
                head.relay = Some(field.value.into());
            } else if is("content-length") {
                head.alone &= field.value == b"0";
                measured = true;
            } else if is("connection") {
                closes |= field.value.eq_ignore_ascii_case(b"close");
            } else if is("transfer-encoding") || is("upgrade") || is("expect") {
                head.alone = false;
                measured |= is("transfer-encoding");
                head.expects |= is("expect");
                upgrades |= is("upgrade") && field.value.eq_ignore_ascii_case(b"websocket");
            } else if is("sec-websocket-protocol") {
                protocols.push_str(std::str::from_utf8(field.value).unwrap_or_default());
                protocols.push(',');
            }
        }
        head.unmeasured = closes && !measured && !upgrades;
        head.websocket = upgrades.then(|| protocols.into());
        Some(head)
    }
}

/// Fit to be shown.
pub(crate) fn user_agent(value: &[u8]) -> Arc<str> {
    let text = String::from_utf8_lossy(value.get(..AGENT * 4).unwrap_or(value));
    let shown: String = text.chars().filter(|c| !c.is_control()).take(AGENT).collect();
    shown.into()
}

/// For fuzzing: must return, whatever comes.
#[cfg(any(test, fuzzing))]
pub fn fuzz_head(bytes: &[u8]) {
    if let Parsed::Whole(head) = parse(bytes) {
        assert!(head.user_agent.chars().count() <= AGENT);
        let _ = crate::query::parse_query(head.target.query.as_deref().unwrap_or_default());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = crate::query::parse_query(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &[u8] =
        b"GET /cams/a%20b.ts?keyframe=last&header HTTP/1.1\r\nHost: cam.lan\r\nUser-Agent: ffplay\r\n\
        Authorization: Basic YW5uOnNlY3JldA==\r\nAccept: */*\r\n\r\n";

    fn whole(bytes: &[u8]) -> Head {
        match parse(bytes) {
            Parsed::Whole(head) => *head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_matters_of_a_head_is_read() {
        let head = whole(SAMPLE);
        assert_eq!(head.method, Method::GET);
        assert_eq!(head.target.path, "/cams/a b.ts");
        assert_eq!(head.target.query.as_deref(), Some("keyframe=last&header"));
        assert_eq!(head.minor, 1);
        assert_eq!(&*head.user_agent, "ffplay");
        assert_eq!(head.credentials.unwrap().user, "ann");
        assert!(head.alone);
        assert_eq!(whole(b"GET / HTTP/1.0\r\n\r\n").minor, 0);
    }

    #[test]
    fn a_head_that_something_follows_is_not_alone() {
        for field in
            ["Content-Length: 5", "Transfer-Encoding: chunked", "Upgrade: websocket", "Expect: 100-continue"]
        {
            let bytes = format!("GET /x HTTP/1.1\r\n{field}\r\n\r\n");
            assert!(!whole(bytes.as_bytes()).alone, "{field}");
        }
        assert!(whole(b"GET /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n").alone);
    }

    #[test]
    fn a_body_without_a_length_ends_with_a_connection_that_will_close() {
        for (request, unmeasured) in [
            ("PUT /x HTTP/1.0\r\n", true),
            ("PUT /x HTTP/1.1\r\nConnection: Close\r\n", true),
            ("PUT /x HTTP/1.1\r\n", false),
            ("PUT /x HTTP/1.0\r\nContent-Length: 0\r\n", false),
            ("PUT /x HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n", false),
            ("PUT /x HTTP/1.0\r\nUpgrade: websocket\r\n", false),
        ] {
            let head = whole(format!("{request}\r\nmore").as_bytes());
            assert_eq!((head.unmeasured, head.length), (unmeasured, request.len() + 2), "{request}");
        }
        assert!(whole(b"PUT /x HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects);
    }

    #[test]
    fn what_a_websocket_shall_speak_is_read() {
        let offered = whole(
            b"GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c\r\n\r\n",
        );
        assert_eq!(offered.websocket.as_deref(), Some("a, b,c,"));
        assert_eq!(whole(b"GET / HTTP/1.1\r\nSec-WebSocket-Protocol: a\r\n\r\n").websocket, None);
    }

    #[test]
    fn http_2_is_seen_from_its_first_line() {
        assert!(matches!(parse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Parsed::Http2));
        assert!(matches!(parse(b"PRI * HT"), Parsed::Partial));
        assert!(matches!(parse(b""), Parsed::Partial));
    }

    #[test]
    fn heads_are_bounded() {
        let mut many = b"GET / HTTP/1.1\r\n".to_vec();
        (0..=MOST_FIELDS).for_each(|_| many.extend(b"a: b\r\n"));
        assert!(matches!(parse(&many), Parsed::Bad(BadHead::TooLarge)));
        let long = [b"GET /".as_slice(), &[b'a'; LARGEST]].concat();
        assert!(matches!(parse(&long), Parsed::Bad(BadHead::TooLarge)));
        assert!(matches!(parse(b"\x16\x03\x01\x02\x00\x01\x00"), Parsed::Bad(BadHead::NotHttp)));
        let agent = format!("GET / HTTP/1.1\r\nUser-Agent: {}\r\n\r\n", "é\t".repeat(500));
        assert_eq!(whole(agent.as_bytes()).user_agent.chars().count(), AGENT);
    }

    #[test]
    fn truncations_and_bit_flips_of_a_head_do_no_harm() {
        for end in 0..SAMPLE.len() {
            assert!(matches!(parse(&SAMPLE[..end]), Parsed::Partial), "{end}");
            fuzz_head(&SAMPLE[..end]);
        }
        for at in 0..SAMPLE.len() * 8 {
            let mut flipped = SAMPLE.to_vec();
            flipped[at / 8] ^= 1 << (at % 8);
            fuzz_head(&flipped);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            fuzz_head(&bytes);
        }

        #[test]
        fn no_target_does_harm(target in "[ -~]{0,80}", field in "[ -~]{0,80}") {
            fuzz_head(format!("GET /{target} HTTP/1.1\r\nAuthorization: Basic {field}\r\n\r\n").as_bytes());
            fuzz_head(target.as_bytes());
        }
    }
}
