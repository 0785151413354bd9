//! Whether a balancer has links to upstream Clusters, as far as that has settled. No I/O.
//!
//! A link that comes and goes, and a reason that changes with each try, would be written into the Cluster's status each
//! time. So what balancers say is looked at every [`LOOK`], and believed when it has been so for [`SETTLED`]; what is
//! heard of a link for the first time counts at once where it is good.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use millrace_report::upstream::{UpstreamLink, bounded};
use tokio::time::Instant;

use super::replace;

/// How often it is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// For how long something must have been so.
const SETTLED: Duration = Duration::from_secs(5);
/// How long a reason stays at least, once it was told.
const REASON: Duration = Duration::from_mins(1);

/// The links of a balancer of which it is known whether they are there, by the upstream's name.
pub type Links = BTreeMap<String, UpstreamLink>;

/// See the module: what one balancer says.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    links: BTreeMap<String, Link>,
    /// Nothing until it has said anything.
    settled: Option<Arc<Links>>,
}

#[derive(Debug)]
struct Link {
    said: UpstreamLink,
    /// Since when it is up, or away.
    since: Instant,
    settled: Option<(UpstreamLink, Instant)>,
}

impl Upstreams {
    /// It says so now; whether that is news.
    pub(super) fn said(&mut self, links: Links, now: Instant) -> bool {
        let mut before = std::mem::take(&mut self.links);
        for (name, said) in bounded(links) {
            let link = match before.remove(&name) {
                Some(link) if link.said.up == said.up => Link { said, ..link },
                Some(link) if link.settled.is_some() => Link { said, since: now, ..link },
                _ => {
                    let settled = said.up.then(|| (said.clone(), now));
                    Link { said, since: now, settled }
                }
            };
            self.links.insert(name, link);
        }
        self.sum_up()
    }

    /// Looks what has settled; whether that is news.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        for link in self.links.values_mut() {
            let news = match &link.settled {
                Some((settled, told)) if settled.up == link.said.up => {
                    *settled != link.said && now - *told >= REASON
                }
                _ => now - link.since >= SETTLED,
            };
            if news {
                link.settled = Some((link.said.clone(), now));
            }
        }
        self.settled.is_some() && self.sum_up()
    }

    /// What has settled.
    pub(super) fn settled(&self) -> Option<&Arc<Links>> {
        self.settled.as_ref()
    }

    fn sum_up(&mut self) -> bool {
        let settled = self.links.iter().filter_map(|(name, link)| {
            let (link, _) = link.settled.as_ref()?;
            Some((name.clone(), link.clone()))
        });
        replace(&mut self.settled, Some(Arc::new(settled.collect())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(link: UpstreamLink) -> Links {
        [("eu".to_owned(), link)].into()
    }

    fn away(why: &str) -> UpstreamLink {
        UpstreamLink::away(why)
    }

    fn eu(upstreams: &Upstreams) -> Option<UpstreamLink> {
        upstreams.settled()?.get("eu").cloned()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_link_counts_at_once_and_its_loss_when_it_has_lasted() {
        let (mut upstreams, start) = (Upstreams::default(), Instant::now());
        assert!(!upstreams.look(start) && upstreams.settled().is_none(), "it has said nothing");
        assert!(upstreams.said(said(away("it has not answered yet")), start), "that it says something");
        assert_eq!(eu(&upstreams), None, "it may be there in a moment");
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!upstreams.look(at(4)));
        assert!(upstreams.said(said(UpstreamLink::up()), at(5)));
        assert_eq!(eu(&upstreams), Some(UpstreamLink::up()), "at once");
        assert!(!upstreams.said(said(away("it closed the link")), at(10)));
        assert!(!upstreams.said(said(away("connection refused")), at(11)));
        assert!(!upstreams.look(at(14)), "it may come back");
        assert!(upstreams.look(at(15)));
        assert_eq!(eu(&upstreams), Some(away("connection refused")));
        assert!(!upstreams.said(said(away("no route")), at(20)) && !upstreams.look(at(74)));
        assert!(upstreams.look(at(75)), "another reason, for a minute");
        assert_eq!(eu(&upstreams), Some(away("no route")));
        assert!(!upstreams.said(said(UpstreamLink::up()), at(80)) && !upstreams.look(at(84)));
        assert!(upstreams.look(at(85)), "it is back, and stays");
        assert!(upstreams.said(Links::new(), at(86)), "the Cluster does not name it any more");
        assert_eq!(eu(&upstreams), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_comes_and_goes_is_no_news() {
        let (mut upstreams, start) = (Upstreams::default(), Instant::now());
        upstreams.said(said(UpstreamLink::up()), start);
        for second in 1..600 {
            let now = start + Duration::from_secs(second);
            let link = if second % 4 == 0 { UpstreamLink::up() } else { away(&format!("try {second}")) };
            assert!(!upstreams.said(said(link), now), "{second}");
            assert!(second % 5 != 0 || !upstreams.look(now), "{second}");
        }
    }

    proptest! {
        #[test]
        fn there_is_news_once_a_look_at_most_and_what_lasts_is_told(
            turns in proptest::collection::vec((0..4_u8, 0..3_u8, 1..9_u64), 1..200)
        ) {
            let (mut upstreams, start) = (Upstreams::default(), Instant::now());
            let (mut now, mut looked) = (start, start);
            upstreams.said(said(UpstreamLink::up()), now);
            let (mut news, mut looks, mut last) = (0, 0, UpstreamLink::up());
            for (kind, why, seconds) in turns {
                last = if kind == 0 { UpstreamLink::up() } else { away(&format!("reason {why}")) };
                news += u32::from(upstreams.said(said(last.clone()), now));
                for _ in 0..seconds {
                    now += Duration::from_secs(1);
                    if now - looked >= LOOK {
                        (looked, looks) = (now, looks + 1);
                        news += u32::from(upstreams.look(now));
                    }
                }
            }
            prop_assert!(news <= looks, "{} news at {} looks", news, looks);
            upstreams.look(now + SETTLED);
            prop_assert_eq!(eu(&upstreams).map(|link| link.up), Some(last.up));
            upstreams.look(now + SETTLED + REASON);
            prop_assert_eq!(eu(&upstreams), Some(last));
        }
    }
}
