//! One viewer's connection: socket, TLS if any, HTTP of either version, and the stream in it.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::h1::{self, H1};
use super::h2::{self, H2};
use super::scan::Scan;
use super::stats::Stats;
use super::{Http, Spec};

enum Protocol {
    One(H1),
    Two(H2),
}

/// A viewer.
pub struct Conn {
    /// Its socket.
    pub stream: TcpStream,
    /// It stops reading once it has the head.
    pub stuck: bool,
    /// Its number in the statistics.
    pub number: usize,
    tls: Option<Box<ClientConnection>>,
    protocol: Protocol,
    request: Option<Vec<u8>>,
    scan: Scan,
}

/// Buffers that all viewers of a thread share.
pub struct Buffers {
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { wire: vec![0; 256 * 1024], plain: vec![0; 64 * 1024] }
    }
}

fn client(config: &Arc<ClientConfig>, http: Http) -> Result<Box<ClientConnection>> {
    let mut config = ClientConfig::clone(config);
    config.alpn_protocols = match http {
        Http::One => vec![b"http/1.1".to_vec()],
        Http::Two => vec![b"h2".to_vec()],
    };
    let name = ServerName::try_from("localhost")?;
    Ok(Box::new(ClientConnection::new(Arc::new(config), name)?))
}

impl Conn {
    /// Begins to connect.
    pub fn open(spec: &Spec, number: usize, stuck: bool) -> Result<Self> {
        let stream = TcpStream::connect(spec.addr)?;
        let tls = spec.tls.as_ref().map(|c| client(c, spec.http)).transpose()?;
        let host = spec.addr.to_string();
        let (protocol, request) = match spec.http {
            Http::One => (Protocol::One(H1::default()), h1::request(&host, &spec.path)),
            Http::Two => (Protocol::Two(H2::default()), h2::request(&host, &spec.path, tls.is_some())),
        };
        Ok(Self { stream, stuck, number, tls, protocol, request: Some(request), scan: Scan::default() })
    }

    /// Whether the answer has begun.
    pub fn has_head(&self) -> bool {
        match &self.protocol {
            Protocol::One(h) => h.has_head(),
            Protocol::Two(h) => h.has_head(),
        }
    }

    /// The socket is connected: sends the request.
    pub fn writable(&mut self) -> Result<()> {
        if self.stream.peer_addr().is_err() {
            if let Some(e) = self.stream.take_error()? {
                return Err(e).context("connecting");
            }
            return Ok(());
        }
        if let Some(request) = self.request.take() {
            let _ = self.stream.set_nodelay(true);
            self.send(&request)?;
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes)?;
            return self.flush_tls();
        }
        let n = self.stream.write(bytes).context("sending")?;
        ensure!(n == bytes.len(), "a request does not fit the socket");
        Ok(())
    }

    fn flush_tls(&mut self) -> Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.stream) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                other => other.map(|_| ())?,
            }
        }
        Ok(())
    }

    /// Reads what is there; an error when the connection is over. A read that leaves room has emptied the socket,
    /// unless the other end is closed (`to_the_end`).
    pub fn readable(&mut self, to_the_end: bool, buffers: &mut Buffers, stats: &mut Stats) -> Result<()> {
        loop {
            let n = match self.stream.read(&mut buffers.wire) {
                Ok(0) => anyhow::bail!("the server closed the connection"),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e).context("reading"),
            };
            let now = crate::clock::now_ns();
            let data = buffers.wire.get(..n).unwrap_or_default();
            if self.tls.is_some() {
                self.decrypt(data, &mut buffers.plain, now, stats)?;
            } else {
                let reply = self.http(data, now, stats)?;
                if !reply.is_empty() {
                    self.send(&reply)?;
                }
            }
            if self.stuck && self.has_head() || n < buffers.wire.len() && !to_the_end {
                return Ok(());
            }
        }
    }

    fn decrypt(&mut self, mut data: &[u8], plain: &mut [u8], now: u64, stats: &mut Stats) -> Result<()> {
        while !data.is_empty() {
            let Some(tls) = &mut self.tls else { return Ok(()) };
            tls.read_tls(&mut data)?;
            tls.process_new_packets().context("TLS")?;
            loop {
                let Some(tls) = &mut self.tls else { return Ok(()) };
                let n = match tls.reader().read(plain) {
                    Ok(n) if n > 0 => n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    _ => anyhow::bail!("the server closed the TLS session"),
                };
                let reply = self.http(plain.get(..n).unwrap_or_default(), now, stats)?;
                if !reply.is_empty() {
                    self.send(&reply)?;
                }
            }
        }
        self.flush_tls()
    }

    fn http(&mut self, data: &[u8], now: u64, stats: &mut Stats) -> Result<Vec<u8>> {
        let had_head = self.has_head();
        let (scan, number) = (&mut self.scan, self.number);
        let mut body = |bytes: &[u8]| {
            stats.body(number, bytes.len());
            scan.feed(bytes, now, stats);
        };
        let reply = match &mut self.protocol {
            Protocol::One(h) => h.feed(data, &mut body).map(|()| Vec::new()),
            Protocol::Two(h) => h.feed(data, &mut body),
        }?;
        stats.heads += usize::from(!had_head && self.has_head());
        Ok(reply)
    }
}
