//! What a request wants of something that is here: all of it, a part, or only to know whether it changed
//! (RFC 9110, 13 and 14). Pure.

use std::ops::Range;

use http::{
    HeaderMap, HeaderValue, Method,
    header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE},
};

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// 200.
    Whole,
    /// 304.
    Unchanged,
    /// 206 with these bytes.
    Part(Range<usize>),
    /// 416.
    Beyond,
}

/// What a request with the headers `asked` wants of `length` bytes with the headers `had`.
pub(super) fn wanted(method: &Method, asked: &HeaderMap, had: &HeaderMap, length: usize) -> Wanted {
    if unchanged(asked, had) {
        return Wanted::Unchanged;
    }
    let ranges = if *method == Method::GET { asked.get(RANGE) } else { None };
    match ranges.filter(|_| same(asked, had)).map(|value| range(value.as_bytes(), length)) {
        Some(Parsed::One(range)) => Wanted::Part(range),
        Some(Parsed::Beyond) => Wanted::Beyond,
        Some(Parsed::Other) | None => Wanted::Whole,
    }
}

fn unchanged(asked: &HeaderMap, had: &HeaderMap) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        return had.get(ETAG).is_some_and(|tag| has_tag(asked, tag));
    }
    let date = |value: Option<&HeaderValue>| httpdate::parse_http_date(value?.to_str().ok()?).ok();
    let since = date(asked.get(IF_MODIFIED_SINCE));
    since.zip(date(had.get(LAST_MODIFIED))).is_some_and(|(since, modified)| modified <= since)
}

/// Whether `If-None-Match` of a request names `tag`, which may be weak (RFC 9110, 13.1.2): then its answer is 304.
pub fn has_tag(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let tag = opaque(tag.as_bytes());
    asked.get_all(IF_NONE_MATCH).iter().any(|value| {
        let mut rest = value.as_bytes().trim_ascii();
        if rest == b"*" {
            return true;
        }
        while let Some((one, after)) = next_tag(rest) {
            if one == tag {
                return true;
            }
            rest = after;
        }
        false
    })
}

/// Without the mark of a weak one.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The first tag of a list, with its quotes, and what is behind it.
fn next_tag(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let begin = list.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t'))?;
    let list = opaque(list.get(begin..)?);
    let inside = list.strip_prefix(b"\"")?;
    let end = inside.iter().position(|byte| *byte == b'"')? + 2;
    list.split_at_checked(end)
}

/// Whether a range is one of what is here, as far as `If-Range` says (RFC 9110, 13.1.5).
fn same(asked: &HeaderMap, had: &HeaderMap) -> bool {
    let Some(condition) = asked.get(IF_RANGE) else { return true };
    let strong = |tag: &&HeaderValue| tag.as_bytes().starts_with(b"\"");
    had.get(ETAG).filter(strong) == Some(condition) || had.get(LAST_MODIFIED) == Some(condition)
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    One(Range<usize>),
    Beyond,
    /// Several, or none that is understood: it may be ignored.
    Other,
}

fn range(value: &[u8], length: usize) -> Parsed {
    let parse = || {
        let (unit, range) = std::str::from_utf8(value).ok()?.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // More digits than fit are beyond any end.
            digits.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
        };
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        if first.is_empty() {
            return number(last).map(|some| (length.saturating_sub(some), length));
        }
        let first = number(first)?;
        let last = if last.is_empty() { Some(usize::MAX) } else { number(last) }?;
        (first <= last).then(|| (first, last.saturating_add(1).min(length)))
    };
    match parse() {
        Some((first, end)) if first < end => Parsed::One(first..end),
        Some(_) => Parsed::Beyond,
        None => Parsed::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(http::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn get(asked: &[(http::HeaderName, &str)]) -> Wanted {
        let had = headers(&[(ETAG, "\"a,b\""), (LAST_MODIFIED, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        wanted(&Method::GET, &headers(asked), &had, 100)
    }

    #[test]
    fn a_tag_is_found_in_any_list() {
        for list in ["\"a,b\"", "W/\"a,b\"", "\"x\" , \"a,b\"", ",,\"x\",W/\"a,b\"", "*", " * "] {
            assert_eq!(get(&[(IF_NONE_MATCH, list)]), Wanted::Unchanged, "{list}");
        }
        for list in ["\"a\"", "a,b", "\"A,B\"", "\"x\" \"y", "", "\"x\", *"] {
            assert_eq!(get(&[(IF_NONE_MATCH, list)]), Wanted::Whole, "{list}");
        }
        let none = wanted(&Method::GET, &headers(&[(IF_NONE_MATCH, "\"x\"")]), &HeaderMap::new(), 1);
        assert_eq!(none, Wanted::Whole);
    }

    #[test]
    fn a_date_counts_only_where_there_is_no_tag() {
        let (same, before) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT");
        assert_eq!(get(&[(IF_MODIFIED_SINCE, same)]), Wanted::Unchanged);
        assert_eq!(get(&[(IF_MODIFIED_SINCE, before)]), Wanted::Whole);
        assert_eq!(get(&[(IF_MODIFIED_SINCE, "yesterday")]), Wanted::Whole);
        assert_eq!(get(&[(IF_MODIFIED_SINCE, same), (IF_NONE_MATCH, "\"x\"")]), Wanted::Whole);
    }

    #[test]
    fn one_range_is_a_part_and_what_is_not_understood_is_the_whole() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("Bytes=10-19", Wanted::Part(10..20)),
            ("bytes=90-", Wanted::Part(90..100)),
            ("bytes=90-99999999999999999999999", Wanted::Part(90..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Beyond),
            ("bytes=99999999999999999999999-", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("pages=1-2", Wanted::Whole),
        ] {
            assert_eq!(get(&[(RANGE, range)]), expected, "{range}");
        }
        let head = wanted(&Method::HEAD, &headers(&[(RANGE, "bytes=0-1")]), &HeaderMap::new(), 9);
        assert_eq!(head, Wanted::Whole);
    }

    #[test]
    fn a_range_of_something_else_is_the_whole() {
        let part = Wanted::Part(0..5);
        let with = |condition| get(&[(RANGE, "bytes=0-4"), (IF_RANGE, condition)]);
        assert_eq!(with("\"a,b\""), part);
        assert_eq!(with("Sun, 06 Nov 1994 08:49:37 GMT"), part);
        for other in ["\"x\"", "W/\"a,b\"", "Sun, 06 Nov 1994 08:49:36 GMT"] {
            assert_eq!(with(other), Wanted::Whole, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_values_make_it_panic_and_a_part_is_inside(
            values in proptest::collection::vec(proptest::collection::vec(32_u8..=255, 0..60), 4),
            length in 0_usize..200,
        ) {
            let names = [IF_NONE_MATCH, IF_RANGE, RANGE, IF_MODIFIED_SINCE];
            let asked: HeaderMap = names
                .into_iter()
                .zip(&values)
                .filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(value).ok()?)))
                .collect();
            let had = headers(&[(ETAG, "\"x\"")]);
            if let Wanted::Part(range) = wanted(&Method::GET, &asked, &had, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }

        #[test]
        fn a_range_is_cut_at_the_end(first in 0_usize..300, last in 0_usize..300, length in 0_usize..200) {
            let asked = headers(&[(RANGE, &format!("bytes={first}-{last}"))]);
            let expected = if first > last {
                Wanted::Whole
            } else if first >= length {
                Wanted::Beyond
            } else {
                Wanted::Part(first..length.min(last + 1))
            };
            prop_assert_eq!(wanted(&Method::GET, &asked, &HeaderMap::new(), length), expected);
        }
    }
}
