//! Native clients: links that come in at the front door, over TCP, TLS and WebSocket, and are served what viewers over HTTP
//! are served.

mod publish;
mod pump;
mod serve;
mod streams;
mod viewing;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use millrace_http::{BoxFuture, Guest, Opening};
use millrace_link::{
    Config, Role, Security, Side,
    avrs::Hop,
    engine::MAX_FRAGMENT,
    net::{Link, accept_websocket, speaks_link},
    secure::{MemberKey, Members, Secrecy, handshake::Credentials, identity::KeyError},
};

pub use self::viewing::Viewing;
use self::{streams::Streams, viewing::Viewings};
use crate::{origin::Clock, site::Front};

/// Sessions of one client, and so content channels, at most.
const MOST_SESSIONS: usize = 64;
/// Bytes that a client may send on a channel before they are read: of what is published in a tenth of a second, or in the time
/// that it is on its way.
const WINDOW: u32 = 256 << 10;
/// Bytes that wait for a client on one channel: who takes none is skipped to a newer place in the stream.
const QUEUE: usize = 512 << 10;

/// What all of them share.
pub struct Guests {
    /// Made anew at each start: TLS, not this key, shows a client who this is.
    key: Arc<MemberKey>,
    role: Role,
    trust: Arc<Members>,
    clock: Clock,
    serial: AtomicU64,
    links: Arc<()>,
    /// What this Cluster is called on a way.
    here: Hop,
    streams: Streams,
    viewings: Arc<Viewings>,
}

impl Guests {
    /// Nobody yet; this media pod is a server or a balancer, of the Cluster `here`.
    pub fn new(role: Role, here: Hop) -> Result<Self, KeyError> {
        Ok(Self {
            key: Arc::new(MemberKey::generate()?),
            role,
            trust: Arc::new(Members::with_nameless_clients()),
            clock: Clock::new(),
            serial: AtomicU64::new(1),
            links: Arc::new(()),
            here,
            streams: Streams::default(),
            viewings: Arc::default(),
        })
    }

    /// Links of clients now.
    pub fn links(&self) -> usize {
        Arc::strong_count(&self.links) - 1
    }

    /// What they watch now.
    pub fn viewings(&self) -> Vec<Arc<Viewing>> {
        self.viewings.all()
    }

    /// What this Cluster is called on a way.
    pub fn here(&self) -> &Hop {
        &self.here
    }

    /// A number that nothing else has.
    fn next(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    fn config(&self, secrecy: Secrecy, binding: Option<[u8; 32]>) -> Config {
        let credentials = Credentials {
            key: Some(self.key.clone()),
            role: self.role,
            grant: Bytes::new(),
            trust: self.trust.clone(),
            secrecy,
            binding: binding.map_or_else(Bytes::new, |binding| Bytes::copy_from_slice(&binding)),
        };
        let mut config = Config::new(Side::Acceptor, Security::Handshake(credentials));
        config.max_channels = MOST_SESSIONS + 8;
        (config.window, config.send_queue) = (WINDOW, QUEUE);
        // A chunk goes in one packet, and media does not shrink.
        (config.max_fragment, config.compress) = (MAX_FRAGMENT, false);
        config
    }
}

impl std::fmt::Debug for Guests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guests").field("links", &self.links()).finish_non_exhaustive()
    }
}

/// Whether a connection that begins so is a link: the first packet of a handshake is one of type DATA on channel 3 and has
/// less than 64 KiB, which is no HTTP.
pub fn is_link(opening: &Opening<'_>) -> bool {
    match opening {
        Opening::Bytes(bytes) => matches!(bytes, [_, _, 0, 0, 1, 0, 0, 0, 0, 3, 0, ..]),
        Opening::WebSocket(offered) => speaks_link(offered),
    }
}

/// Serves one, to its end.
pub fn serve(front: Arc<Front>, guest: Guest) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let here = front.guests.links.clone();
        let peer = guest.peer;
        match begin(&front.guests, guest).await {
            Ok((link, secure)) => {
                let why = serve::serve(&front, link, peer, secure).await;
                tracing::debug!(%peer, %why, "the link of a client is over");
            }
            Err(error) => tracing::debug!(%peer, %error, "no link"),
        }
        drop(here);
    })
}

async fn begin(guests: &Guests, guest: Guest) -> io::Result<(Link, bool)> {
    let Guest { stream, websocket, secure, binding, .. } = guest;
    let secrecy = if secure { Secrecy::Transport } else { Secrecy::Packets };
    let link = if websocket {
        // A proxy may end the TLS that a WebSocket came through: the link is bound to none.
        accept_websocket(stream, guests.config(secrecy, None)).await?
    } else {
        Link::start(stream, guests.config(secrecy, binding)).map_err(io::Error::other)?
    };
    Ok((link, secure))
}

#[cfg(test)]
mod tests {
    use millrace_link::{Core, client::AnyServer};

    use super::*;

    #[test]
    fn what_a_dialer_says_first_is_known_as_a_link_and_nothing_else_is() {
        let credentials = Credentials {
            key: None,
            role: Role::CLIENT,
            grant: Bytes::new(),
            trust: Arc::new(AnyServer),
            secrecy: Secrecy::Packets,
            binding: Bytes::new(),
        };
        let config = Config::new(Side::Dialer, Security::Handshake(credentials));
        let mut dialer = Core::new(config, std::time::Instant::now()).unwrap();
        let hello = dialer.poll_output().unwrap().to_bytes();
        assert!(is_link(&Opening::Bytes(&hello)));
        assert!(is_link(&Opening::WebSocket("chat, millrace-link.v1,")));
        for other in
            [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"", &[0; 20]]
        {
            assert!(!is_link(&Opening::Bytes(other)), "{other:?}");
        }
        assert!(!is_link(&Opening::WebSocket("chat")));
    }
}
