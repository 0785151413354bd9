//! `millrace://[NAME:PASSWORD@]HOST[:PORT]/PATH`.

use std::fmt;
use std::str::FromStr;

/// Longer ones are none, in bytes.
const LONGEST: usize = 4096;

/// What carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `millrace://`: TCP; packets are sealed.
    Tcp,
    /// `millraces://`: TLS.
    Tls,
    /// `millrace+ws://`: WebSocket, passes proxies; packets are sealed.
    WebSocket,
    /// `millrace+wss://`: WebSocket over TLS.
    SecureWebSocket,
}

impl Transport {
    const ALL: [(Self, &'static str, u16); 4] = [
        (Self::Tcp, "millrace", 8080),
        (Self::Tls, "millraces", 8443),
        (Self::WebSocket, "millrace+ws", 8080),
        (Self::SecureWebSocket, "millrace+wss", 8443),
    ];

    /// Whether TLS is below it.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    fn row(self) -> (&'static str, u16) {
        Self::ALL.iter().find(|row| row.0 == self).map_or(("millrace", 8080), |row| (row.1, row.2))
    }
}

/// Where a stream is. `Display` leaves out name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// What carries the packets.
    pub transport: Transport,
    /// Name or IP address; that of version 6 without brackets.
    pub host: String,
    /// The port: that of HTTP or HTTPS; 8080 and 8443 where none is said.
    pub port: u16,
    /// Path of the stream, percent-decoded; begins with `/`.
    pub path: String,
    /// As it was written.
    pub raw_path: String,
    /// Name and password.
    pub login: Option<(String, String)>,
}

/// Why something is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme.
    #[error(
        "is no address of a stream: millrace://HOST/PATH would be one (or millraces, millrace+ws, millrace+wss)"
    )]
    Scheme,
    /// Not a host or not a port.
    #[error("has no host, or a port that is none: millrace://HOST:PORT/PATH would be right")]
    Host,
    /// No path, or one with `?` or `#`, control characters or blanks.
    #[error(
        "has no path, or one with ?, #, blanks or escapes that are no UTF-8: millrace://HOST/PATH would be right"
    )]
    Path,
    /// A name without a password, or bad escapes in one of both.
    #[error("has half of a login: millrace://NAME:PASSWORD@HOST/PATH would be right")]
    Login,
    /// Too long.
    #[error("is longer than 4096 bytes")]
    Long,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > LONGEST {
            return Err(AddressError::Long);
        }
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let row = Transport::ALL.iter().find(|row| row.1.eq_ignore_ascii_case(scheme));
        let &(transport, _, usual) = row.ok_or(AddressError::Scheme)?;
        let (authority, path) = rest.split_once('/').ok_or(AddressError::Path)?;
        let raw_path = format!("/{path}");
        let plain = |byte: u8| byte > b' ' && !matches!(byte, b'?' | b'#' | 0x7f);
        if path.is_empty() || !path.bytes().all(plain) {
            return Err(AddressError::Path);
        }
        let (login, place) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((login, place)) => {
                let (name, password) = login.split_once(':').ok_or(AddressError::Login)?;
                let decoded = decode(name).zip(decode(password)).ok_or(AddressError::Login)?;
                (Some(decoded).filter(|(name, _)| !name.contains(':')), place)
            }
        };
        let (host, port) = split_port(place, usual).ok_or(AddressError::Host)?;
        let path = decode(&raw_path).ok_or(AddressError::Path)?;
        Ok(Self { transport, host, port, path, raw_path, login })
    }
}

/// Host and port.
fn split_port(place: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some(""))?)
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    let known = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if host.is_empty() || !host.chars().all(known) {
        return None;
    }
    let port = if port.is_empty() { usual } else { port.parse().ok().filter(|port| *port != 0)? };
    Some((host.to_owned(), port))
}

/// Percent-decoding (RFC 3986, 2.1).
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (&[high, low], after) = tail.split_first_chunk()?;
            let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
            out.push(digit(high)? << 4 | digit(low)?);
            rest = after;
        } else {
            out.push(first);
            rest = tail;
        }
    }
    String::from_utf8(out).ok()
}

impl Address {
    /// What a session authenticates with.
    pub fn credentials(&self) -> Vec<u8> {
        self.login
            .as_ref()
            .map_or_else(Vec::new, |(name, password)| format!("{name}:{password}").into_bytes())
    }

    /// Host and port, as they are written in an address.
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.transport.row().0, self.place(), self.raw_path)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// For fuzzing: must return, whatever comes.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz_address(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(address) = text.parse::<Address>()
    {
        let again: Result<Address, _> = address.to_string().parse();
        assert_eq!(again, Ok(Address { login: None, ..address }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_says_what_carries_the_link_and_where_the_stream_is() {
        let full: Address = "millrace://ann:p%40ss%3A@cam.lan:9000/cams/a%20b.ts".parse().unwrap();
        assert_eq!((full.host.as_str(), full.port, full.path.as_str()), ("cam.lan", 9000, "/cams/a b.ts"));
        assert_eq!(full.login, Some(("ann".into(), "p@ss:".into())));
        assert_eq!(full.credentials(), b"ann:p@ss:");
        assert_eq!(full.to_string(), "millrace://cam.lan:9000/cams/a%20b.ts", "no password is shown");
        assert_eq!(format!("{full:?}"), "Address(millrace://cam.lan:9000/cams/a%20b.ts)");
        for (text, transport, port) in [
            ("millrace://h/x", Transport::Tcp, 8080),
            ("MILLRACES://h/x", Transport::Tls, 8443),
            ("millrace+ws://h/x", Transport::WebSocket, 8080),
            ("millrace+wss://h:1/x", Transport::SecureWebSocket, 1),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.transport, address.port), (transport, port), "{text}");
        }
        let six: Address = "millrace://[::1]:81/x".parse().unwrap();
        assert_eq!((six.host.as_str(), six.place().as_str()), ("::1", "[::1]:81"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be_right() {
        for (text, wrong) in [
            ("http://h/x", AddressError::Scheme),
            ("h/x", AddressError::Scheme),
            ("millrace://h", AddressError::Path),
            ("millrace://h/", AddressError::Path),
            ("millrace://h/a?b", AddressError::Path),
            ("millrace://h/%ff", AddressError::Path),
            ("millrace:///x", AddressError::Host),
            ("millrace://h:0/x", AddressError::Host),
            ("millrace://h:99999/x", AddressError::Host),
            ("millrace://[::1/x", AddressError::Host),
            ("millrace://a b/x", AddressError::Host),
            ("millrace://ann@h/x", AddressError::Login),
            ("millrace://ann:%zz@h/x", AddressError::Login),
        ] {
            assert_eq!(text.parse::<Address>(), Err(wrong), "{text}");
        }
        assert_eq!("m".repeat(5000).parse::<Address>(), Err(AddressError::Long));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(millraces?(\\+wss?)?://)?[ -~é]{0,60}") {
            fuzz_address(text.as_bytes());
        }
    }
}
