//! A feed as another media pod of the Cluster gets it: its bytes as they are, from a random access point on.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::StatusCode;
use millrace_bus::Join;
use millrace_http::{Opened, Refusal};
use tokio::time;

use super::{Feed, Source};
use crate::{
    shop::Shop,
    stream::{alone, feed_hopeless},
};

/// Where feeds are for other media pods: behind this comes the feed's name.
pub const FEEDS: &str = "/.millrace/feeds/";
/// A feed that gives nothing for this long is not to be had.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often to look whether there is any hope.
const LOOK: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug)]
pub struct Relayed {
    feed: Arc<Feed>,
    shop: Arc<Shop>,
}

impl Relayed {
    /// The feed of that name, if this media pod runs it itself.
    pub fn of(name: &str, shop: &Arc<Shop>) -> Option<Self> {
        let feed = shop.feed(name)?;
        let own = !matches!(feed.spec().source, Source::Remote(_));
        own.then(|| Self { feed, shop: shop.clone() })
    }
}

impl millrace_http::Source for Relayed {
    fn open(self: Arc<Self>, _join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        Box::pin(async move {
            let hold = self.feed.demand.hold();
            let (name, channel) = (self.feed.spec().name.clone(), self.feed.channel.clone());
            let hopeless = async {
                let mut look = time::interval(LOOK);
                loop {
                    look.tick().await;
                    if let Some(refusal) = feed_hopeless(&self.shop, &name) {
                        return refusal;
                    }
                }
            };
            let joined = tokio::select! {
                biased;
                joined = alone(&channel) => joined,
                refusal = hopeless => return Err(refusal),
                () = time::sleep(PATIENCE) => return Err(Refusal {
                    status: StatusCode::GATEWAY_TIMEOUT,
                    reason: format!("feed {name} gave nothing for {} s", PATIENCE.as_secs()),
                    retry_after: None,
                }),
            };
            let content_type = joined
                .format()
                .flatten()
                .map_or_else(|| "application/octet-stream".into(), |format| format.content_type.clone());
            Ok(Opened { joined, content_type, flush: Duration::ZERO, hold: Box::new(hold) })
        })
    }
}
