//! A viewer over TLS, encrypted on its egress shard.

use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
    time::Duration,
};

use bytes::Bytes;
use millrace_bus::egress::{Sink, bound_socket, prepare_socket};
use rustls::ServerConnection;
use socket2::SockRef;

/// Bytes of records that may wait for room in the socket.
const WAITING: usize = 32 << 10;
/// Slices per write.
const SLICES: usize = 16;
/// A viewer has nothing to say. One that says this much at once is thrown out.
const SAYS: usize = 32 << 10;
/// For the last records of a stream to leave.
const LINGER: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct TlsSink {
    /// `None` only after [`Sink::close`].
    socket: Option<mio::net::TcpStream>,
    session: ServerConnection,
    runtime: Option<tokio::runtime::Handle>,
}

impl TlsSink {
    /// Takes over a connection whose handshake is done and whose request was read.
    pub fn new(socket: TcpStream, mut session: ServerConnection) -> io::Result<Self> {
        prepare_socket(&socket)?;
        session.set_buffer_limit(Some(WAITING));
        Ok(Self {
            socket: Some(mio::net::TcpStream::from_std(socket)),
            session,
            runtime: tokio::runtime::Handle::try_current().ok(),
        })
    }

    /// Sends records until there are none (true) or there is no room.
    fn send(&mut self) -> io::Result<bool> {
        let Some(socket) = &mut self.socket else { return Ok(true) };
        while self.session.wants_write() {
            match self.session.write_tls(socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Reads what is in the socket, up to some records. `None`: nothing is left there.
    fn receive(&mut self) -> io::Result<Option<Said>> {
        let Some(socket) = &mut self.socket else { return Ok(Some(Said::Goodbye)) };
        match self.session.read_tls(socket) {
            Ok(0) => return Ok(Some(Said::Goodbye)),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(Some(Said::Bytes(0))),
            Err(e) => return Err(e),
        }
        let state = self.session.process_new_packets().map_err(io::Error::other)?;
        if state.peer_has_closed() {
            return Ok(Some(Said::Goodbye));
        }
        let mut nobody_reads = [0; 4096];
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            let read = self.session.reader().read(&mut nobody_reads)?;
            if read == 0 {
                break;
            }
            left = left.saturating_sub(read);
        }
        Ok(Some(Said::Bytes(state.plaintext_bytes_to_read())))
    }
}

enum Said {
    Bytes(usize),
    Goodbye,
}

impl Sink for TlsSink {
    fn write(&mut self, parts: &[Bytes]) -> io::Result<usize> {
        let mut taken = 0;
        // Each round sends what waits, then encrypts what there is room for.
        while self.send()? {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            let mut skip = taken;
            for part in parts {
                let rest = part.get(skip.min(part.len())..).unwrap_or_default();
                skip -= skip.min(part.len());
                let Some(slice) = slices.get_mut(used).filter(|_| !rest.is_empty()) else { continue };
                *slice = IoSlice::new(rest);
                used += 1;
            }
            if used == 0 {
                break;
            }
            let fed = self.session.writer().write_vectored(slices.get(..used).unwrap_or_default())?;
            if fed == 0 {
                // An empty buffer that takes nothing does not exist; not to spin if it does.
                return Err(io::ErrorKind::WriteZero.into());
            }
            taken += fed;
        }
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.send()
    }

    fn drain(&mut self) -> io::Result<bool> {
        let mut rounds = 0;
        let mut said = 0;
        loop {
            match self.receive()? {
                None => break,
                Some(Said::Goodbye) => return Ok(false),
                Some(Said::Bytes(bytes)) => {
                    said += bytes;
                    rounds += 1;
                }
            }
            if said > SAYS || rounds > SAYS / 1024 {
                return Err(io::Error::other("the viewer talks too much"));
            }
        }
        // An answer to a key update.
        self.send()?;
        Ok(true)
    }

    fn source(&mut self) -> Option<&mut mio::net::TcpStream> {
        self.socket.as_mut()
    }

    fn unacknowledged(&self) -> u64 {
        use std::os::fd::AsFd;
        self.socket.as_ref().map_or(0, |socket| millrace_sys::unacknowledged(socket.as_fd()).unwrap_or(0))
    }

    fn set_budget(&mut self, bytes: usize) {
        if let Some(socket) = &self.socket {
            bound_socket(&SockRef::from(socket), bytes);
        }
    }

    fn close(&mut self, orderly: bool) {
        if orderly {
            self.session.send_close_notify();
        }
        let all_sent = self.send();
        let Some(socket) = self.socket.take() else { return };
        let Some(runtime) = self.runtime.take() else { return };
        if let (true, Ok(false)) = (orderly, all_sent)
            && let Ok(rest) = self.rest()
        {
            runtime.spawn(linger(socket.into(), rest));
        }
    }
}

impl TlsSink {
    /// The records that found no room.
    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut rest)?;
        }
        Ok(rest)
    }
}

