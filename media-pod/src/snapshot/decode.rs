//! Bytes from a random access point on, into a picture: by ffmpeg, which is given them and nothing else.

use std::time::Duration;

use bytes::Bytes;
use millrace_bus::Container;
use millrace_exec::Spec;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time,
};

use super::{Picture, ppm};
use crate::runners::{Command, RunError, Runners};

/// A decoder that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pictures at the end of which the last is kept, since frames are counted by chunks and may reorder.
const MARGIN: u64 = 4;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The decoder could not be started.
    #[error(transparent)]
    Start(#[from] RunError),
    /// What came out is no picture.
    #[error(transparent)]
    Output(#[from] ppm::PpmError),
    /// Nothing came out.
    #[error("no picture came out ({0})")]
    Nothing(String),
    /// It took too long.
    #[error("the decoder took longer than 15 s")]
    Slow,
}

/// The first picture of `bytes`; with `last`, the last one, where about that many come after the first.
pub async fn decode(
    container: Container,
    bytes: Vec<Bytes>,
    last: Option<u64>,
    runners: &Runners,
) -> Result<Picture, DecodeError> {
    let skip = last.map_or(0, |frames| frames.saturating_sub(MARGIN));
    match run(container, &bytes, last.is_some(), skip, runners).await {
        // Fewer came than were counted.
        Err(DecodeError::Nothing(_)) if skip > 0 => run(container, &bytes, true, 0, runners).await,
        result => result,
    }
}

async fn run(
    container: Container,
    bytes: &[Bytes],
    last: bool,
    skip: u64,
    runners: &Runners,
) -> Result<Picture, DecodeError> {
    let mut spec = Spec::new(command(container, last, skip));
    (spec.stdin, spec.stdout, spec.name) = (true, true, "snapshot".to_owned());
    let mut process = runners.start(&Command { spec, image: None }).await?;
    let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            for part in bytes {
                // A decoder that has its picture reads no further.
                if stdin.write_all(part).await.is_err() {
                    break;
                }
            }
        }
    };
    let read = async {
        let (mut out, mut newest) = (Vec::new(), None);
        if let Some(mut stdout) = stdout {
            while stdout.read_buf(&mut out).await.is_ok_and(|n| n > 0) {
                while let Some(picture) = ppm::take(&mut out)? {
                    newest = Some(picture);
                }
            }
        }
        Ok::<_, DecodeError>(newest)
    };
    let both = async { tokio::join!(write, read).1 };
    let newest = time::timeout(PATIENCE, both).await.map_err(|_| DecodeError::Slow)??;
    match newest {
        Some(picture) => Ok(picture),
        None => Err(DecodeError::Nothing(process.wait().await.to_string())),
    }
}

fn command(container: Container, last: bool, skip: u64) -> Vec<String> {
    let demuxer = match container {
        Container::MpegTs => "mpegts",
        Container::Fmp4 => "mp4",
        Container::Matroska => "matroska",
        Container::Flv => "flv",
        Container::Ogg => "ogg",
        Container::Mpjpeg => "mpjpeg",
        Container::Adts => "aac",
        Container::Mp3 => "mp3",
    };
    let mut argv: Vec<String> =
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-f", demuxer].map(Into::into).into();
    argv.extend(["-i", "pipe:0", "-map", "0:v:0", "-an", "-sn", "-dn"].map(Into::into));
    if last {
        argv.extend([
            "-vf".to_owned(),
            format!("select=gte(n\\,{skip})"),
            "-vsync".to_owned(),
            "passthrough".to_owned(),
        ]);
    } else {
        argv.extend(["-frames:v", "1"].map(Into::into));
    }
    argv.extend(["-c:v", "ppm", "-f", "image2pipe", "pipe:1"].map(Into::into));
    argv
}
