//! One link per peer, made when it is needed and made again when it is lost.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::link::Link;
use crate::CloseReason;

/// Makes a link to an address.
pub type Dial = dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Link>> + Send>> + Send + Sync;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No connection.
    #[error("{address}: {source}")]
    Dial {
        /// To which address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The handshake failed.
    #[error("{address}: {reason}")]
    Handshake {
        /// With which address.
        address: String,
        /// Why.
        reason: CloseReason,
    },
}

#[derive(Default)]
struct Slot {
    link: Option<Link>,
    backoff: Backoff,
    not_before: Option<Instant>,
}

/// Links by address. Who asks for the same address at the same time gets the same link.
#[derive(Clone)]
pub struct Pool {
    dial: Arc<Dial>,
    slots: Arc<SyncMutex<HashMap<String, Arc<Mutex<Slot>>>>>,
}

impl Pool {
    /// An empty pool.
    pub fn new<F>(dial: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Link>> + Send + 'static,
    {
        let dial = move |address| Box::pin(dial(address)) as Pin<Box<dyn Future<Output = _> + Send>>;
        Self { dial: Arc::new(dial), slots: Arc::default() }
    }

    fn slot(&self, address: &str) -> Arc<Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(address.to_owned()).or_default().clone()
    }

    /// The link to an address: the one that is there, or a new one, not sooner than its backoff allows. One try.
    pub async fn link(&self, address: &str) -> Result<Link, PoolError> {
        let slot = self.slot(address);
        let mut slot = slot.lock().await;
        if let Some(link) = slot.link.as_ref().filter(|link| link.close_reason().is_none()) {
            return Ok(link.clone());
        }
        slot.link = None;
        if let Some(time) = slot.not_before {
            tokio::time::sleep_until(time).await;
        }
        match self.try_dial(address).await {
            Ok(link) => {
                slot.backoff.succeeded();
                // A link that breaks at once is a failure, too.
                slot.not_before = Some(Instant::now() + Backoff::default().failed());
                slot.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                slot.not_before = Some(Instant::now() + slot.backoff.failed());
                Err(error)
            }
        }
    }

    async fn try_dial(&self, address: &str) -> Result<Link, PoolError> {
        let named = address.to_owned();
        let link = (self.dial)(named.clone())
            .await
            .map_err(|source| PoolError::Dial { address: named.clone(), source })?;
        match link.ready().await {
            Ok(_) => Ok(link),
            Err(reason) => Err(PoolError::Handshake { address: named, reason }),
        }
    }

    /// The link to an address, however many tries that takes.
    pub async fn link_at_last(&self, address: &str) -> Link {
        loop {
            match self.link(address).await {
                Ok(link) => return link,
                Err(error) => tracing::warn!(%error, "no link"),
            }
        }
    }

    /// Links that are up.
    pub fn links(&self) -> Vec<(String, Link)> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let up = |(address, slot): (&String, &Arc<Mutex<Slot>>)| {
            let slot = slot.try_lock().ok()?;
            let link = slot.link.clone().filter(|link| link.close_reason().is_none())?;
            Some((address.clone(), link))
        };
        slots.iter().filter_map(up).collect()
    }

    /// Lets go of an address: its link closes when nobody else uses it.
    pub fn forget(&self, address: &str) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }
}
