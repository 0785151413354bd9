//! The peer that most would write: hyper bodies over a tokio broadcast channel, a task per viewer.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use futures_util::stream::unfold;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_rustls::TlsAcceptor;

type Sender = broadcast::Sender<Bytes>;

fn read_pipe(path: &Path, to: &Sender) -> Result<()> {
    let mut pipe = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    loop {
        let mut buf = BytesMut::zeroed(65_536);
        let n = pipe.read(&mut buf)?;
        if n == 0 {
            return Ok(());
        }
        buf.truncate(n);
        let _ = to.send(buf.freeze());
    }
}

async fn serve<I>(io: I, from: Sender)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |_: Request<hyper::body::Incoming>| {
        let rx = from.subscribe();
        let chunks = unfold(rx, |mut rx| async move {
            loop {
                match rx.recv().await {
                    Ok(chunk) => return Some((Ok::<_, Infallible>(Frame::data(chunk)), rx)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        let body = StreamBody::new(chunks);
        async move { Response::builder().header("Content-Type", "video/mp2t").body(Box::pin(body)) }
    });
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), answer).await;
}

fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor> {
    let certs = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(certs, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn listen(addr: SocketAddr, from: Sender, tls: Option<TlsAcceptor>) -> Result<()> {
    let listener = TcpListener::bind(addr).await?;
    loop {
        let (stream, _): (TcpStream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let (from, tls) = (from.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, from).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, from).await;
                    }
                }
            }
        });
    }
}

/// Serves a named pipe until it is killed; with a second address also by TLS.
pub fn run(addr: SocketAddr, input: PathBuf, tls: Option<(SocketAddr, PathBuf, PathBuf)>) -> Result<()> {
    crate::limits::raise_files()?;
    let (tx, _) = broadcast::channel(64);
    let to = tx.clone();
    std::thread::spawn(move || {
        if let Err(e) = read_pipe(&input, &to) {
            eprintln!("{e:#}");
        }
    });
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        if let Some((addr, cert, key)) = tls {
            tokio::spawn(listen(addr, tx.clone(), Some(acceptor(&cert, &key)?)));
        }
        listen(addr, tx, None).await
    })
}
