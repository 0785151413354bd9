//! Who owns a feed, who may say so, and what is done when the owner is gone: rules without I/O and without a clock.
//!
//! The operator numbers the owners of a feed ([`Epoch`]) and signs who each is ([`Grant`]). Balancers keep a
//! [`Directory`] of who announced what and refuse what is older. A server pod keeps a [`Tenure`]: it serves as long as it
//! lives, and does what must be done by one alone only while somebody vouches for it. The operator's leader judges by
//! [`Liveness`] who is gone, and [`Failover`] says what is to be done, in an order that is safe wherever it breaks off.
//!
//! The rules, and why they hold, are in `docs/failover.md`; `tests/simulation` tries to break them.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod directory;
pub mod edges;
pub mod epoch;
pub mod failover;
pub mod grant;
pub mod id;
pub mod keys;
pub mod liveness;
pub mod settings;
pub mod tenure;
pub mod time;

pub use directory::Directory;
pub use epoch::Epoch;
pub use failover::Failover;
pub use grant::{Grant, GrantError, SignedGrant};
pub use id::{BalancerId, BootId, FeedUid, Holder, PodUid};
pub use keys::{Keyring, Signer, Verify};
pub use liveness::Liveness;
pub use settings::Settings;
pub use tenure::Tenure;
pub use time::Time;
