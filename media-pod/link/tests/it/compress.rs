use bytes::Bytes;
use millrace_link::engine::{Compressor, decompress};
use millrace_link::wire::ChannelType;

use crate::pair::{Pair, messages, packet};

#[test]
fn text_is_compressed_noise_is_not_and_both_arrive() {
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::SERVICE);
    let text = Bytes::from("the same words again and again ".repeat(5000));
    for _ in 0..50 {
        let noise = pair.random.bytes(2000);
        pair.dialer.send(id, Bytes::new(), noise.clone()).unwrap();
        pair.pump();
        assert_eq!(messages(&mut pair.acceptor), [noise]);
    }
    assert_eq!(pair.dialer.channel_stats(id).unwrap().compressed, 0);
    let before = pair.dialer.stats().bytes_sent;
    for _ in 0..100 {
        pair.dialer.send(id, text.slice(..100_000), text.slice(100_000..)).unwrap();
        pair.pump();
        assert_eq!(messages(&mut pair.acceptor), std::slice::from_ref(&text));
    }
    let compressed = pair.dialer.channel_stats(id).unwrap().compressed;
    assert!((20..100).contains(&compressed), "{compressed}: on again, but not at once");
    let sent = pair.dialer.stats().bytes_sent - before;
    assert!(sent < 90 * text.len() as u64, "{sent}");
}

#[test]
fn compression_that_never_helps_is_tried_ever_more_rarely() {
    let mut compressor = Compressor::new(true);
    let noise = crate::pair::Random(5).bytes(1000);
    let mut tries = 0;
    for _ in 0..100_000 {
        if compressor.wants(noise.len()) {
            tries += 1;
            assert_eq!(compressor.compress(&noise), None);
        }
    }
    assert!((10..60).contains(&tries), "{tries}");
    assert!(!Compressor::new(false).wants(1000) && !Compressor::new(true).wants(100));
}

#[test]
fn a_compressed_message_that_would_be_too_large_is_never_made() {
    let bomb = lz4_like_bomb();
    assert!(decompress(&bomb, 1000).is_err());
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::SERVICE);
    pair.acceptor.handle_input(pair.now, packet(1, 0, id, 1, &bomb));
    assert!(pair.acceptor.is_closed());
}

/// Says that it will be a gigabyte.
fn lz4_like_bomb() -> Vec<u8> {
    [&(1_u32 << 30).to_le_bytes()[..], &[0x1f, 0, 1, 0, 255, 255, 255, 0]].concat()
}
