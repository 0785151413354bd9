//! Somebody who waits for the first byte.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// For a connection; a packet that was lost on the way to no pod is not waited for.
const CONNECT: Duration = Duration::from_millis(250);

/// When the first byte of a body came that was answered 200, tried again and again.
pub async fn first_byte(address: SocketAddr, path: &str, patience: Duration) -> Result<Instant> {
    let until = Instant::now() + patience;
    let mut last = String::new();
    while Instant::now() < until {
        match time::timeout_at(until.into(), once(address, path)).await {
            Ok(Ok(Ok(at))) => return Ok(at),
            Ok(Ok(Err(head))) => last = head,
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => break,
        }
        time::sleep(PAUSE).await;
    }
    bail!("http://{address}{path} gives no media within {} s: {last}", patience.as_secs())
}

/// The time of the first byte, or what was answered instead.
async fn once(address: SocketAddr, path: &str) -> Result<Result<Instant, String>> {
    let mut socket = time::timeout(CONNECT, TcpStream::connect(address)).await??;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let n = socket.read(&mut piece).await?;
        all.extend_from_slice(piece.get(..n).unwrap_or_default());
        let head = all.windows(4).position(|it| it == b"\r\n\r\n");
        match head {
            Some(_) if !all.starts_with(b"HTTP/1.1 200") => {
                return Ok(Err(String::from_utf8_lossy(&all).lines().next().unwrap_or_default().to_owned()));
            }
            Some(head) if all.len() > head + 4 => return Ok(Ok(Instant::now())),
            _ if n == 0 => return Ok(Err("the connection was closed".to_owned())),
            _ => {}
        }
    }
}
