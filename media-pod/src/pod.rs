//! The media pod: what runs, and how a new configuration becomes what runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use millrace_crds::resolved::Resolved;

use crate::{
    feed::{Feed, Order},
    plan::{Change, Plan},
    shop::{Feeds, Shop, Streams},
    specs::Specs,
    stream::Stream,
};

/// Streams by path.
pub type Routes = HashMap<String, Arc<Stream>>;

/// See the module.
pub struct Pod {
    shop: Arc<Shop>,
    /// The configuration that runs.
    resolved: ArcSwap<Resolved>,
    routes: ArcSwap<Routes>,
    specs: Mutex<Specs>,
}

impl Pod {
    /// Runs `resolved`.
    pub fn start(resolved: Resolved, shop: Arc<Shop>) -> Arc<Self> {
        let pod = Arc::new(Self {
            shop,
            resolved: ArcSwap::from_pointee(resolved.clone()),
            routes: ArcSwap::from_pointee(Routes::new()),
            specs: Mutex::new(Specs::default()),
        });
        pod.apply(resolved);
        pod
    }

    /// What is shared by all that runs.
    pub fn shop(&self) -> &Arc<Shop> {
        &self.shop
    }

    /// The configuration that runs.
    pub fn resolved(&self) -> Arc<Resolved> {
        self.resolved.load_full()
    }

    /// The stream at `path`.
    pub fn stream_at(&self, path: &str) -> Option<Arc<Stream>> {
        self.routes.load().get(path).cloned()
    }

    /// Runs `resolved` from now on. Says what that changed; all else is not disturbed.
    pub fn apply(&self, resolved: Resolved) -> Plan {
        let mut specs = self.specs.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Specs::of(&resolved, &self.shop.media);
        self.shop.runners.set_default(resolved.cluster.servers.transcoder_image.as_deref());
        let plan = Plan::between(&specs, &new);
        let old_streams = self.shop.streams.load_full();
        let old_feeds = self.shop.feeds.load_full();

        let streams = self.streams(&old_streams, &new, &plan);
        let feeds = self.feeds(&old_feeds, &new, &streams);
        self.shop.feeds.store(Arc::new(feeds));
        for (name, spec) in &new.streams {
            if let (Some(Change::Adjust), Some(stream)) = (plan.streams.get(name), streams.get(name)) {
                stream.change(spec.clone());
            }
        }
        let routes = streams.values().map(|stream| (stream.spec().path.clone(), stream.clone())).collect();
        self.shop.streams.store(Arc::new(streams));
        self.routes.store(Arc::new(routes));
        self.resolved.store(Arc::new(resolved));

        for (name, change) in &plan.streams {
            if matches!(change, Change::Remove | Change::Replace)
                && let Some(stream) = old_streams.get(name)
            {
                stream.retire();
            }
        }
        for (name, change) in &plan.feeds {
            if *change == Change::Remove
                && let Some(feed) = old_feeds.get(name)
            {
                feed.retire();
            }
        }
        *specs = new;
        plan
    }

    fn streams(&self, old: &Streams, new: &Specs, plan: &Plan) -> Streams {
        let kept = |name: &str, spec| {
            let stream = match (old.get(name), plan.streams.get(name)) {
                // Adjusted below, once the feeds that it may need are there.
                (Some(stream), None | Some(Change::Adjust)) => stream.clone(),
                _ => Stream::start(spec, &self.shop),
            };
            (name.to_owned(), stream)
        };
        new.streams.iter().map(|(name, spec)| kept(name, spec.clone())).collect()
    }

    fn feeds(&self, old: &Feeds, new: &Specs, streams: &Streams) -> Feeds {
        let mut tees: HashMap<&str, Vec<_>> = HashMap::new();
        for (name, spec) in &new.streams {
            if let (None, Some(feed), Some(stream)) = (&spec.command, spec.feeds.first(), streams.get(name)) {
                tees.entry(feed.as_str()).or_default().push(stream.channel.clone());
            }
        }
        let mut looked_after = |name: &String, spec: &Arc<_>| {
            let order =
                Order { spec: Arc::clone(spec), tees: tees.remove(name.as_str()).unwrap_or_default() };
            let feed = match old.get(name) {
                Some(feed) => {
                    feed.change(order);
                    feed.clone()
                }
                None => Feed::start(order, &self.shop),
            };
            (name.clone(), feed)
        };
        new.feeds.iter().map(|(name, spec)| looked_after(name, spec)).collect()
    }
}
