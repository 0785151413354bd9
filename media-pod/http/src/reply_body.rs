//! The bodies that hyper sends for us.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use crate::{
    activity::Busy,
    forward::ForwardBody,
    publish::Unread,
    queue::{CutOff, QueueBody},
};

/// What is sent.
pub(crate) enum Content {
    /// All of it at once.
    Whole(Full<Bytes>),
    /// A stream.
    Queue(QueueBody),
    /// A stream that was asked for by `HEAD`: nothing, of no known length.
    Headless,
    /// What another server sends.
    Forwarded(ForwardBody),
    /// A refusal of what is still being sent.
    Unread(Box<Unread>),
}

/// A body; its connection is busy while it is there.
pub(crate) struct ReplyBody {
    content: Content,
    _busy: Busy,
}

impl ReplyBody {
    pub fn new(content: Content, busy: Busy) -> Self {
        Self { content, _busy: busy }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match &mut self.content {
            Content::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Content::Queue(body) => Pin::new(body).poll_frame(cx),
            Content::Headless => Poll::Ready(None),
            Content::Forwarded(body) => Pin::new(body).poll_frame(cx).map_err(|_| CutOff),
            Content::Unread(body) => body.poll_frame(cx).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(body) => body.is_end_stream(),
            Content::Forwarded(body) => body.is_end_stream(),
            Content::Queue(_) | Content::Headless | Content::Unread(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(body) => body.size_hint(),
            Content::Forwarded(body) => body.size_hint(),
            Content::Queue(_) | Content::Headless | Content::Unread(_) => SizeHint::default(),
        }
    }
}
