//! Bytes per second that go out of each stream, sampled.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::time;

use crate::pod::Pod;

const EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<String, Sample>>);

#[derive(Debug)]
struct Sample {
    bytes: u64,
    at: Instant,
    bits_per_second: u64,
}

impl Rates {
    /// Samples until `pod` is gone.
    pub fn start(pod: &Arc<Pod>) -> Arc<Self> {
        let rates = Arc::new(Self::default());
        let (to, of): (_, Weak<Pod>) = (rates.clone(), Arc::downgrade(pod));
        tokio::spawn(async move {
            let mut tick = time::interval(EVERY);
            loop {
                tick.tick().await;
                let Some(pod) = of.upgrade() else { return };
                to.sample(&pod);
            }
        });
        rates
    }

    /// Bits per second that went out of the stream of this name lately.
    pub fn of(&self, stream: &str) -> u64 {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.get(stream).map_or(0, |sample| sample.bits_per_second)
    }

    fn sample(&self, pod: &Pod) {
        let (now, streams) = (Instant::now(), pod.shop().streams.load());
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.retain(|name, _| streams.contains_key(name));
        for (name, stream) in streams.iter() {
            let bytes = stream.channel.bytes_out();
            // A stream that nobody ever watched needs no entry.
            let Some(sample) = samples.get_mut(name) else {
                if bytes > 0 {
                    samples.insert(name.clone(), Sample { bytes, at: now, bits_per_second: 0 });
                }
                continue;
            };
            let millis = now.duration_since(sample.at).as_millis().max(1) as u64;
            let rate = bytes.saturating_sub(sample.bytes).saturating_mul(8000) / millis;
            *sample = Sample { bytes, at: now, bits_per_second: rate };
        }
    }
}
