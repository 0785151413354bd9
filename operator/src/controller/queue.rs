//! Which Cluster is to be looked at, and when.
//!
//! A change is not looked at at once but [`SHORTEST`] after the first of a burst; where looking takes longer than
//! that, changes gather for as long as it took last time. What failed is tried again after a while, longer each time.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{self, Instant},
};

/// The least time in which changes gather.
pub const SHORTEST: Duration = Duration::from_millis(50);
/// The longest.
const LONGEST: Duration = Duration::from_secs(1);
/// A change while something failing waits does not bring it forward by more than to this long after its last start.
const FAILING: Duration = Duration::from_secs(1);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_mins(1);

/// What is to be looked at.
#[derive(Debug)]
pub struct Queue<K> {
    inner: Mutex<Inner<K>>,
    wake: Notify,
}

#[derive(Debug)]
struct Inner<K> {
    entries: HashMap<K, Entry>,
    due: BTreeSet<(Instant, K)>,
}

#[derive(Debug, Default)]
struct Entry {
    due: Option<Instant>,
    /// The first change that was not looked at.
    changed: Option<Instant>,
    running: bool,
    failures: u32,
    started: Option<Instant>,
    took: Duration,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well; to be looked at again after this time, though nothing changes.
    Done(Option<Duration>),
    /// It may pass: to be tried again.
    Failed,
    /// Nothing is left: forgotten until something changes.
    Gone,
}

/// Something to look at.
#[derive(Debug)]
pub struct Job<K> {
    /// What.
    pub key: K,
    /// How long the oldest change has waited, if there was one.
    pub waited: Option<Duration>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        let inner = Inner { entries: HashMap::new(), due: BTreeSet::new() };
        Self { inner: Mutex::new(inner), wake: Notify::new() }
    }
}

impl<K: Clone + Ord + Hash> Queue<K> {
    /// Something has changed.
    pub fn touch(&self, key: &K) {
        let now = Instant::now();
        let mut inner = self.lock();
        let entry = inner.entries.entry(key.clone()).or_default();
        entry.changed.get_or_insert(now);
        let mut due = now + entry.took.clamp(SHORTEST, LONGEST);
        if let Some(started) = entry.started.filter(|_| entry.failures > 0) {
            due = due.max(started + FAILING);
        }
        inner.bring_forward(key, due);
        drop(inner);
        self.wake.notify_one();
    }

    /// The next thing to look at, when it is due. Until [`done`](Self::done) is told, it is not given out again.
    pub async fn next(&self) -> Job<K> {
        loop {
            let due = {
                let mut inner = self.lock();
                match inner.due.first().map(|(due, _)| *due) {
                    Some(due) if due <= Instant::now() => match inner.start() {
                        Some(job) => return job,
                        None => continue,
                    },
                    due => due,
                }
            };
            match due {
                Some(due) => drop(time::timeout_at(due, self.wake.notified()).await),
                None => self.wake.notified().await,
            }
        }
    }

