//! An answer that is kept, and what is made of it for who asks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_RANGES, AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        IF_NONE_MATCH,
    },
};

use super::{
    conditions::{Wanted, wanted},
    key::values,
    memory::Held,
    terms::{Terms, terms},
};

/// What one costs beside its bytes: places in tables, about.
pub(super) const BESIDE: u64 = 512;
/// What a header field costs beside its bytes, about.
const FIELD: usize = 96;
/// Of a body that is not sent, or that is made new.
const OF_THE_BODY: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE];

/// See the module.
#[derive(Debug)]
pub(super) struct Stored {
    head: HeaderMap,
    body: Bytes,
    /// Bytes that it costs.
    pub weight: u64,
    /// Who had the stream then.
    pub owner: Arc<str>,
    pub terms: Terms,
    /// What the request said in the headers that it depends on.
    variant: Vec<u8>,
    /// When it was asked for.
    asked: Instant,
}

/// Bytes that are counted as long as somebody has them.
struct Counted {
    bytes: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that an answer of `length` bytes costs.
pub(super) fn weight(head: &HeaderMap, length: u64, key: usize) -> u64 {
    let fields = head.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
    length + BESIDE + (fields.sum::<usize>() + key) as u64
}

impl Stored {
    /// `cost` is what it costs.
    pub fn new(
        head: &HeaderMap,
        body: Vec<u8>,
        cost: Held,
        owner: Arc<str>,
        terms: Terms,
        request: (&HeaderMap, Instant),
    ) -> Option<Self> {
        let variant = values(&terms.vary, request.0)?;
        let weight = cost.bytes();
        let body = Bytes::from_owner(Counted { bytes: body, _held: cost });
        Some(Self { head: own(head), body, weight, owner, terms, variant, asked: request.1 })
    }

    /// The same with what its owner says of it now, where that is that it did not change. None where it may not be kept any more.
    pub fn freshened(&self, head: &HeaderMap, open: bool, asked: Instant) -> Option<Self> {
        let mut new = self.head.clone();
        for name in head.keys().filter(|name| !OF_THE_BODY.contains(name)) {
            new.remove(name);
        }
        for (name, value) in &own(head) {
            if !OF_THE_BODY.contains(name) {
                new.append(name, value.clone());
            }
        }
        if let Some(age) = head.get(AGE) {
            new.insert(AGE, age.clone());
        }
        let terms = terms(StatusCode::OK, &new, open).filter(|terms| terms.vary == self.terms.vary)?;
        new.remove(AGE);
        Some(Self {
            head: new,
            body: self.body.clone(),
            weight: self.weight,
            owner: self.owner.clone(),
            terms,
            variant: self.variant.clone(),
            asked,
        })
    }

    /// The tag to ask its owner with whether it changed.
    pub fn tag(&self) -> Option<&HeaderValue> {
        self.head.get(ETAG)
    }

    /// How old it is (RFC 9111, 4.2.3), from when it was asked for.
    pub fn age(&self, now: Instant) -> Duration {
        self.terms.age + now.saturating_duration_since(self.asked)
    }

    /// How long it may still be given to anybody.
    pub fn left(&self, now: Instant) -> Duration {
        self.terms.lifetime.saturating_sub(self.age(now))
    }

    /// Whether it is the answer to a request with these headers, by who need not (`open`) or might not be allowed to.
    pub fn answers(&self, asked: &HeaderMap, open: bool) -> bool {
        (open || self.terms.public)
            && values(&self.terms.vary, asked).is_some_and(|values| values == self.variant)
    }

    /// What it costs to say which one it is, when there are several.
    pub fn variant(&self) -> &[u8] {
        &self.variant
    }

    /// The answer to a request.
    pub fn respond(&self, method: &Method, asked: &HeaderMap, now: Instant) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        let mut head = self.head.clone();
        head.insert(AGE, HeaderValue::from(self.age(now).as_secs()));
        head.entry(ACCEPT_RANGES).or_insert(HeaderValue::from_static("bytes"));
        let length = self.body.len();
        let status = match wanted(method, asked, &self.head, length) {
            Wanted::Whole => {
                *response.body_mut() = self.body.clone();
                StatusCode::OK
            }
            Wanted::Unchanged => {
                for name in OF_THE_BODY {
                    head.remove(name);
                }
                StatusCode::NOT_MODIFIED
            }
            Wanted::Part(range) => {
                let (first, last) = (range.start, range.end.saturating_sub(1));
                says(&mut head, &format!("bytes {first}-{last}/{length}"));
                *response.body_mut() = self.body.slice(range);
                StatusCode::PARTIAL_CONTENT
            }
            Wanted::Beyond => {
                says(&mut head, &format!("bytes */{length}"));
                StatusCode::RANGE_NOT_SATISFIABLE
            }
        };
        *response.headers_mut() = head;
        *response.status_mut() = status;
        response
    }
}

fn says(head: &mut HeaderMap, range: &str) {
    if let Ok(value) = HeaderValue::from_str(range) {
        head.insert(CONTENT_RANGE, value);
    }
}

/// What is kept of a head. Copied: a value that was received keeps all that was received with it.
fn own(head: &HeaderMap) -> HeaderMap {
    let kept = head.iter().filter(|(name, _)| !matches!(**name, AGE | CONTENT_LENGTH));
    let copied = kept
        .filter_map(|(name, value)| Some((name.clone(), HeaderValue::from_bytes(value.as_bytes()).ok()?)));
    let mut own = HeaderMap::new();
    for (name, value) in copied {
        own.append(name, value);
    }
    own
}

