//! Peers that are gone without a word: a machine that lost its power, a network that was cut.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// When a silent peer is asked whether it is there (RFC 9293, 3.8.4), and when it is gone. Whole seconds.
pub(crate) struct Liveness {
    /// Silence after which it is asked first.
    pub idle: Duration,
    /// From one question to the next.
    pub every: Duration,
    /// It is gone after so much silence, and where it acknowledges nothing for so long of what was sent.
    pub gone: Duration,
}

/// Of who connects to a front door.
pub(crate) const ACCEPTED: Liveness =
    Liveness { idle: Duration::from_secs(15), every: Duration::from_secs(5), gone: Duration::from_secs(30) };

/// Of another media pod of the same cluster.
pub(crate) const UPSTREAM: Liveness =
    Liveness { idle: Duration::from_secs(4), every: Duration::from_secs(2), gone: Duration::from_secs(10) };

impl Liveness {
    /// Sets up a connection: what is written to it goes at once, and whoever reads it gets an error when the peer is gone.
    /// The kernel does all of it.
    pub fn watch(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let options = SockRef::from(socket);
        options.set_tcp_user_timeout(Some(self.gone))?;
        let asking = TcpKeepalive::new().with_time(self.idle).with_interval(self.every);
        options.set_tcp_keepalive(&asking.with_retries(self.questions()))
    }

    /// Unanswered ones, until it is gone.
    fn questions(&self) -> u32 {
        (self.gone.saturating_sub(self.idle).as_secs() / self.every.as_secs().max(1)) as u32
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockFilter;
    use tokio::{io::AsyncReadExt as _, net::TcpListener, time::timeout};

    use super::*;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, peer)
    }

    #[tokio::test]
    async fn whom_a_door_lets_in_is_asked_from_fifteen_seconds_on_and_gone_after_thirty() {
        let (socket, _peer) = connected().await;
        ACCEPTED.watch(&socket).unwrap();
        let options = SockRef::from(&socket);
        assert!(options.keepalive().unwrap() && options.tcp_nodelay().unwrap());
        let [idle, every, gone] = [15, 5, 30].map(Duration::from_secs);
        assert_eq!(options.tcp_keepalive_time().unwrap(), idle);
        assert_eq!(options.tcp_keepalive_interval().unwrap(), every);
        assert_eq!(options.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(gone));
        assert_eq!(UPSTREAM.questions(), 3);
    }

    #[tokio::test]
    async fn a_peer_that_hears_nothing_any_more_is_gone_and_one_that_is_only_silent_is_not() {
        let second = Duration::from_secs(1);
        let short = Liveness { idle: second, every: second, gone: 2 * second };
        let ((mut socket, peer), (mut other, _silent)) = (connected().await, connected().await);
        short.watch(&socket).unwrap();
        short.watch(&other).unwrap();
        // Whatever arrives there is dropped (BPF_RET with 0).
        SockRef::from(&peer).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).unwrap();
        let read = timeout(60 * second, socket.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let still = timeout(3 * second, other.read_u8()).await;
        assert!(still.is_err(), "{still:?}");
    }
}
