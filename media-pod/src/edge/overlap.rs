//! Owners that were succeeded as planned and give content until their successors do. Pure.

use std::{collections::HashMap, sync::Arc};

use millrace_fencing::{Epoch, FeedUid, Holder, directory::LinkId};

/// Who had a path before, and is still watched there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Former {
    pub feed: FeedUid,
    pub holder: Holder,
    pub epoch: Epoch,
    pub link: LinkId,
}

/// By path.
#[derive(Debug, Default)]
pub(super) struct Overlaps(HashMap<Arc<str>, Former>);

impl Overlaps {
    /// `path` has another owner; viewers stay with `former` until that one gives something. Where they are with one
    /// that came even before, they stay there.
    pub fn begin(&mut self, path: Arc<str>, former: Former) {
        self.0.entry(path).or_insert(former);
    }

    /// Whether viewers of `path` may be given content of this epoch that came over `link`.
    pub fn allows(&self, path: &str, link: LinkId, epoch: Epoch) -> bool {
        self.0.get(path).is_some_and(|former| former.link == link && former.epoch == epoch)
    }

    /// Who had `path` before, where that one still counts.
    pub fn former(&self, path: &str) -> Option<&Former> {
        self.0.get(path)
    }

    /// It is over for `path`. Whether there was one.
    pub fn end(&mut self, path: &str) -> bool {
        self.0.remove(path).is_some()
    }

    /// It is over for what came over `link`. The paths.
    pub fn lost(&mut self, link: LinkId) -> Vec<Arc<str>> {
        self.end_where(|former| former.link == link)
    }

    /// It is over for older owners of `feed` than that of `epoch`. The paths.
    pub fn fenced(&mut self, feed: &FeedUid, epoch: Epoch) -> Vec<Arc<str>> {
        self.end_where(|former| former.feed == *feed && former.epoch < epoch)
    }

    /// The oldest owner of `feed` whom viewers are still with.
    pub fn of_feed(&self, feed: &FeedUid) -> Option<&Former> {
        self.0.values().filter(|former| former.feed == *feed).min_by_key(|former| former.epoch)
    }

    fn end_where(&mut self, over: impl Fn(&Former) -> bool) -> Vec<Arc<str>> {
        let paths: Vec<Arc<str>> =
            self.0.iter().filter(|(_, former)| over(former)).map(|(path, _)| path.clone()).collect();
        for path in &paths {
            self.0.remove(path);
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn former(feed: &str, epoch: u64, link: u64) -> Former {
        Former {
            feed: feed.parse().unwrap(),
            holder: format!("pod-{link}_boot").parse().unwrap(),
            epoch: Epoch::new(epoch).unwrap(),
            link: LinkId(link),
        }
    }

    #[test]
    fn only_the_former_owner_itself_may_go_on_and_only_where_it_was() {
        let mut overlaps = Overlaps::default();
        overlaps.begin("/a".into(), former("f", 3, 1));
        let at = |path: &str, link: u64, epoch: u64| {
            overlaps.allows(path, LinkId(link), Epoch::new(epoch).unwrap())
        };
        assert!(at("/a", 1, 3));
        assert!(!at("/a", 2, 3) && !at("/a", 1, 2) && !at("/b", 1, 3));
    }

    #[test]
    fn who_is_succeeded_twice_is_left_only_for_one_who_gives_something() {
        let mut overlaps = Overlaps::default();
        overlaps.begin("/a".into(), former("f", 3, 1));
        overlaps.begin("/a".into(), former("f", 4, 2));
        assert_eq!(overlaps.former("/a"), Some(&former("f", 3, 1)));
        assert!(overlaps.end("/a"));
        assert!(!overlaps.end("/a"));
    }

    #[test]
    fn a_fence_and_a_lost_link_end_it_for_whom_they_concern() {
        let mut overlaps = Overlaps::default();
        overlaps.begin("/a".into(), former("f", 3, 1));
        overlaps.begin("/b".into(), former("g", 3, 1));
        overlaps.begin("/c".into(), former("f", 5, 2));
        assert_eq!(overlaps.of_feed(&"f".parse().unwrap()).map(|it| it.epoch.get()), Some(3));
        assert_eq!(overlaps.fenced(&"f".parse().unwrap(), Epoch::new(5).unwrap()), ["/a".into()]);
        assert_eq!(overlaps.lost(LinkId(2)), ["/c".into()]);
        assert!(overlaps.former("/b").is_some() && overlaps.former("/c").is_none());
    }
}
