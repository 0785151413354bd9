//! What the operator says of which every word counts: taken at once, so that connections never wait, and kept until somebody
//! can make use of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use millrace_report::{
    client::Word,
    message::{Fence, Vouched},
};
use tokio::sync::{Notify, mpsc};

/// See the module: of fences the newest of each feed, of vouchers the newest.
#[derive(Debug, Default)]
pub(super) struct Words {
    kept: Mutex<Kept>,
    news: Notify,
}

/// What came since it was asked for last.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By the feed's UID.
    pub fences: BTreeMap<String, Fence>,
    pub vouched: Option<Vouched>,
}

impl Words {
    /// Takes `words` as they come, until there are no more.
    pub async fn keep(self: Arc<Self>, mut words: mpsc::Receiver<Word>) {
        while let Some(word) = words.recv().await {
            self.put(word);
        }
    }

    fn put(&self, word: Word) {
        let mut kept = self.lock();
        match word {
            Word::Fences(fences) => {
                kept.fences.extend(fences.into_iter().map(|fence| (fence.feed.clone(), fence)));
            }
            // By the clock of this media pod; answers of two replicas may come in any order.
            Word::Vouched(vouched) => {
                if kept.vouched.as_ref().is_none_or(|before| before.sent <= vouched.sent) {
                    kept.vouched = Some(vouched);
                }
            }
        }
        drop(kept);
        self.news.notify_one();
    }

    /// What came, as soon as there is anything. Cancel safe.
    pub async fn next(&self) -> Kept {
        loop {
            let news = self.news.notified();
            let kept = std::mem::take(&mut *self.lock());
            if !kept.fences.is_empty() || kept.vouched.is_some() {
                return kept;
            }
            news.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_feed_keeps_its_newest_fence_until_somebody_asks() {
        let words = Words::default();
        let fence = |feed: &str, grant: &str| Fence { feed: feed.into(), grant: grant.into(), frames: true };
        words.put(Word::Fences(vec![fence("a", "1"), fence("b", "1")]));
        words.put(Word::Fences(vec![fence("a", "2")]));
        words.put(Word::Vouched(Vouched { sent: 5, ..Vouched::default() }));
        words.put(Word::Vouched(Vouched { sent: 4, ..Vouched::default() }));
        let kept = words.next().await;
        let fences: Vec<_> = kept.fences.values().map(|fence| fence.feed.clone() + &fence.grant).collect();
        assert_eq!(fences, ["a2", "b1"]);
        assert_eq!(kept.vouched.unwrap().sent, 5);
        words.put(Word::Fences(vec![fence("c", "1")]));
        assert_eq!(words.next().await.fences.len(), 1);
    }
}
