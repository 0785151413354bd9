//! Responses that the front door makes itself, and how they are written where hyper does not.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION,
        RETRY_AFTER, SERVER, WWW_AUTHENTICATE,
    },
};

use crate::{Peek, Refusal, date::imf_fixdate};

/// `Server` of all responses.
pub(crate) const NAME: &str = concat!("millrace/", env!("CARGO_PKG_VERSION"));
/// Seconds by which the picture that comes first is behind, as `1.234`; only with `?keyframe=last`, and where a random
/// access point was cached.
pub(crate) const PICTURE_AGE: HeaderName = HeaderName::from_static("millrace-picture-age");
/// What can be done with a stream.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// A sentence for a person, as `text/plain`.
pub(crate) fn text(status: StatusCode, sentence: &str) -> Response<Bytes> {
    let mut body = sentence.to_owned();
    body.push('\n');
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    common(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

pub(crate) fn refusal(refusal: &Refusal) -> Response<Bytes> {
    let mut response = text(refusal.status, &refusal.reason);
    if let Some(after) = refusal.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(after.as_millis().div_ceil(1000) as u64));
    }
    response
}

/// 307 (RFC 9110, 15.4.8). What is no header value sends nobody anywhere.
pub(crate) fn elsewhere(url: &str) -> Response<Bytes> {
    let Ok(location) = HeaderValue::from_str(url) else {
        return text(
            StatusCode::BAD_GATEWAY,
            "This is served elsewhere, at an address that cannot be written.",
        );
    };
    let mut response = text(StatusCode::TEMPORARY_REDIRECT, "Another server has more room.");
    response.headers_mut().insert(LOCATION, location);
    response
}

pub(crate) fn method_not_allowed() -> Response<Bytes> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "A stream can be read with GET, nothing else.");
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

/// The answer to `OPTIONS`, a CORS preflight (Fetch standard, 3.3) or not.
pub(crate) fn preflight() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    common(headers);
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Range"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

pub(crate) fn challenge(realm: &str) -> Response<Bytes> {
    let mut response =
        text(StatusCode::UNAUTHORIZED, "A name and a password are needed here, or others than these.");
    let quoted: String =
        realm.chars().filter(|c| !c.is_control() && c.is_ascii() && !matches!(c, '"' | '\\')).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("Basic realm=\"{quoted}\", charset=\"UTF-8\"")) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// The response head of a stream.
pub(crate) fn stream(peek: &Peek) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    common(headers);
    if let Some(content_type) = &peek.content_type {
        let value = HeaderValue::from_str(content_type)
            .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if let Some(value) = peek.age.and_then(seconds) {
        headers.insert(PICTURE_AGE, value);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_name(PICTURE_AGE));
    }
    response
}

fn seconds(age: Duration) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{:.3}", age.as_secs_f64())).ok()
}

fn common(headers: &mut HeaderMap) {
    headers.insert(SERVER, HeaderValue::from_static(NAME));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// A head after which the connection's end is the body's end (RFC 9112, 6.3).
pub(crate) fn write_head(status: StatusCode, headers: &HeaderMap) -> BytesMut {
    let mut out = BytesMut::with_capacity(512);
    // Writing to memory does not fail.
    let _ = write!(out, "HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or(""));
    for (name, value) in headers {
        out.put_slice(title_case(name.as_str()).as_bytes());
        out.put_slice(b": ");
        out.put_slice(value.as_bytes());
        out.put_slice(b"\r\n");
    }
    let _ = write!(out, "Date: {}\r\nConnection: close\r\n\r\n", imf_fixdate(SystemTime::now()));
    out
}

/// A whole response, as the answer to a request of `method`.
pub(crate) fn write_whole(response: &Response<Bytes>, method: &Method) -> Bytes {
    let mut headers = response.headers().clone();
    let head_only = *method == Method::HEAD;
    if !head_only && response.status() != StatusCode::NO_CONTENT {
        headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(response.body().len() as u64));
    }
    let mut out = write_head(response.status(), &headers);
    if !head_only {
        out.put_slice(response.body());
    }
    out.freeze()
}

/// `content-type` as `Content-Type`: names are read by people, and by old players that do not know better.
fn title_case(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|c| {
            let c = if upper { c.to_ascii_uppercase() } else { c };
            upper = c == '-';
            c
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_says_what_it_is_and_that_its_end_is_the_connections() {
        let peek =
            Peek { content_type: Some("video/mp2t".into()), age: Some(Duration::from_micros(1_234_400)) };
        let response = stream(&peek);
        let head = write_head(response.status(), response.headers()).freeze();
        let head = std::str::from_utf8(&head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        for line in [
            "Content-Type: video/mp2t",
            "Cache-Control: no-store",
            "Access-Control-Allow-Origin: *",
            "Connection: close",
            "X-Accel-Buffering: no",
            "Millrace-Picture-Age: 1.234",
            "Access-Control-Expose-Headers: millrace-picture-age",
            concat!("Server: millrace/", env!("CARGO_PKG_VERSION")),
        ] {
            assert!(head.lines().any(|l| l == line), "{line} is missing in {head}");
        }
    }

    #[test]
    fn a_content_type_that_is_no_header_value_does_not_split_the_head() {
        let response = stream(&Peek { content_type: Some("a\r\nb".into()), age: None });
        assert_eq!(response.headers()[CONTENT_TYPE], "application/octet-stream");
    }

    #[test]
    fn a_realm_cannot_leave_its_quotes() {
        let response = challenge("a\" evil=\"\r\nü");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Basic realm=\"a evil=\", charset=\"UTF-8\"");
    }

    #[test]
    fn waits_are_rounded_up_to_seconds() {
        let response = refusal(&Refusal::unavailable("Not yet.", Duration::from_millis(1200)));
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let bytes = write_whole(&response, &Method::GET);
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.contains("Content-Length: 9\r\n") && text.ends_with("\r\n\r\nNot yet.\n"), "{text}");
        assert!(write_whole(&response, &Method::HEAD).ends_with(b"\r\n\r\n"));
    }
}
