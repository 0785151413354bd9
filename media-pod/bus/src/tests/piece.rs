//! What a reader is told of the bytes that it gets.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::smallvec;

use crate::{
    Channel, Container, Format, GopCache, Header, Join, Marks, Place, Publisher, Start, Subscriber, Units,
};

/// A run of MPEG-TS with a header, and two units in each of three chunks; the second chunk begins at a random access point.
fn run(publisher: &mut Publisher, epoch: u64) {
    let format =
        Format { container: Container::MpegTs, content_type: "video/mp2t".into(), tracks: Arc::from([]) };
    publisher.begin(epoch, Some(Arc::new(format)));
    publisher.set_header(Arc::new(Header {
        bytes: Bytes::from_static(b"head"),
        splice: Bytes::from_static(b"jump"),
    }));
    for chunk in 0..3_u64 {
        let marks = Marks {
            units: Units::Every { first: chunk * 10, stride: 5, last: chunk * 10 + 5 },
            random_access: if chunk == 1 { smallvec![10] } else { smallvec![] },
            frames: 1,
        };
        publisher.publish(Bytes::from(vec![chunk as u8; 10]), marks);
    }
}

#[tokio::test]
async fn pieces_say_where_they_stand_in_their_run_and_headers_that_they_stand_nowhere() {
    let channel = Channel::new("a", GopCache::default());
    let mut publisher = channel.publisher().unwrap();
    run(&mut publisher, 7);
    let mut reader = Subscriber::new(channel.join(Join { header: true, start: Start::Last }), false);
    let head = reader.next_piece().await.unwrap();
    assert_eq!((&head.bytes[..], head.place), (&b"head"[..], None));
    let mut places = Vec::new();
    for _ in 0..2 {
        let piece = reader.next_piece().await.unwrap();
        assert_eq!(piece.generation.epoch(), 7);
        let Place { offset, unit, random_access, .. } = piece.place.unwrap();
        places.push((offset, piece.bytes.len(), unit, random_access));
    }
    assert_eq!(places, [(10, 10, true, true), (20, 10, true, false)]);

    run(&mut publisher, 8);
    let jump = reader.next_piece().await.unwrap();
    assert_eq!((&jump.bytes[..], jump.place, jump.generation.epoch()), (&b"jump"[..], None, 8));
    let first = reader.next_piece().await.unwrap();
    assert_eq!((first.generation.number(), first.place.unwrap().offset), (2, 0), "counted from its own run");
}
