//! A file played in a loop at the speed of its timestamps, with a clock that only the waits move.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "a test"
)]

mod support;
use std::time::{Duration, Instant};

use millrace_media::{Pacer, Sniffer};
use support::*;

/// When each byte count went out.
fn play(bytes: &[u8], loops: usize) -> Vec<(Duration, usize)> {
    let (mut sniffer, mut pacer) = (Sniffer::new(None), Pacer::new());
    let start = Instant::now();
    let mut now = start;
    let mut sent = Vec::new();
    for _ in 0..loops {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(pacer.next_piece().min(rest.len()));
            rest = left;
            sniffer.push(piece);
            now += pacer.wait(piece.len(), sniffer.media_time(), now);
            sent.push((now - start, piece.len()));
        }
    }
    sent
}

#[test]
fn a_looped_file_goes_by_at_its_own_speed_without_stalls_or_bursts() {
    let steady = ["-b:v", "800k", "-maxrate", "800k", "-bufsize", "100k", "-nal-hrd", "cbr"];
    let video = [VIDEO, AUDIO, X264, &steady, AAC].concat();
    let noise = ["-f", "lavfi", "-i", "anoisesrc=sample_rate=48000:duration=4:amplitude=0.3", "-b:a", "96k"];
    let samples: [(&str, &[&[&str]], u128); 6] = [
        ("ts", &[&video, &["-f", "mpegts"]], 150),
        ("flv", &[&video, &["-f", "flv"]], 150),
        ("mkv", &[&video, &["-live", "1", "-cluster_time_limit", "40", "-f", "matroska"]], 150),
        ("mp4", &[&video, &["-movflags", "frag_every_frame+empty_moov+default_base_moof", "-f", "mp4"]], 150),
        ("ogg", &[&noise, &["-c:a", "libvorbis", "-page_duration", "100000", "-f", "ogg"]], 300),
        ("aac", &[&noise, AAC, &["-f", "adts"]], 150),
    ];
    for (name, args, longest) in samples {
        let bytes = ffmpeg(args);
        let sent = play(&bytes, 3);
        let total = sent.last().unwrap().0.as_millis();
        assert!((11_400..=12_600).contains(&total), "{name}: three times 4 s took {total} ms");
        let stall = sent.windows(2).map(|w| w[1].0.saturating_sub(w[0].0).as_millis()).max().unwrap();
        assert!(stall <= longest, "{name}: nothing for {stall} ms");
        // After the first second, by which the rate is known.
        for (n, (at, _)) in sent.iter().enumerate().filter(|(_, (at, _))| at.as_millis() > 1000) {
            let within = sent[n..].iter().take_while(|(t, _)| t.saturating_sub(*at).as_millis() < 500);
            let burst: usize = within.map(|(_, len)| len).sum();
            assert!(burst < bytes.len() / 4 + 16_000, "{name}: {burst} of {} bytes at {at:?}", bytes.len());
        }
    }
}
