//! What is asked of a snapshot: format, quality, how new. Pure.

use http::HeaderMap;

use super::Format;
use crate::stream::SnapshotSpec;

/// A request for a snapshot, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The format.
    pub format: Format,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// Decoded up to the live edge, not only the newest intra-frame.
    pub now: bool,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// An unknown format.
    #[error("format={0} is not known; `jpeg` and `png` are")]
    Format(String),
    /// A quality out of range.
    #[error("quality={0} is not a number from 1 to 100")]
    Quality(String),
}

impl Request {
    /// Understands the query (`format`, `quality`, `now`) and the `Accept` header, which counts where the query is silent.
    pub fn parse(
        query: Option<&str>,
        headers: &HeaderMap,
        default: SnapshotSpec,
    ) -> Result<Self, RequestError> {
        let accept = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
        let format = accept.and_then(preferred).unwrap_or(default.format);
        let mut request = Self { format, quality: default.quality, now: false };
        for pair in query.unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "format" => {
                    request.format = match value.to_ascii_lowercase().as_str() {
                        "jpg" | "jpeg" => Format::Jpeg,
                        "png" => Format::Png,
                        _ => return Err(RequestError::Format(shorten(value))),
                    }
                }
                "quality" => {
                    let number = value.trim_end_matches("%25").trim_end_matches('%').parse().ok();
                    let number = number.filter(|quality| (1..=100).contains(quality));
                    request.quality = number.ok_or_else(|| RequestError::Quality(shorten(value)))?;
                }
                "now" => request.now = !matches!(value, "0" | "false"),
                _ => {}
            }
        }
        Ok(request)
    }
}

/// The one of our formats that `accept` (RFC 9110, 12.5.1) names with the greatest weight; `None` where it does not
/// prefer either.
fn preferred(accept: &str) -> Option<Format> {
    let weight = |name: &str| {
        accept
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_it = parts.next()?.eq_ignore_ascii_case(name);
                let q = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
                q.filter(|_| is_it)
            })
            .fold(0.0, f32::max)
    };
    let (jpeg, png) = (weight("image/jpeg"), weight("image/png"));
    if jpeg > png {
        Some(Format::Jpeg)
    } else if png > jpeg {
        Some(Format::Png)
    } else {
        None
    }
}

fn shorten(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: SnapshotSpec = SnapshotSpec { format: Format::Jpeg, quality: 85 };

    fn parse(query: &str, accept: &str) -> Result<Request, RequestError> {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT, accept.parse().unwrap());
        Request::parse(Some(query), &headers, DEFAULT)
    }

    #[test]
    fn the_default_is_jpeg_of_quality_85() {
        let plain = Request { format: Format::Jpeg, quality: 85, now: false };
        assert_eq!(parse("", "*/*"), Ok(plain));
        assert_eq!(parse("", "text/html,image/avif,image/webp,*/*;q=0.8"), Ok(plain));
        assert_eq!(Request::parse(None, &HeaderMap::new(), DEFAULT), Ok(plain));
    }

    #[test]
    fn the_query_beats_the_accept_header() {
        assert_eq!(parse("", "image/png").unwrap().format, Format::Png);
        assert_eq!(parse("", "image/png;q=0.5, image/jpeg;q=0.9").unwrap().format, Format::Jpeg);
        assert_eq!(parse("format=jpg", "image/png").unwrap().format, Format::Jpeg);
        assert_eq!(
            parse("format=PNG&now", "image/jpeg"),
            Ok(Request { format: Format::Png, quality: 85, now: true })
        );
    }

    #[test]
    fn a_wrong_value_is_named() {
        assert_eq!(parse("quality=50", "*/*").unwrap().quality, 50);
        assert_eq!(parse("quality=50%25", "*/*").unwrap().quality, 50);
        for wrong in ["0", "101", "-1", "high", ""] {
            let error = parse(&format!("quality={wrong}"), "*/*").unwrap_err();
            assert_eq!(error.to_string(), format!("quality={wrong} is not a number from 1 to 100"));
        }
        assert_eq!(
            parse("format=gif", "*/*").unwrap_err().to_string(),
            "format=gif is not known; `jpeg` and `png` are"
        );
    }
}
