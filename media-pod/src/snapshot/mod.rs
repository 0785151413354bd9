//! Snapshots: the newest picture of a stream, decoded once however many ask.

mod decode;
mod encode;
mod ppm;
mod request;
mod tag;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use millrace_bus::{Format as Carried, Join, Start};
use millrace_http::Refusal;
use tokio::sync::Mutex;

pub use encode::Format;
pub use ppm::Picture;
pub use request::{Request, RequestError};

use crate::{shop::Shop, stream::Stream};

/// A picture that began to come this long ago is complete, even if nothing came after it.
const COMPLETE: Duration = Duration::from_secs(1);

/// The pictures of one stream.
#[derive(Default)]
pub struct Snapshots {
    // Held while decoding: who comes meanwhile waits for the picture instead of decoding it again.
    newest: Mutex<Option<Decoded>>,
}

struct Decoded {
    /// Channel offset of the random access point that it was decoded from.
    point: u64,
    /// Up to the live edge at that time; `None`: the picture of the random access point itself.
    edge: Option<Instant>,
    taken: Instant,
    picture: Arc<Picture>,
    encoded: Vec<Encoded>,
}

#[derive(Clone)]
struct Encoded {
    format: Format,
    quality: u8,
    bytes: Bytes,
    tag: HeaderValue,
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshots")
    }
}

/// A picture as it was asked for.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Encoded.
    pub bytes: Bytes,
    /// Of what.
    pub format: Format,
    /// For `ETag`: the same for the same bytes, whoever made them.
    pub tag: HeaderValue,
    /// How old it is.
    pub age: Duration,
}

impl Stream {
    /// Takes a snapshot; starts the stream where it does not run, and waits for its first picture.
    pub async fn snapshot(self: &Arc<Self>, request: Request, shop: &Shop) -> Result<Snapshot, Refusal> {
        let asked = Instant::now();
        let joined = self.channel.join(Join { header: true, start: Start::Last });
        let _running = self.hold();
        let format = self.ready(&joined).await?;
        let Some(carried) = format.filter(|format| !format.audio_only()) else {
            return Err(Refusal {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                reason: format!("{} has no picture to take a snapshot of", self.spec().path),
                retry_after: None,
            });
        };
        drop(joined);
        let mut newest = self.snapshots.newest.lock().await;
        if !newest.as_ref().is_some_and(|decoded| self.serves(decoded, request, asked)) {
            *newest = Some(self.decode(&carried, request.now, asked, shop).await?);
        }
        let Some(decoded) = newest.as_mut() else { return Err(failed(&"nothing was decoded")) };
        let Encoded { bytes, tag, .. } = decoded.encode(request).await.map_err(|e| failed(&e))?;
        Ok(Snapshot { bytes, format: request.format, tag, age: decoded.taken.elapsed() })
    }

    /// Whether a picture that is there is the one asked for.
    fn serves(&self, decoded: &Decoded, request: Request, asked: Instant) -> bool {
        let newest = self.channel.join(Join { header: true, start: Start::Last }).offset();
        match decoded.edge {
            Some(edge) if request.now => edge >= asked,
            None if !request.now => newest == Some(decoded.point),
            _ => false,
        }
    }

    async fn decode(
        &self,
        carried: &Carried,
        now: bool,
        asked: Instant,
        shop: &Shop,
    ) -> Result<Decoded, Refusal> {
        let waiting = async {
            let (mut place, began) = match self.channel.random_access_age() {
                Some(age) => (
                    self.channel.join(Join { header: true, start: Start::Last }),
                    Instant::now().checked_sub(age).unwrap_or(asked),
                ),
                None => self.channel.next_random_access().await,
            };
            if place.offset().is_none() {
                place = self.channel.next_random_access().await.0;
            }
            // The picture must have come whole: until the next one has begun, or surely would have.
            let whole = began + COMPLETE;
            let next_begins = self.channel.until(|_| (place.frames_since() > 0).then_some(()));
            let _ = tokio::time::timeout_at(whole.into(), next_begins).await;
            (place, began)
        };
        let (place, began) = tokio::time::timeout(Duration::from_secs(20), waiting).await.map_err(|_| {
            Refusal::unavailable(
                format!("{} had no picture for 20 s", self.spec().path),
                Duration::from_secs(5),
            )
        })?;
        let edge = Instant::now();
        let point = place.offset().unwrap_or_default();
        let frames = place.frames_since();
        let bytes = place.available();
        let last = now.then_some(frames);
        let picture =
            decode::decode(carried.container, bytes, last, &shop.runners).await.map_err(|e| failed(&e))?;
        shop.snapshots_decoded.fetch_add(1, Ordering::Relaxed);
        Ok(Decoded {
            point,
            edge: now.then_some(edge),
            taken: if now { edge } else { began },
            picture: Arc::new(picture),
            encoded: Vec::new(),
        })
    }
}

impl Decoded {
    async fn encode(&mut self, request: Request) -> Result<Encoded, encode::EncodeError> {
        // PNG has no quality: all ask for the same.
        let quality = if request.format == Format::Png { 100 } else { request.quality };
        let same = |one: &&Encoded| (one.format, one.quality) == (request.format, quality);
        if let Some(encoded) = self.encoded.iter().find(same) {
            return Ok(encoded.clone());
        }
        let bytes = encode::encode(self.picture.clone(), request.format, quality).await?;
        let encoded = Encoded { format: request.format, quality, tag: tag::tag(&bytes), bytes };
        // At most 101 of them can be, but a few are what is really asked for.
        if self.encoded.len() >= 8 {
            self.encoded.remove(0);
        }
        self.encoded.push(encoded.clone());
        Ok(encoded)
    }
}

fn failed(why: &dyn ToString) -> Refusal {
    Refusal {
        status: StatusCode::BAD_GATEWAY,
        reason: format!("the picture could not be decoded: {}", why.to_string()),
        retry_after: Some(Duration::from_secs(1)),
    }
}
