//! What is kept, by key, and what leaves when there is no more room. Without a clock of its own.
//!
//! Who leaves is for `quick_cache` to say: it weighs in bytes, a scan of things asked for once does not drive out what is
//! asked for often, it takes another capacity while it runs, and has neither threads nor work put off until later.

use std::{
    hash::RandomState,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName};
use quick_cache::{
    Weighter,
    unsync::{Cache, DefaultLifecycle},
};

use super::{
    key::{Key, values},
    memory::{Held, Memory},
    stored::{BESIDE, Stored},
};

/// What is not to be shared is not waited for by others for this long: it is asked for by each alone.
const ALONE: Duration = Duration::from_secs(5);
/// About the size of what is kept, for tables.
const TYPICAL: u64 = 64 << 10;

/// Kept by a key.
enum Item {
    Answer(Arc<Stored>),
    /// There are several, by these headers of the request; their keys have this number.
    Several {
        number: u64,
        names: Vec<HeaderName>,
        held: Held,
    },
    /// Each is to ask alone.
    Alone {
        until: Instant,
        held: Held,
    },
}

struct ByBytes;

impl Weighter<Key, Item> for ByBytes {
    fn weight(&self, _: &Key, item: &Item) -> u64 {
        match item {
            Item::Answer(stored) => stored.weight,
            Item::Several { held, .. } | Item::Alone { held, .. } => held.bytes(),
        }
    }
}

/// What is found for a request.
#[derive(Debug)]
pub(super) enum Found {
    Fresh(Arc<Stored>),
    /// It was right once: its owner may say that it still is.
    Stale(Arc<Stored>),
    Nothing {
        /// But there is something for those who say something else in their headers.
        other: bool,
    },
    /// It is not to be shared.
    Alone,
}

type Kept = Cache<Key, Item, ByBytes, RandomState, DefaultLifecycle<Key, Item>>;

/// See the module.
pub(super) struct Store {
    kept: Kept,
    memory: Arc<Memory>,
    numbers: u64,
    evicted: u64,
}

impl Store {
    pub fn new(memory: Arc<Memory>) -> Self {
        Self { kept: empty(memory.limit()), memory, numbers: 0, evicted: 0 }
    }

    /// There may be so many bytes from now on.
    pub fn set_limit(&mut self, limit: u64) {
        let before = self.kept.len();
        self.memory.set_limit(limit);
        if limit == 0 || self.kept.capacity() == 0 {
            self.kept = empty(limit);
        } else {
            self.kept.set_capacity(Memory::kept(limit));
        }
        self.evicted += before.saturating_sub(self.kept.len()) as u64;
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// How many had to leave for others.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// What there is for a request for `key` with the headers `asked`, while the stream is with `owner`; and the key by which
    /// its answer is known so far.
    pub fn look(&mut self, key: &Key, asked: &HeaderMap, owner: &str, now: Instant) -> (Key, Found) {
        let found = self.at(key, owner, now);
        let Some(Item::Several { number, names, .. }) = self.kept.get(key) else {
            return (key.clone(), found);
        };
        let Some(values) = values(names, asked) else { return (key.clone(), Found::Alone) };
        let key = key.variant(*number, &values);
        match self.at(&key, owner, now) {
            Found::Nothing { .. } => (key, Found::Nothing { other: true }),
            found => (key, found),
        }
    }

    fn at(&mut self, key: &Key, owner: &str, now: Instant) -> Found {
        let nothing = Found::Nothing { other: false };
        match self.kept.get(key) {
            Some(Item::Answer(stored)) if *stored.owner != *owner => {
                // Of an owner that is no more.
                self.kept.remove(key);
                nothing
            }
            Some(Item::Answer(stored)) if stored.left(now).is_zero() => Found::Stale(stored.clone()),
            Some(Item::Answer(stored)) => Found::Fresh(stored.clone()),
            Some(Item::Alone { until, .. }) if *until > now => Found::Alone,
            Some(Item::Several { .. } | Item::Alone { .. }) | None => nothing,
        }
    }

    /// Keeps an answer to a request for `key`.
    pub fn keep(&mut self, key: &Key, stored: Arc<Stored>) {
        let names = &stored.terms.vary;
        if names.is_empty() {
            return self.insert(key.clone(), Item::Answer(stored));
        }
        let number = match self.kept.get(key) {
            Some(Item::Several { number, names: known, .. }) if known == names => *number,
            _ => {
                let Some(held) = self.small(key) else { return };
                self.numbers += 1;
                let number = self.numbers;
                self.insert(key.clone(), Item::Several { number, names: names.clone(), held });
                number
            }
        };
        self.insert(key.variant(number, stored.variant()), Item::Answer(stored));
    }

    /// Remembers that what `key` names is not to be shared.
    pub fn alone(&mut self, key: &Key, now: Instant) {
        if let Some(held) = self.small(key) {
            self.insert(key.clone(), Item::Alone { until: now + ALONE, held });
        }
    }

    /// Nothing is known of `key` any more.
    pub fn forget(&mut self, key: &Key) {
        self.kept.remove(key);
    }

    fn small(&self, key: &Key) -> Option<Held> {
        self.memory.take(BESIDE + key.len() as u64)
    }

    fn insert(&mut self, key: Key, item: Item) {
        let before = self.kept.len() + usize::from(!self.kept.contains_key(&key));
        self.kept.insert(key, item);
        self.evicted += before.saturating_sub(self.kept.len()) as u64;
    }
}

fn empty(limit: u64) -> Kept {
    let bytes = Memory::kept(limit);
    let about = usize::try_from(bytes / TYPICAL).unwrap_or(usize::MAX).clamp(16, 1 << 14);
    Cache::with(about, bytes, ByBytes, RandomState::new(), DefaultLifecycle::default())
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CACHE_CONTROL, VARY};
    use proptest::prelude::*;

