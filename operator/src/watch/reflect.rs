//! Watches that fill shelves.

use std::{pin::pin, sync::Arc};

use futures_util::StreamExt as _;
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Config, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::{
    guarded::{Belongs, Guarded, Watched},
    health::{Health, Trouble, sentence},
    patience::Patience,
    shelf::{Scope, Shelf},
    stores::Touch,
};

/// Keeps a shelf as the API server has it in one scope, for ever.
pub async fn reflect<K: Watched>(
    client: Client,
    scope: Scope,
    shelf: Arc<Shelf<K>>,
    health: Arc<Health>,
    touch: Touch,
) {
    let api: Api<Guarded<K>> = match &scope {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let config = match K::BELONGS {
        Belongs::Label => Config::default().labels(super::MANAGED),
        Belongs::Itself | Belongs::Reference => Config::default(),
    };
    follow(api, config, resource::<K>(), &scope, &health, |event| {
        for cluster in shelf.take(&scope, event) {
            touch(cluster);
        }
    })
    .await;
}

/// Follows a watch for ever, and notes how it does.
pub async fn follow<K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static>(
    api: Api<K>,
    config: Config,
    resource: &'static str,
    scope: &Scope,
    health: &Health,
    mut take: impl FnMut(Event<K>),
) {
    let mut events = pin!(watcher(api, config).backoff(Patience::default()));
    while let Some(event) = events.next().await {
        match event {
            // A list begins before it is known whether there is anything to list.
            Ok(Event::Init) => take(Event::Init),
            Ok(event) => {
                if health.note(resource, scope, None) {
                    info!("{resource} can be watched again");
                }
                take(event);
            }
            Err(error) => tell(&error, resource, scope, health),
        }
    }
}

fn tell(error: &watcher::Error, resource: &'static str, scope: &Scope, health: &Health) {
    // Too old a version is no fault: the list begins anew.
    if matches!(error, watcher::Error::WatchError(status) if status.code == 410) {
        return;
    }
    let trouble = Trouble::of(error);
    if health.note(resource, scope, Some(trouble.clone())) {
        warn!("{}", sentence(resource, scope, &trouble));
    }
}

/// As in `kubectl api-resources`.
pub fn resource<K: Watched>() -> &'static str {
    K::RESOURCE
}