/// The headers of a request by nobody in particular for all of it, where `stale` did not change.
pub(super) fn unconditional(asked: &HeaderMap, stale: Option<&Stored>) -> HeaderMap {
    use http::header::{COOKIE, IF_MATCH, IF_MODIFIED_SINCE, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
    let mut headers = asked.clone();
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE, COOKIE] {
        headers.remove(name);
    }
    if let Some(tag) = stale.and_then(Stored::tag) {
        headers.insert(IF_NONE_MATCH, tag.clone());
    }
    headers
}

#[cfg(test)]
pub(super) mod tests {
    use http::header::{ACCEPT, CACHE_CONTROL, IF_RANGE, RANGE, VARY};

    use super::{super::memory::Memory, *};

    pub(crate) fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    /// What `owner` said to a request with `asked` at `now`.
    pub(crate) fn stored(
        memory: &Arc<Memory>,
        owner: &str,
        body: &[u8],
        head: &[(HeaderName, &str)],
        asked: (&HeaderMap, Instant),
    ) -> Option<Arc<Stored>> {
        let head = headers(head);
        let terms = terms(StatusCode::OK, &head, true)?;
        let cost = memory.take(weight(&head, body.len() as u64, 10))?;
        Stored::new(&head, body.to_vec(), cost, owner.into(), terms, asked).map(Arc::new)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_says_how_old_it_is_and_what_is_asked_of_it() {
        let (memory, now) = (Memory::new(1 << 20), Instant::now());
        let head = [
            (CACHE_CONTROL, "public, max-age=9"),
            (AGE, "2"),
            (ETAG, "\"x\""),
            (CONTENT_TYPE, "image/png"),
            (CONTENT_LENGTH, "10"),
        ];
        let one = stored(&memory, "a", b"0123456789", &head, (&HeaderMap::new(), now)).unwrap();
        let then = now + 3 * SECOND + SECOND / 2;
        assert_eq!((one.age(then), one.left(then)), (5 * SECOND + SECOND / 2, 3 * SECOND + SECOND / 2));
        assert_eq!(one.left(now + 9 * SECOND), Duration::ZERO);
        let get = |asked: &[(HeaderName, &str)]| {
            let response = one.respond(&Method::GET, &headers(asked), then);
            assert_eq!(response.headers()[AGE], "5");
            assert_eq!(response.headers()[ETAG], "\"x\"");
            response
        };
        let whole = get(&[]);
        assert_eq!((whole.status().as_u16(), &whole.body()[..]), (200, &b"0123456789"[..]));
        let same = get(&[(IF_NONE_MATCH, "\"x\"")]);
        assert_eq!((same.status().as_u16(), same.body().len()), (304, 0));
        assert!(!same.headers().contains_key(CONTENT_TYPE) && same.headers().contains_key(CACHE_CONTROL));
        let part = get(&[(RANGE, "bytes=2-4")]);
        assert_eq!((part.status().as_u16(), &part.body()[..]), (206, &b"234"[..]));
        assert_eq!(part.headers()[CONTENT_RANGE], "bytes 2-4/10");
        assert_eq!(get(&[(RANGE, "bytes=2-4"), (IF_RANGE, "\"y\"")]).status(), 200);
        let beyond = get(&[(RANGE, "bytes=10-")]);
        assert_eq!((beyond.status().as_u16(), beyond.body().len()), (416, 0));
        assert_eq!(beyond.headers()[CONTENT_RANGE], "bytes */10");
    }

    #[test]
    fn what_did_not_change_is_as_new_as_its_owner_says() {
        let (memory, now) = (Memory::new(1 << 20), Instant::now());
        let head = [(CACHE_CONTROL, "public, max-age=1"), (ETAG, "\"x\""), (CONTENT_TYPE, "image/png")];
        let one = stored(&memory, "a", b"body", &head, (&HeaderMap::new(), now)).unwrap();
        let said = headers(&[(CACHE_CONTROL, "public, max-age=5"), (CONTENT_TYPE, "text/plain")]);
        let used = memory.used();
        let again = one.freshened(&said, true, now + 4 * SECOND).unwrap();
        let no_more = headers(&[(CACHE_CONTROL, "no-store")]);
        assert!(one.freshened(&no_more, true, now).is_none());
        let kept = one.freshened(&HeaderMap::new(), true, now + 4 * SECOND).unwrap();
        assert_eq!(kept.left(now + 4 * SECOND), SECOND);
        drop(kept);
        assert_eq!(again.left(now + 4 * SECOND), 5 * SECOND);
        let response = again.respond(&Method::GET, &HeaderMap::new(), now + 4 * SECOND);
        assert_eq!(response.headers()[CONTENT_TYPE], "image/png");
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=5");
        assert_eq!(
            (&response.body()[..], memory.used()),
            (&b"body"[..], used),
            "the bytes are the same ones"
        );
        drop((one, again));
        assert_eq!(memory.used(), used, "somebody is still sent them");
        drop(response);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn it_answers_only_those_who_said_the_same() {
        let (memory, now) = (Memory::new(1 << 20), Instant::now());
        let png = headers(&[(ACCEPT, "image/png")]);
        let head = [(CACHE_CONTROL, "max-age=1"), (VARY, "Accept")];
        let one = stored(&memory, "a", b"png", &head, (&png, now)).unwrap();
        assert!(one.answers(&png, true) && !one.answers(&HeaderMap::new(), true));
        assert!(!one.answers(&png, false), "it was not said to be for everybody");
    }
}
