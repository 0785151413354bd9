//! What many ask for below a stream is fetched once from its owner, and kept for as long as that one says: a shared
//! cache (RFC 9111) in memory.
//!
//! - Only whole answers (200) to GET that their owner calls `public`, or that nobody needs to ask for, and that have a
//!   `Content-Length`. Nothing is guessed: without `s-maxage`, `max-age` or `Expires` nothing is kept, and nothing is given
//!   out when it is stale.
//! - One key for each path, query (parameters sorted by name) and what the request says in those of `Accept`,
//!   `Accept-Encoding`, `Accept-Language` and `Origin` that `Vary` names; other headers in `Vary` mean: not shared.
//! - `If-None-Match`, `If-Modified-Since` and a single `Range` are answered from what is kept. What is stale is fetched with
//!   its `ETag`. What a request says in `Cache-Control` is not heard: that would be a way around the cache for everybody.
//! - Who asks for what is being fetched waits for it. Where that fails, all get the error; where it turns out not to be for
//!   all, each asks alone.
//! - All bytes count against the limit: what is kept (at most three quarters), what is being fetched, and what is kept no
//!   more but still sent to somebody. Where there is no room, an answer is passed on as if there were no cache.
//!
//! `Cache-Status` (RFC 9211) says what happened, `Age` how old an answer is.

mod conditions;
mod control;
mod flights;
mod key;
mod memory;
mod serve;
mod store;
mod stored;
mod terms;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

pub use conditions::has_tag;
pub(crate) use serve::answer;

use self::{flights::Flights, memory::Memory, serve::Landed, store::Store};

/// See the module.
pub struct EdgeCache {
    store: Mutex<Store>,
    memory: Arc<Memory>,
    flights: Arc<Flights<Landed>>,
    counts: [AtomicU64; 5],
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// By what was kept.
    Hit,
    /// By what somebody else was just being fetched.
    Collapsed,
    /// It was fetched.
    Miss,
    /// Its owner said that what was kept did not change.
    Revalidated,
    /// It was passed on: it is not to be shared, or was not asked for with GET.
    Passed,
}

impl CacheResult {
    /// All of them, in the order of [`CacheFigures::requests`].
    pub const ALL: [Self; 5] = [Self::Hit, Self::Collapsed, Self::Miss, Self::Revalidated, Self::Passed];

    /// In small letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Collapsed => "collapsed",
            Self::Miss => "miss",
            Self::Revalidated => "revalidated",
            Self::Passed => "passed",
        }
    }
}

/// Figures of a cache, as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Bytes that it may use.
    pub limit: u64,
    /// Bytes that it uses, also by what is being fetched and sent.
    pub bytes: u64,
    /// What it keeps, marks included.
    pub entries: u64,
    /// What had to leave for others, or for a smaller limit.
    pub evictions: u64,
    /// Requests by [`CacheResult`].
    pub requests: [u64; 5],
}

/// What may be kept of a stream's, see [`crate::Forward`].
#[derive(Clone)]
pub struct Scope {
    /// Where.
    pub cache: Arc<EdgeCache>,
    /// Who has the stream, and since when: what another one said is not given out.
    pub owner: Arc<str>,
    /// Whether nobody needs to ask who may watch.
    pub open: bool,
}

impl EdgeCache {
    /// A cache of at most `limit` bytes; 0: none.
    pub fn new(limit: u64) -> Arc<Self> {
        let memory = Memory::new(limit);
        Arc::new(Self {
            store: Mutex::new(Store::new(memory.clone())),
            memory,
            flights: Arc::default(),
            counts: Default::default(),
        })
    }

    /// There may be so many bytes from now on. What is too much leaves at once, but for what is being sent.
    pub fn set_limit(&self, limit: u64) {
        if limit != self.memory.limit() {
            self.store().set_limit(limit);
        }
    }

    /// What there is, and was.
    pub fn figures(&self) -> CacheFigures {
        let store = self.store();
        CacheFigures {
            limit: self.memory.limit(),
            bytes: self.memory.used(),
            entries: store.len() as u64,
            evictions: store.evicted(),
            requests: self.counts.each_ref().map(|counter| counter.load(Ordering::Relaxed)),
        }
    }

    /// Whether there is one.
    pub(crate) fn is_on(&self) -> bool {
        self.memory.limit() > 0
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, result: CacheResult) {
        let at = CacheResult::ALL.iter().position(|one| *one == result);
        if let Some(counter) = at.and_then(|at| self.counts.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for EdgeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EdgeCache").field(&self.figures()).finish()
    }
}

/// For fuzzing: must return, whatever an owner's answer and a request say. Each line of `bytes` is a value: of
/// `Cache-Control`, `Expires`, `Date`, `Age` and `Vary` of the one, `If-None-Match`, `If-Range`, `Range` and `Accept` of the other.
#[cfg(any(test, fuzzing))]
pub fn fuzz_cache(bytes: &[u8]) {
    use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut take = |names: &[http::HeaderName]| -> HeaderMap {
        let values = names.iter().cloned().zip(lines.by_ref());
        values.filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(value).ok()?))).collect()
    };
    let answer = take(&[
        header::CACHE_CONTROL,
        header::EXPIRES,
        header::DATE,
        header::AGE,
        header::VARY,
        header::ETAG,
    ]);
    let asked = take(&[header::IF_NONE_MATCH, header::IF_RANGE, header::RANGE, header::ACCEPT]);
    if let Some(terms) = terms::terms(StatusCode::OK, &answer, true) {
        assert!(terms.age < terms.lifetime);
        let _ = key::values(&terms.vary, &asked);
    }
    if let conditions::Wanted::Part(range) = conditions::wanted(&Method::GET, &asked, &answer, 100) {
        assert!(range.start < range.end && range.end <= 100);
    }
    if let Ok(query) = std::str::from_utf8(bytes) {
        assert!(key::Key::new("/", Some(query)).len() <= query.len() + 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::fuzz_cache(&bytes);
        }

        #[test]
        fn no_flipped_bit_of_real_headers_makes_it_panic(at in 0_usize..100, bit in 0_u8..8, cut in 0_usize..120) {
            let mut bytes = b"public, max-age=1\n\nSun, 06 Nov 1994 08:49:37 GMT\n3\nAccept\n\"x\"\nW/\"x\", \"y\"\n\"x\"\nbytes=1-5\nimage/png".to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
            bytes.truncate(cut);
            super::fuzz_cache(&bytes);
        }
    }
}
