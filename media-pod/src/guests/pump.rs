//! One session of a client: a stream, from where it joins.

use bytes::Bytes;
use millrace_bus::{End, Piece, Subscriber};
use millrace_http::Opened;
use millrace_link::{
    Code,
    avrs::{Content, ContentFlags, Generation},
    net::Channel,
};

use super::viewing::Listed;
use crate::origin::Clock;

/// What there is to know of the session.
pub(super) struct Playing {
    pub viewing: Listed,
    /// The stream id on the link.
    pub stream: u64,
    pub clock: Clock,
}

/// Sends `opened` on `channel` until one of both ends. A client that is too slow skips, as any viewer.
pub(super) async fn pump(playing: &Playing, opened: Opened, channel: &Channel) -> (Code, String) {
    let Opened { joined, hold, .. } = opened;
    let mut reader = Subscriber::new(joined, false);
    let (peer, path) = (playing.viewing.peer, &playing.viewing.path);
    tracing::info!(%peer, path, protocol = "millrace", "viewer joined");
    let over = tokio::select! {
        over = send(playing, &mut reader, channel) => over,
        notice = channel.closed() => (Code::SUCCESS, notice.text),
    };
    tracing::info!(%peer, path, protocol = "millrace", bytes = playing.viewing.bytes(), skips = reader.skips(), reason = over.1, "viewer left");
    drop(hold);
    over
}

async fn send(playing: &Playing, reader: &mut Subscriber, channel: &Channel) -> (Code, String) {
    loop {
        let piece = match reader.next_piece().await {
            Ok(piece) => piece,
            Err(End::Closed) => return (Code::SUCCESS, "the stream is over".to_owned()),
            Err(End::NewRun) => {
                let why = "a new run began, which this container cannot continue with";
                return (Code::CONTENT_UNAVAILABLE, why.to_owned());
            }
        };
        let (head, data) = packet(playing, piece);
        playing.viewing.sent(data.len(), reader.skips());
        if let Err(error) = channel.send_parts(head, data).await {
            return (Code::ERROR, error.to_string());
        }
    }
}

/// Head and data of a content packet. It is not signed: the link is sealed, and a client knows nobody's key.
fn packet(playing: &Playing, piece: Piece) -> (Bytes, Bytes) {
    let mut content = Content {
        stream: playing.stream,
        flags: ContentFlags::HEADER,
        generation: Generation { epoch: piece.generation.epoch(), run: piece.generation.number() },
        timestamp: 0,
        item: 0,
        data: piece.bytes,
    };
    if let Some(place) = piece.place {
        content.flags = ContentFlags::NONE;
        if place.unit {
            content.flags = content.flags.with(ContentFlags::UNIT_START);
        }
        if place.random_access {
            content.flags = content.flags.with(ContentFlags::RANDOM_ACCESS);
        }
        (content.timestamp, content.item) = (playing.clock.micros(place.at), place.offset);
    }
    (content.encode_head(), content.data)
}
