//! What the sniffer says of a file, and how fast: `cargo run --release --example sniff -- FILE [ROUNDS]`.

use std::time::Instant;

use millrace_media::Sniffer;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or_else(|| std::io::Error::other("which file?"))?;
    let rounds: u32 = args.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let bytes = std::fs::read(path)?;
    let mut sniffer = Sniffer::new(None);
    let (mut points, mut frames) = (0, 0);
    let start = Instant::now();
    for _ in 0..rounds {
        for chunk in bytes.chunks(64 * 1024) {
            let marks = sniffer.push(chunk);
            points += marks.random_access.len();
            frames += marks.frames;
        }
    }
    let taken = start.elapsed().as_secs_f64();
    let total = bytes.len() as f64 * f64::from(rounds);
    println!("{:?}", sniffer.format());
    println!("{points} random access points, {frames} frames, {:?}", sniffer.media_time());
    println!("{:.2} GB/s", total / taken / 1e9);
    Ok(())
}
