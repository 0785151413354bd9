//! Connections to other media pods.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use crate::liveness::UPSTREAM;

/// A pod of the same cluster that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(2);

/// Connects to `address`, host and port. A peer that is gone without a word is noticed within ten seconds, also while
/// nothing is sent.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    let late =
        || io::Error::new(io::ErrorKind::TimedOut, format!("no connection in {} s", CONNECT.as_secs()));
    let socket = timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| late())??;
    UPSTREAM.watch(&socket)?;
    Ok(socket)
}
