//! How a front door opens and closes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use millrace_bus::Marks;
use millrace_http::{FrontDoor, HttpError, Options};
use support::{Bench, curl, head, rest, until};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const GET_LIVE: &[u8] = b"GET /live.ts HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn an_address_in_use_is_named() {
    let bench = Bench::plain().await;
    let options = Options { http: vec![bench.http()], ..Options::default() };
    let error = FrontDoor::bind(options, bench.site.clone(), bench.egress.clone()).await.err().unwrap();
    assert!(matches!(error, HttpError::InUse { address } if address == bench.http()));
    assert!(error.to_string().contains(&bench.http().to_string()), "{error}");
    let elsewhere = "192.0.2.1:80".parse().unwrap();
    let options = Options { http: vec![elsewhere], ..Options::default() };
    let error = FrontDoor::bind(options, bench.site.clone(), bench.egress.clone()).await.err().unwrap();
    assert!(matches!(error, HttpError::NoSuchAddress { .. }), "{error}");
}

#[tokio::test]
async fn viewers_may_stay_until_the_grace_is_over() {
    let bench = Bench::plain().await;
    let live = bench.live();
    let mut publisher = live.publisher();
    let mut viewer = TcpStream::connect(bench.http()).await.unwrap();
    viewer.write_all(GET_LIVE).await.unwrap();
    head(&mut viewer).await;
    let h2 = curl(&["--http2-prior-knowledge", &bench.url("/live.ts")]);
    bench.viewers(2).await;
    let address = bench.http();
    let Bench { door, egress, site: _ } = bench;
    let closing = tokio::spawn(async move { door.shutdown(Duration::from_millis(500)).await });
    let begun = std::time::Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    publisher.publish(Bytes::from_static(b"until the end"), Marks::default());
    assert_eq!(rest(&mut viewer).await, "until the end");
    assert_eq!(h2.await.unwrap().stdout, b"until the end");
    closing.await.unwrap();
    assert_eq!(egress.viewers(), 0);
    until("held no more", || live.held() == 0).await;
}

#[tokio::test]
async fn a_door_that_nobody_uses_closes_at_once() {
    let bench = Bench::plain().await;
    let idle = TcpStream::connect(bench.http()).await.unwrap();
    let mut kept = TcpStream::connect(bench.http()).await.unwrap();
    kept.write_all(b"GET /stat HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    head(&mut kept).await;
    let closing = bench.door.shutdown(Duration::from_mins(1));
    tokio::time::timeout(Duration::from_secs(10), closing).await.expect("waited for nobody");
    drop((idle, kept));
}

#[tokio::test]
async fn a_door_that_is_dropped_leaves_its_viewers_where_they_are() {
    let bench = Bench::plain().await;
    let live = bench.live();
    let mut publisher = live.publisher();
    let mut viewer = TcpStream::connect(bench.http()).await.unwrap();
    viewer.write_all(GET_LIVE).await.unwrap();
    head(&mut viewer).await;
    let Bench { door, egress, .. } = bench;
    drop(door);
    publisher.publish(Bytes::from_static(b"still"), Marks::default());
    live.channel.close();
    assert_eq!(rest(&mut viewer).await, "still");
    until("left", || egress.viewers() == 0).await;
}

#[tokio::test]
async fn a_dismissed_viewer_is_gone_and_others_are_not() {
    let bench = Bench::plain().await;
    let _publisher = bench.live().publisher();
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let mut viewer = TcpStream::connect(bench.http()).await.unwrap();
        viewer.write_all(GET_LIVE).await.unwrap();
        head(&mut viewer).await;
        sockets.push(viewer);
    }
    let ids: Vec<u64> = bench.door.viewers().iter().map(|viewer| viewer.id).collect();
    assert!(bench.door.dismiss(ids[0]));
    assert_eq!(rest(&mut sockets[0]).await, "");
    bench.viewers(1).await;
    assert_eq!(bench.door.viewers()[0].id, ids[1]);
    assert!(!bench.door.dismiss(ids[0]));
}
