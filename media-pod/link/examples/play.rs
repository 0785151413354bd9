//! Watches a stream and writes its bytes to standard output.
//!
//! `cargo run -p millrace-link --example play millrace://127.0.0.1:8080/door.ts | ffplay -`

use std::io::Write as _;

use millrace_link::client::{Address, Options, Player};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("say which: millrace://HOST/PATH")?;
    let address: Address = address.parse().map_err(|error| format!("{address} {error}"))?;
    let mut player = Player::open(&address, &Options::default()).await?;
    let mut out = std::io::stdout().lock();
    while let Some(content) = player.next().await? {
        out.write_all(&content.data)?;
        out.flush()?;
    }
    eprintln!("{:?}", player.numbers());
    Ok(())
}