/// Sends the end of a stream to a viewer that was not quite there yet, so that it does not take it for cut off.
async fn linger(socket: TcpStream, rest: Vec<u8>) {
    use tokio::io::AsyncWriteExt;
    let sending = async {
        let mut socket = tokio::net::TcpStream::from_std(socket)?;
        socket.write_all(&rest).await?;
        socket.shutdown().await
    };
    // Whoever does not take it in that time has left.
    let _ = tokio::time::timeout(LINGER, sending).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

    use super::*;
    use crate::Certificates;

    async fn pair() -> (TlsSink, TlsStream<tokio::net::TcpStream>) {
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let server =
            Certificates::from_pem(chain.as_bytes(), key.as_bytes()).unwrap().server_config().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(server);
        let connector = TlsConnector::from(Arc::new(client));
        let name = ServerName::try_from("localhost").unwrap();
        let (viewer, accepted) = tokio::join!(connector.connect(name, socket), acceptor.accept(accepted));
        let (socket, session) = accepted.unwrap().into_inner();
        (TlsSink::new(socket.into_std().unwrap(), session).unwrap(), viewer.unwrap())
    }

    /// Writes until there is no room. Gives what was taken.
    fn fill(sink: &mut TlsSink) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let parts = [5, 0, 20_000, 1, 70_000].map(|length| Bytes::from(vec![all.len() as u8; length]));
            match sink.write(&parts) {
                Ok(taken) => {
                    assert!(taken > 0);
                    let whole: Vec<u8> = parts.iter().flatten().copied().collect();
                    all.extend_from_slice(&whole[..taken]);
                }
                Err(e) => {
                    assert_eq!(e.kind(), io::ErrorKind::WouldBlock);
                    return all;
                }
            }
        }
    }

    #[tokio::test]
    async fn a_viewer_that_is_behind_at_the_end_gets_all_of_it_and_a_goodbye() {
        let (mut sink, mut viewer) = pair().await;
        let all = fill(&mut sink);
        assert!(!sink.flush().unwrap() && sink.unacknowledged() > 0);
        sink.close(true);
        drop(sink);
        let mut got = Vec::new();
        // An end without `close_notify` would be an error.
        viewer.read_to_end(&mut got).await.unwrap();
        assert!(got == all, "{} of {} bytes", got.len(), all.len());
    }

    #[tokio::test]
    async fn what_waits_is_sent_when_there_is_room_again() {
        let (mut sink, mut viewer) = pair().await;
        let all = fill(&mut sink);
        let mut got = vec![0; all.len()];
        let reading = viewer.read_exact(&mut got);
        let flushing = async {
            while !sink.flush().unwrap() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let (read, ()) = tokio::join!(reading, flushing);
        read.unwrap();
        assert!(got == all);
    }

    #[tokio::test]
    async fn a_viewer_that_says_goodbye_or_talks_too_much_is_seen() {
        let (mut sink, mut viewer) = pair().await;
        viewer.write_all(b"hello").await.unwrap();
        assert!(sink.drain().unwrap());
        viewer.shutdown().await.unwrap();
        while sink.drain().unwrap() {
            tokio::task::yield_now().await;
        }

        let (mut sink, mut viewer) = pair().await;
        let full = Duration::from_millis(100);
        while tokio::time::timeout(full, viewer.write_all(&[0; 8000])).await.is_ok() {}
        assert!(sink.drain().is_err());
    }
}
