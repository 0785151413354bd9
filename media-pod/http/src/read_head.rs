//! Reads a request head from a connection.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use crate::head::{BadHead, Head, LARGEST, Parsed, parse};

/// In so many bytes it shows that something is no HTTP.
const NOTICED: usize = 16;

/// How a connection begins.
#[derive(Debug)]
pub(crate) enum First {
    /// HTTP/2, and what was read of it.
    Http2(Bytes),
    /// A head of HTTP/1.x, and all that was read.
    Http1(Box<Head>, Bytes),
    Bad(BadHead),
    /// No HTTP, and what was read of it.
    Foreign(Bytes),
    /// Some of a head, but not all of it in time.
    Late,
    /// It hung up, or sent nothing at all.
    Nothing,
}

/// Reads until it is clear how the connection begins, at most for `limit`.
pub(crate) async fn read_head<S: AsyncRead + Unpin>(stream: &mut S, limit: Duration) -> First {
    let mut bytes = BytesMut::new();
    match timeout(limit, read(stream, &mut bytes)).await {
        Ok(first) => first,
        Err(_) if bytes.is_empty() => First::Nothing,
        Err(_) => First::Late,
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut BytesMut) -> First {
    loop {
        let before = bytes.len();
        bytes.reserve(LARGEST.saturating_sub(before).min(2048));
        let mut room = (&mut *bytes).limit(LARGEST.saturating_sub(before));
        match stream.read_buf(&mut room).await {
            Ok(0) | Err(_) => return First::Nothing,
            Ok(_) => {}
        }
        // Whoever sends byte by byte does not have the head parsed anew for each.
        let news = bytes.get(before..).unwrap_or_default();
        if before >= NOTICED && !news.contains(&b'\n') && bytes.len() < LARGEST {
            continue;
        }
        match parse(bytes) {
            Parsed::Partial => {}
            Parsed::Http2 => return First::Http2(bytes.split().freeze()),
            Parsed::Whole(head) => return First::Http1(head, bytes.split().freeze()),
            Parsed::Bad(BadHead::NotHttp) => return First::Foreign(bytes.split().freeze()),
            Parsed::Bad(bad) => return First::Bad(bad),
        }
    }
}

/// Done when the peer hangs up, or sends so much that nobody will read that it might as well.
pub(crate) async fn hung_up<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut nobody_reads = [0; 512];
    let mut left = 64_usize << 10;
    while left > 0 {
        match stream.read(&mut nobody_reads).await {
            Ok(0) | Err(_) => return,
            Ok(some) => left = left.saturating_sub(some),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_head_that_comes_byte_by_byte_is_whole_in_the_end() {
        let (mut client, mut server) = tokio::io::duplex(1);
        let writing = tokio::spawn(async move {
            client.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            client
        });
        let First::Http1(head, bytes) = read_head(&mut server, Duration::from_secs(5)).await else {
            panic!("no head")
        };
        assert_eq!(head.target.path, "/a");
        assert!(bytes.ends_with(b"\r\n\r\n"));
        drop(writing.await.unwrap());
    }

    #[tokio::test]
    async fn a_head_without_end_is_cut_at_16_kib() {
        let (mut client, mut server) = tokio::io::duplex(1 << 20);
        client.write_all(b"GET / HTTP/1.1\r\nA: ").await.unwrap();
        client.write_all(&vec![b'a'; 40_000]).await.unwrap();
        assert!(matches!(
            read_head(&mut server, Duration::from_secs(5)).await,
            First::Bad(BadHead::TooLarge)
        ));
    }

    #[tokio::test]
    async fn half_a_head_is_late_and_no_head_is_nothing() {
        let (mut client, mut server) = tokio::io::duplex(64);
        assert!(matches!(read_head(&mut server, Duration::from_millis(20)).await, First::Nothing));
        client.write_all(b"GET / HT").await.unwrap();
        assert!(matches!(read_head(&mut server, Duration::from_millis(20)).await, First::Late));
    }
}
