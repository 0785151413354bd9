//! Whether an answer may be kept and shared, and for how long (RFC 9111, 3 and 4.2). Pure.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AGE, CONTENT_RANGE, DATE, EXPIRES, SET_COOKIE},
};

use super::{
    control::{Control, seconds},
    key::vary,
};

/// How an answer may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// How old it may get, from when it was made.
    pub lifetime: Duration,
    /// How old it was when it came.
    pub age: Duration,
    /// Whether its owner said that it is for everybody.
    pub public: bool,
    /// The headers of the request that it depends on.
    pub vary: Vec<HeaderName>,
}

/// How an answer to a GET for all of it, by nobody in particular, may be kept; none: not at all. `open`: nobody needs to
/// ask who may have it.
pub(super) fn terms(status: StatusCode, answer: &HeaderMap, open: bool) -> Option<Terms> {
    let control = Control::of(answer);
    let closed = control.no_store || control.no_cache || control.private || !(control.public || open);
    if status != StatusCode::OK || closed {
        return None;
    }
    if answer.contains_key(SET_COOKIE) || answer.contains_key(CONTENT_RANGE) {
        return None;
    }
    let lifetime = control.s_maxage.or(control.max_age).unwrap_or_else(|| expires(answer));
    // The dates of two machines are not compared: their clocks may be an hour apart.
    let age = answer.get(AGE).map_or(Duration::ZERO, |value| seconds(value.as_bytes()));
    (age < lifetime).then_some(())?;
    Some(Terms { lifetime, age, public: control.public, vary: vary(answer)? })
}

/// How long `Expires` lets it be, by the owner's own clock.
fn expires(answer: &HeaderMap) -> Duration {
    let date = |value: Option<&HeaderValue>| httpdate::parse_http_date(value?.to_str().ok()?).ok();
    let dates = date(answer.get(EXPIRES)).zip(date(answer.get(DATE)));
    dates.and_then(|(expires, date)| expires.duration_since(date).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CACHE_CONTROL, VARY};
    use proptest::prelude::*;

    use super::*;

    fn of(pairs: &[(HeaderName, &str)], open: bool) -> Option<Terms> {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        terms(StatusCode::OK, &headers.collect(), open)
    }

    fn lifetime(pairs: &[(HeaderName, &str)]) -> Option<u64> {
        of(pairs, true).map(|terms| terms.lifetime.as_secs())
    }

    #[test]
    fn what_is_for_one_viewer_or_for_nobody_is_not_kept() {
        for control in
            ["no-store", "private, max-age=9", "no-cache, max-age=9", "public", "max-age=0, public"]
        {
            assert_eq!(of(&[(CACHE_CONTROL, control)], true), None, "{control}");
        }
        assert_eq!(of(&[], true), None, "nothing is guessed");
        assert_eq!(of(&[(CACHE_CONTROL, "max-age=9")], false), None, "who may have it is to be asked");
        assert!(of(&[(CACHE_CONTROL, "max-age=9")], true).is_some());
        assert!(of(&[(CACHE_CONTROL, "public, max-age=9")], false).is_some_and(|terms| terms.public));
        let public = (CACHE_CONTROL, "public, max-age=9");
        for (name, value) in [(SET_COOKIE, "a=b"), (CONTENT_RANGE, "bytes 0-1/2"), (VARY, "cookie")] {
            assert_eq!(of(&[public.clone(), (name, value)], true), None, "{value}");
        }
        let partial = terms(
            StatusCode::PARTIAL_CONTENT,
            &[(CACHE_CONTROL, "public, max-age=9".parse().unwrap())].into_iter().collect(),
            true,
        );
        assert_eq!(partial, None);
    }

    #[test]
    fn the_word_for_shared_caches_comes_first_and_dates_last() {
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(lifetime(&[(CACHE_CONTROL, "max-age=9, s-maxage=4")]), Some(4));
        assert_eq!(lifetime(&[(CACHE_CONTROL, "s-maxage=0, max-age=9")]), None);
        assert_eq!(lifetime(&[(CACHE_CONTROL, "max-age=9"), (EXPIRES, later), (DATE, date)]), Some(9));
        assert_eq!(lifetime(&[(EXPIRES, later), (DATE, date)]), Some(30));
        assert_eq!(lifetime(&[(EXPIRES, date), (DATE, later)]), None);
        assert_eq!(lifetime(&[(EXPIRES, "0"), (DATE, date)]), None);
        assert_eq!(lifetime(&[(EXPIRES, later)]), None);
    }

    #[test]
    fn what_was_kept_elsewhere_is_as_old_as_it_says() {
        let kept = of(&[(CACHE_CONTROL, "max-age=9"), (AGE, "4"), (VARY, "Accept")], true).unwrap();
        assert_eq!((kept.age, kept.vary), (Duration::from_secs(4), vec![ACCEPT]));
        assert_eq!(of(&[(CACHE_CONTROL, "max-age=9"), (AGE, "9")], true), None);
    }

    proptest! {
        #[test]
        fn no_headers_make_it_panic_and_what_is_private_is_never_kept(
            values in proptest::collection::vec(proptest::collection::vec(32_u8..=255, 0..60), 5),
            open: bool,
        ) {
            let names = [CACHE_CONTROL, EXPIRES, DATE, AGE, VARY];
            let mut headers: HeaderMap = names
                .into_iter()
                .zip(&values)
                .filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(value).ok()?)))
                .collect();
            let _ = terms(StatusCode::OK, &headers, open);
            headers.append(CACHE_CONTROL, "private".parse().unwrap());
            prop_assert_eq!(terms(StatusCode::OK, &headers, open), None);
        }
    }
}