    use super::{
        super::stored::tests::{headers, stored},
        *,
    };

    const PUBLIC: (HeaderName, &str) = (CACHE_CONTROL, "public, max-age=2");

    struct Bench {
        memory: Arc<Memory>,
        store: Store,
        now: Instant,
    }

    impl Bench {
        fn new(limit: u64) -> Self {
            let memory = Memory::new(limit);
            Self { store: Store::new(memory.clone()), memory, now: Instant::now() }
        }

        /// False where there was no room.
        fn keep(&mut self, path: &str, owner: &str, size: usize) -> bool {
            let made = stored(&self.memory, owner, &vec![7; size], &[PUBLIC], (&HeaderMap::new(), self.now));
            made.is_some_and(|stored| {
                self.store.keep(&Key::new(path, None), stored);
                true
            })
        }

        fn look(&mut self, path: &str, owner: &str, after: u64) -> Found {
            let now = self.now + Duration::from_secs(after);
            self.store.look(&Key::new(path, None), &HeaderMap::new(), owner, now).1
        }
    }

    #[test]
    fn what_is_kept_is_fresh_then_stale_and_nothing_to_another_owner() {
        let mut bench = Bench::new(1 << 20);
        assert!(matches!(bench.look("/a", "one", 0), Found::Nothing { other: false }));
        assert!(bench.keep("/a", "one", 100));
        assert!(matches!(bench.look("/a", "one", 1), Found::Fresh(_)));
        assert!(matches!(bench.look("/a", "one", 2), Found::Stale(_)));
        assert!(matches!(bench.look("/b", "one", 0), Found::Nothing { .. }));
        assert!(matches!(bench.look("/a", "two", 0), Found::Nothing { .. }));
        assert!(matches!(bench.look("/a", "one", 0), Found::Nothing { .. }), "it is gone for good");
        assert_eq!((bench.memory.used(), bench.store.evicted()), (0, 0));
    }

