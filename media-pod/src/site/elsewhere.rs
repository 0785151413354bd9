//! The URL that a viewer is sent to, where another balancer has more room.

use std::{fmt::Write as _, sync::Arc};

use millrace_http::AccessRequest;

use super::Front;
use crate::edge::Edge;

/// Where to send who asks for a stream; none, if here is right.
pub(super) fn url(front: &Front, edge: &Arc<Edge>, request: &AccessRequest<'_>) -> Option<String> {
    if !request.stream {
        return None;
    }
    let door = front.door.get()?;
    let (scheme, addresses) =
        if request.secure { ("https", door.https_addrs()) } else { ("http", door.http_addrs()) };
    // All balancers of a Cluster listen alike.
    let port = addresses.first()?.port();
    let (host, query) = edge.elsewhere(request)?;
    Some(format!("{scheme}://{}{}?{query}", authority(&host, port), encoded(request.path)))
}

/// `host` may be a name, an address, or either with a port.
fn authority(host: &str, port: u16) -> String {
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Ok(address) => format!("{address}:{port}"),
        Err(_) if host.contains(':') => host.to_owned(),
        Err(_) => format!("{host}:{port}"),
    }
}

/// Percent-encoded as a path (RFC 3986, 3.3), so that decoding gives the same.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_what_it_is() {
        assert_eq!(encoded("/cams/a b/é%?.ts"), "/cams/a%20b/%C3%A9%25%3F.ts");
        assert_eq!(encoded("/a.ts"), "/a.ts");
    }

    #[test]
    fn a_port_is_added_where_there_is_none() {
        for (host, wanted) in [
            ("10.0.0.7", "10.0.0.7:8080"),
            ("2001:db8::1", "[2001:db8::1]:8080"),
            ("edge.example", "edge.example:8080"),
            ("edge.example:80", "edge.example:80"),
            ("127.0.0.1:4000", "127.0.0.1:4000"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ] {
            assert_eq!(authority(host, 8080), wanted);
        }
    }
}
