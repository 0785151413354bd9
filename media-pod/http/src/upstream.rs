//! Connections to other media pods.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time::timeout};

/// A pod of the same cluster that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// A pod that acknowledges nothing for this long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to `address`, host and port. A peer that is gone without a word is noticed within ten seconds, also while
/// nothing is sent.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    let late =
        || io::Error::new(io::ErrorKind::TimedOut, format!("no connection in {} s", CONNECT.as_secs()));
    let socket = timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| late())??;
    socket.set_nodelay(true)?;
    let options = SockRef::from(&socket);
    options.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    let asking = TcpKeepalive::new().with_time(Duration::from_secs(4)).with_interval(Duration::from_secs(2));
    options.set_tcp_keepalive(&asking.with_retries(3))?;
    Ok(socket)
}
