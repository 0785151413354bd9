//! Numbers of streams on links: one number is one stream for as long as this program runs, so that who comes again knows
//! whether it is still the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use millrace_http::Source;

/// See the module.
#[derive(Default)]
pub(super) struct Streams(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By where they are in memory.
    all: HashMap<usize, (Weak<dyn Source>, u64)>,
    last: u64,
    /// How many there may be before those that are no more are looked for.
    room: usize,
}

impl Streams {
    /// The number of `source`.
    pub fn id(&self, source: &Arc<dyn Source>) -> u64 {
        let place = Arc::as_ptr(source).cast::<()>().addr();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((there, id)) = known.all.get(&place)
            // Whatever is gone may have left its place to another.
            && there.strong_count() > 0
        {
            return *id;
        }
        if known.all.len() >= known.room {
            known.all.retain(|_, (there, _)| there.strong_count() > 0);
            known.room = known.all.len() * 2 + 64;
        }
        known.last += 1;
        let id = known.last;
        known.all.insert(place, (Arc::downgrade(source), id));
        id
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use millrace_bus::Join;
    use millrace_http::{Opened, Refusal};

    use super::*;

    struct Nothing(#[allow(dead_code, reason = "it takes room")] u64);

    impl Source for Nothing {
        fn open(self: Arc<Self>, _: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
            Box::pin(std::future::ready(Err(Refusal::unavailable("nothing", std::time::Duration::ZERO))))
        }
    }

    fn source() -> Arc<dyn Source> {
        Arc::new(Nothing(0))
    }

    #[test]
    fn a_stream_keeps_its_number_and_no_other_gets_it() {
        let streams = Streams::default();
        let (one, two) = (source(), source());
        let ids = [streams.id(&one), streams.id(&two), streams.id(&one.clone())];
        assert_eq!(ids, [1, 2, 1]);
        drop(one);
        let mut last = 2;
        for _ in 0..1000 {
            let id = streams.id(&source());
            assert!(id > last, "{id}");
            last = id;
        }
        assert_eq!(streams.id(&two), 2);
        assert!(streams.0.lock().unwrap().all.len() < 200);
    }
}
