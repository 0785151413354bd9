//! One session of a client that publishes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::StatusCode;
use millrace_http::{Credentials, Denial, Refusal, Sender, Site as _, Taking};
use millrace_link::{Code, net::Channel};
use tokio::time;

use crate::{linking::publishing, site::Front};

/// Who was let in and does not begin is in the way of others.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks whether it may publish at `path`.
pub(super) async fn admit(
    front: &Arc<Front>,
    peer: SocketAddr,
    credentials: Option<Credentials>,
    path: &str,
) -> Result<Box<dyn Taking>, (Code, String)> {
    let sender = Sender { peer, protocol: "millrace", user_agent: "".into(), credentials };
    let Some(point) = front.point(path) else {
        let reason = format!("nobody takes what is published at {path}");
        let none = Refusal { status: StatusCode::NOT_FOUND, reason, retry_after: None };
        return Err(publishing::code(Denial::Refused(none)));
    };
    point.admit(sender).await.map_err(publishing::code)
}

/// Takes what comes on `channel`, to its end.
pub(super) async fn take(taking: Box<dyn Taking>, channel: &Channel) -> Result<(), (Code, String)> {
    let outcome = taking.take(&mut publishing::Sending::new(channel)).await;
    let outcome = outcome.map_err(|refusal| publishing::code(Denial::Refused(refusal)));
    match &outcome {
        Ok(()) => channel.close(Code::SUCCESS, ""),
        Err((code, text)) => channel.close(*code, text),
    }
    outcome
}

/// What is said to a client that does not begin, in time.
pub(super) async fn late() -> (Code, String) {
    time::sleep(PATIENCE).await;
    (Code::SESSION_WRONG_REQUEST, format!("nothing was sent for {} s", PATIENCE.as_secs()))
}
