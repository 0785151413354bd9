//! What a viewer of any channel is told and given first, be its source here or on another media pod.

use std::sync::Arc;

use millrace_bus::{Channel, Format, Join, Start};
use millrace_http::Peek;

/// Where so many bytes came without a random access point, none will.
const UNMARKED: u64 = 16 << 20;

/// What is known without opening it.
pub fn peek(channel: &Channel, join: Join) -> Peek {
    let content_type = channel.format().map(|format| format.content_type.clone());
    let age = channel.random_access_age().filter(|_| join.start == Start::Last);
    Peek { content_type, age }
}

/// Whether nobody knows where a picture begins in it: its container is unknown, or none is marked.
pub fn is_unmarked(channel: &Channel, format: Option<&Arc<Format>>) -> bool {
    let qos = channel.qos();
    format.is_none() || (qos.random_access_points == 0 && qos.bytes_in > UNMARKED)
}

/// The content type for a response.
pub fn content_type(format: Option<&Arc<Format>>) -> Arc<str> {
    format.map_or_else(|| "application/octet-stream".into(), |format| format.content_type.clone())
}