    #[test]
    fn what_depends_on_a_header_is_kept_once_for_each_that_is_said() {
        let mut bench = Bench::new(1 << 20);
        let key = Key::new("/a", None);
        let mut found = |asked: &HeaderMap, keep: bool| {
            if keep {
                let head = [PUBLIC, (VARY, "Accept")];
                let body = asked[ACCEPT].as_bytes();
                let new = stored(&bench.memory, "one", body, &head, (asked, bench.now)).unwrap();
                bench.store.keep(&key, new);
            }
            match bench.store.look(&key, asked, "one", bench.now) {
                (_, Found::Fresh(stored)) => {
                    let all = stored.respond(&http::Method::GET, asked, bench.now);
                    String::from_utf8(all.into_body().to_vec()).unwrap()
                }
                (_, Found::Nothing { other }) => format!("nothing, other {other}"),
                (_, other) => format!("{other:?}"),
            }
        };
        let (png, jpeg) = (headers(&[(ACCEPT, "image/png")]), headers(&[(ACCEPT, "image/jpeg")]));
        assert_eq!(found(&png, false), "nothing, other false");
        assert_eq!(found(&png, true), "image/png");
        assert_eq!(found(&jpeg, false), "nothing, other true");
        assert_eq!(found(&jpeg, true), "image/jpeg");
        assert_eq!(found(&png, false), "image/png");
        bench.store.forget(&key);
        assert!(matches!(bench.store.look(&key, &png, "one", bench.now).1, Found::Nothing { other: false }));
        let new = stored(&bench.memory, "one", b"new", &[PUBLIC, (VARY, "Accept")], (&jpeg, bench.now));
        bench.store.keep(&key, new.unwrap());
        let old = bench.store.look(&key, &png, "one", bench.now).1;
        assert!(matches!(old, Found::Nothing { other: true }), "what was forgotten does not come back");
    }

    #[test]
    fn what_is_not_to_be_shared_is_asked_for_alone_for_a_while() {
        let mut bench = Bench::new(1 << 20);
        bench.store.alone(&Key::new("/a", None), bench.now);
        assert!(matches!(bench.look("/a", "one", 4), Found::Alone));
        assert!(matches!(bench.look("/a", "one", 5), Found::Nothing { .. }));
        assert!(bench.keep("/a", "one", 9));
        assert!(matches!(bench.look("/a", "one", 0), Found::Fresh(_)));
    }

    #[test]
    fn a_smaller_limit_holds_at_once_and_none_is_the_end_of_all() {
        let mut bench = Bench::new(1 << 20);
        for n in 0..50 {
            assert!(bench.keep(&format!("/{n}"), "one", 10_000));
        }
        assert_eq!((bench.store.len(), bench.store.evicted()), (50, 0));
        bench.store.set_limit(200_000);
        assert!(bench.memory.used() <= 150_000 && bench.store.len() < 15, "{}", bench.memory.used());
        assert_eq!(bench.store.len() as u64 + bench.store.evicted(), 50);
        bench.store.set_limit(0);
        assert_eq!((bench.store.len(), bench.memory.used(), bench.keep("/x", "one", 1)), (0, 0, false));
        bench.store.set_limit(1 << 20);
        assert!(bench.keep("/x", "one", 10_000));
        assert!(matches!(bench.look("/x", "one", 0), Found::Fresh(_)));
    }

    #[test]
    fn what_is_asked_for_again_and_again_outlasts_what_is_asked_for_once() {
        let mut bench = Bench::new(1 << 20);
        assert!(bench.keep("/hot", "one", 10_000));
        for n in 0..1000 {
            assert!(matches!(bench.look("/hot", "one", 0), Found::Fresh(_)), "after {n}");
            bench.keep(&format!("/{n}"), "one", 10_000);
        }
        assert!(bench.store.evicted() > 900);
    }

    proptest! {
        #[test]
        fn no_order_of_events_uses_more_than_there_is(
            events in proptest::collection::vec((0_u8..5, 0_usize..40, 1_usize..20_000), 1..300),
        ) {
            let mut bench = Bench::new(100_000);
            let mut being_sent = Vec::new();
            for (what, n, size) in events {
                let path = format!("/{n}");
                match what {
                    0 => bench.store.alone(&Key::new(&path, None), bench.now),
                    1 => being_sent.truncate(n),
                    2 => {
                        if let Found::Fresh(stored) = bench.look(&path, "one", 0) {
                            being_sent.push(stored.respond(&http::Method::GET, &HeaderMap::new(), bench.now));
                        }
                    }
                    _ => {
                        let one_has_room = bench.keep(&path, "one", size);
                        prop_assert!(!one_has_room || size < 100_000 / 8);
                    }
                }
                prop_assert!(bench.memory.used() <= 100_000);
                prop_assert!(bench.store.kept.weight() <= 75_000);
            }
            being_sent.clear();
            prop_assert_eq!(bench.memory.used(), bench.store.kept.weight(), "what is not kept is not counted");
        }
    }
}
