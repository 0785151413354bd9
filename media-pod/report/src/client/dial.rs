//! One replica: connected to again and again while its address is known.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time};

use super::{Context, connection};

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// A connection that lasted this long was none that failed.
const GOOD: Duration = Duration::from_secs(5);

/// Until the address is no longer one of `wanted`, and there is no connection.
pub(super) async fn dial(
    address: SocketAddr,
    context: &Context,
    wanted: &watch::Receiver<BTreeSet<SocketAddr>>,
) {
    let mut delay = FIRST_DELAY;
    let mut said = String::new();
    while wanted.borrow().contains(&address) {
        let began = Instant::now();
        let Err(why) = connection::run(address, context).await else {
            // There is another Hello to say.
            continue;
        };
        let why = why.to_string();
        if began.elapsed() >= GOOD {
            (delay, said) = (FIRST_DELAY, String::new());
        }
        if why == said {
            tracing::debug!(%address, error = %why, "no connection to the operator");
        } else {
            tracing::warn!(%address, error = %why, "no connection to the operator; what runs goes on");
            said = why;
        }
        time::sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}
