//! One session: a stream, as one balancer gets it.

use std::{sync::Arc, time::Duration};

use millrace_bus::{End, Joined, Subscriber};
use millrace_http::Refusal;
use millrace_link::{Code, net::Channel};
use tokio::time;

use super::{Origin, outlet::Outlet};
use crate::{
    shop::Shop,
    stream::{alone, stream_hopeless},
};

/// How often to look whether there is any hope of a first byte.
const LOOK: Duration = Duration::from_millis(50);

/// Why a session ends: what the balancer is told.
pub(super) type Over = (Code, String);

/// Sends `outlet`, whose stream the caller holds, on `channel`, until one of both ends. A balancer that is too slow skips, as any viewer.
pub(super) async fn pump(origin: &Origin, outlet: &Outlet, epoch: u64, channel: &Channel) -> Over {
    tokio::select! {
        over = send(origin, outlet, epoch, channel) => over,
        _ = channel.closed() => (Code::SUCCESS, String::new()),
    }
}

async fn send(origin: &Origin, outlet: &Outlet, epoch: u64, channel: &Channel) -> Over {
    loop {
        let joined = match begin(outlet, origin.pod.shop()).await {
            Ok(joined) => joined,
            Err(refusal) => return over(origin, outlet, refusal.reason),
        };
        let mut reader = Subscriber::new(joined, true);
        let end = loop {
            let piece = match reader.next_piece().await {
                Ok(piece) => piece,
                Err(end) => break end,
            };
            let packet = match outlet.packet(epoch, piece, &origin.identity.key()) {
                Ok(packet) => packet,
                Err(e) => return (Code::ERROR, e.to_string()),
            };
            if let Err(e) = channel.send_parts(packet.0, packet.1).await {
                return (Code::ERROR, e.to_string());
            }
        };
        if end == End::Closed {
            return over(origin, outlet, "the stream is no more".to_owned());
        }
    }
}

/// Nothing more comes. Where that is because this media pod ends, or has let go of it, another one goes on: who waits for a
/// first byte waits for that one.
fn over(origin: &Origin, outlet: &Outlet, why: String) -> Over {
    let (stream, shop) = (&outlet.stream, origin.pod.shop());
    let ends = stream.channel.is_closed() && shop.is_draining();
    if ends || origin.catalog.has_moved(stream.spec().path.as_str()) {
        return (Code::CONTENT_NOT_FOUND, "another media pod goes on with it".to_owned());
    }
    (Code::CONTENT_UNAVAILABLE, why)
}

/// A place at the newest random access point, so that the balancer can give a picture at once, too.
async fn begin(outlet: &Outlet, shop: &Arc<Shop>) -> Result<Joined, Refusal> {
    let hopeless = async {
        let mut look = time::interval(LOOK);
        loop {
            look.tick().await;
            if let Some(refusal) = stream_hopeless(&outlet.stream, shop) {
                return refusal;
            }
        }
    };
    tokio::select! {
        biased;
        joined = alone(&outlet.stream.channel) => Ok(joined),
        refusal = hopeless => Err(refusal),
    }
}
