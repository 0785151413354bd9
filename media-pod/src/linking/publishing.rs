//! Publishing over a link: what is said of it, and what comes.

use std::io;

use bytes::Bytes;
use http::StatusCode;
use millrace_http::{BoxFuture, Denial, Refusal, Sent};
use millrace_link::{
    Code,
    avrs::{Content, ContentFlags},
    net::{Channel, ChannelError},
};
use std::time::Duration;

/// For `Retry-After`.
const AGAIN: Duration = Duration::from_secs(2);
/// Of a place to publish to, in announcements: no stream has such a path.
const MARK: &str = "publish:";

/// What a place to publish to is announced as.
pub fn announced(path: &str) -> String {
    format!("{MARK}{path}")
}

/// What a link is told where HTTP would be told `denial`.
pub fn code(denial: Denial) -> (Code, String) {
    match denial {
        Denial::Challenge => (Code::MEMBER_INFO_PROBLEM, "a name and a password, or others".to_owned()),
        Denial::Forbidden(why) => (Code::MEMBER_SECURITY_ISSUE, why),
        Denial::Refused(Refusal { status, reason, .. }) => {
            let code = match status {
                StatusCode::CONFLICT => Code::SESSION_ALREADY_OPENED,
                StatusCode::NOT_FOUND => Code::SESSION_CONTENT_ID_WRONG,
                status if status.is_client_error() => Code::SESSION_WRONG_REQUEST,
                _ => Code::CONTENT_UNAVAILABLE,
            };
            (code, reason)
        }
    }
}

/// What HTTP is told where a link was told this; none where another owner may say something else.
pub fn denial(code: Code, text: &str) -> Option<Denial> {
    let refused = |status| {
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(AGAIN);
        Some(Denial::Refused(Refusal { status, reason: text.to_owned(), retry_after }))
    };
    match code {
        Code::MEMBER_INFO_PROBLEM => Some(Denial::Challenge),
        Code::MEMBER_SECURITY_ISSUE => Some(Denial::Forbidden(text.to_owned())),
        Code::SESSION_ALREADY_OPENED => refused(StatusCode::CONFLICT),
        Code::SESSION_WRONG_REQUEST => refused(StatusCode::REQUEST_TIMEOUT),
        _ => None,
    }
}

/// What a publisher sends on a channel.
pub struct Sending<'a> {
    channel: &'a Channel,
    ended: bool,
}

impl<'a> Sending<'a> {
    /// From now on.
    pub fn new(channel: &'a Channel) -> Self {
        Self { channel, ended: false }
    }
}

impl Sent for Sending<'_> {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async move {
            while !self.ended {
                let packet = match self.channel.recv().await {
                    Ok(packet) => packet,
                    Err(ChannelError::Closed(_)) => return Err(io::Error::other("it was closed")),
                    Err(error) => return Err(io::Error::other(error.to_string())),
                };
                let content = Content::decode(&packet).map_err(io::Error::other)?;
                self.ended = content.flags.has(ContentFlags::END);
                if !content.data.is_empty() {
                    return Ok(Some(content.data));
                }
            }
            Ok(None)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_change_by_itself_is_the_same_at_both_ends_of_a_link() {
        let refused =
            |status| Denial::Refused(Refusal { status, reason: "so".to_owned(), retry_after: None });
        for said in [
            Denial::Challenge,
            Denial::Forbidden("so".to_owned()),
            refused(StatusCode::CONFLICT),
            refused(StatusCode::REQUEST_TIMEOUT),
        ] {
            let (code, text) = code(said.clone());
            assert_eq!(denial(code, &text), Some(said));
        }
        for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::NOT_FOUND] {
            let (code, text) = code(refused(status));
            assert_eq!(denial(code, &text), None, "another owner may take it");
        }
    }
}
