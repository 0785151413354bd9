//! Prints a sample status page: `cargo run -p millrace-status --example page -- [STREAMS] [CLIENTS] [TICK] [WORD…]`.
//!
//! Words: `refused` adds a refused configuration, `json` prints the JSON instead, `policy` the policy to serve the
//! page with, `measure` how long the page takes to render and how large it is.
#![allow(clippy::indexing_slicing, clippy::manual_is_multiple_of, reason = "made-up data")]

use std::hint::black_box;
use std::time::Instant;

use millrace_status::{PageOptions, content_security_policy, render_html};

mod sample;

const RUNS: u32 = 200;

fn main() -> Result<(), serde_json::Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let said = |word: &str| words.iter().any(|w| w == word);
    let mut numbers = words.iter().filter_map(|word| word.parse::<u64>().ok());
    let streams = numbers.next().unwrap_or(8);
    let clients = numbers.next();
    let size = sample::Size { streams, clients, tick: numbers.next().unwrap_or(0), refused: said("refused") };
    let status = sample::status(size);
    let options = PageOptions { json_path: Some("/stat.json"), refresh_seconds: 2 };
    if said("policy") {
        println!("{}", content_security_policy());
    } else if said("json") {
        println!("{}", status.to_json()?);
    } else if said("measure") {
        let began = Instant::now();
        for _ in 0..RUNS {
            black_box(render_html(black_box(&status), &options));
        }
        let html = began.elapsed() / RUNS;
        let began = Instant::now();
        for _ in 0..RUNS {
            black_box(black_box(&status).to_json()?);
        }
        let json = began.elapsed() / RUNS;
        println!("html: {} bytes in {html:?}", render_html(&status, &options).len());
        println!("json: {} bytes in {json:?}", status.to_json()?.len());
    } else {
        print!("{}", render_html(&status, &options));
    }
    Ok(())
}
