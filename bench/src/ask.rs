//! One request, and what is answered to it as it comes.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;

/// Asks for `path` by HTTP/1.0, so that the answer ends with the connection; no read of it takes longer than `patience`.
pub fn ask(addr: SocketAddr, path: &str, patience: Duration) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(patience))?;
    socket.write_all(format!("GET {path} HTTP/1.0\r\nHost: {addr}\r\n\r\n").as_bytes())?;
    Ok(socket)
}