    /// It was looked at.
    pub fn done(&self, key: &K, outcome: Outcome) {
        let now = Instant::now();
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(key) else { return };
        entry.running = false;
        entry.took = entry.started.map(|started| now - started).unwrap_or_default();
        let pending = entry.due;
        match outcome {
            Outcome::Gone if pending.is_none() => drop(inner.entries.remove(key)),
            Outcome::Gone => inner.schedule(key, pending),
            Outcome::Done(again) => {
                entry.failures = 0;
                let again = again.map(|again| now + again);
                let due = [again, pending].into_iter().flatten().min();
                inner.schedule(key, due);
            }
            Outcome::Failed => {
                entry.failures += 1;
                let wait = retry_after(entry.failures);
                let earliest = entry.started.map(|started| started + FAILING);
                let pending = pending.map(|due| earliest.map_or(due, |earliest| due.max(earliest)));
                inner.schedule(key, Some(pending.map_or(now + wait, |pending| pending.min(now + wait))));
            }
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// How many wait.
    pub fn depth(&self) -> usize {
        self.lock().entries.values().filter(|entry| entry.changed.is_some() && !entry.running).count()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Ord + Hash> Inner<K> {
    fn start(&mut self) -> Option<Job<K>> {
        let (_, key) = self.due.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        let now = Instant::now();
        entry.due = None;
        entry.running = true;
        entry.started = Some(now);
        let waited = entry.changed.take().map(|changed| now - changed);
        Some(Job { key, waited })
    }

    fn bring_forward(&mut self, key: &K, due: Instant) {
        let now_due = self.entries.get(key).and_then(|entry| entry.due);
        if now_due.is_none_or(|old| due < old) {
            self.schedule(key, Some(due));
        }
    }

    /// While it runs, its time is only noted.
    fn schedule(&mut self, key: &K, due: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(old) = entry.due {
            self.due.remove(&(old, key.clone()));
        }
        entry.due = due;
        if let Some(due) = due.filter(|_| !entry.running) {
            self.due.insert((due, key.clone()));
        }
    }
}

fn retry_after(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_RETRY.saturating_mul(factor).min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    async fn next(queue: &Queue<&'static str>, within: Duration) -> Option<&'static str> {
        time::timeout(within, queue.next()).await.ok().map(|job| job.key)
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_changes_is_looked_at_once_and_soon() {
        let queue = Queue::default();
        for _ in 0..100 {
            queue.touch(&"a");
            time::advance(Duration::from_micros(400)).await;
        }
        let job = queue.next().await;
        assert_eq!((job.key, job.waited.map(|it| it.as_millis() / 10)), ("a", Some(5)));
        queue.done(&"a", Outcome::Done(None));
        assert_eq!(next(&queue, Duration::from_hours(1)).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn endless_changes_do_not_put_it_off() {
        let queue = Queue::default();
        let begun = Instant::now();
        let mut looked = 0;
        while begun.elapsed() < Duration::from_secs(1) {
            queue.touch(&"a");
            if next(&queue, Duration::from_millis(10)).await.is_some() {
                looked += 1;
                queue.done(&"a", Outcome::Done(None));
            }
        }
        assert!((10..=20).contains(&looked), "{looked}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_runs_is_not_given_out_again_and_what_changed_meanwhile_is_not_lost() {
        let queue = Queue::default();
        queue.touch(&"a");
        queue.next().await;
        queue.touch(&"a");
        assert_eq!(next(&queue, Duration::from_secs(10)).await, None);
        queue.done(&"a", Outcome::Done(None));
        assert_eq!(next(&queue, SOON).await, Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn where_looking_takes_long_changes_gather_as_long() {
        let queue = Queue::default();
        queue.touch(&"a");
        queue.next().await;
        time::advance(Duration::from_millis(300)).await;
        queue.done(&"a", Outcome::Done(None));
        queue.touch(&"a");
        assert_eq!(next(&queue, Duration::from_millis(290)).await, None);
        assert_eq!(next(&queue, Duration::from_millis(20)).await, Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_after_longer_and_longer_times() {
        let queue = Queue::default();
        queue.touch(&"a");
        let mut waits = Vec::new();
        for _ in 0..12 {
            let begun = Instant::now();
            queue.next().await;
            waits.push(begun.elapsed().as_millis());
            queue.done(&"a", Outcome::Failed);
        }
        assert_eq!(&waits[1..4], [200, 400, 800]);
        assert_eq!(waits[11], 60_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_brings_a_failing_one_forward_but_not_without_end() {
        let queue = Queue::default();
        queue.touch(&"a");
        for _ in 0..10 {
            queue.next().await;
            queue.done(&"a", Outcome::Failed);
        }
        let begun = Instant::now();
        queue.touch(&"a");
        queue.next().await;
        assert_eq!(begun.elapsed().as_millis(), 1000);
        queue.touch(&"a");
        queue.done(&"a", Outcome::Failed);
        let begun = Instant::now();
        queue.next().await;
        assert_eq!(begun.elapsed().as_millis(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn again_is_kept_and_a_change_comes_before_it() {
        let queue = Queue::default();
        queue.touch(&"a");
        queue.next().await;
        queue.done(&"a", Outcome::Done(Some(Duration::from_secs(30))));
        let begun = Instant::now();
        queue.next().await;
        assert_eq!(begun.elapsed().as_secs(), 30);
        queue.done(&"a", Outcome::Done(Some(Duration::from_secs(30))));
        queue.touch(&"a");
        assert_eq!(next(&queue, Duration::from_millis(60)).await, Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_is_forgotten_unless_something_changed_meanwhile() {
        let queue = Queue::default();
        queue.touch(&"a");
        queue.next().await;
        queue.done(&"a", Outcome::Gone);
        assert!(queue.lock().entries.is_empty());
        queue.touch(&"a");
        queue.next().await;
        queue.touch(&"a");
        queue.done(&"a", Outcome::Gone);
        assert_eq!(next(&queue, Duration::from_millis(60)).await, Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_does_not_wait_for_another() {
        let queue = Queue::default();
        queue.touch(&"a");
        queue.touch(&"b");
        assert_eq!(next(&queue, Duration::from_millis(60)).await, Some("a"));
        assert_eq!(next(&queue, SOON).await, Some("b"));
        queue.touch(&"c");
        assert_eq!(next(&queue, Duration::from_millis(60)).await, Some("c"));
    }
}
