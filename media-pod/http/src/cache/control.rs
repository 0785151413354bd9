//! `Cache-Control` of a response (RFC 9111, 5.2.2), as far as a shared cache needs it. Pure.

use std::time::Duration;

use http::{HeaderMap, header::CACHE_CONTROL};

/// What is longer is for ever (RFC 9111, 1.2.2).
const LONGEST: u64 = 1 << 31;

/// What the directives say. Those that are not known are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each directive is there or not")]
pub(super) struct Control {
    /// `no-store`, also where the field cannot be read to its end.
    pub no_store: bool,
    /// `no-cache`, with or without names of fields.
    pub no_cache: bool,
    /// `private`, with or without names of fields.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `max-age`; of several the smallest, 0 where it is no number.
    pub max_age: Option<Duration>,
    /// `s-maxage`, likewise.
    pub s_maxage: Option<Duration>,
}

impl Control {
    /// Reads all fields of that name.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            let mut rest = value.as_bytes();
            while let Some(&first) = rest.first() {
                if matches!(first, b',' | b' ' | b'\t') {
                    rest = rest.get(1..).unwrap_or_default();
                } else if let Some((name, argument, after)) = directive(rest) {
                    control.add(name, argument);
                    rest = after;
                } else {
                    // Whatever it was meant to say: nothing is kept.
                    control.no_store = true;
                    break;
                }
            }
        }
        control
    }

    fn add(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let shorter = |age: Option<Duration>| {
            let seconds = seconds(argument.unwrap_or_default());
            Some(age.map_or(seconds, |age| age.min(seconds)))
        };
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("private") {
            self.private = true;
        } else if is("public") {
            self.public = true;
        } else if is("max-age") {
            self.max_age = shorter(self.max_age);
        } else if is("s-maxage") {
            self.s_maxage = shorter(self.s_maxage);
        }
    }
}

type Directive<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// The name, the argument without its quotes, and what comes behind.
fn directive(text: &[u8]) -> Option<Directive<'_>> {
    let end = text.iter().position(|byte| matches!(byte, b',' | b'=')).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let name = name.trim_ascii();
    let Some(rest) = rest.strip_prefix(b"=") else { return Some((name, None, rest)) };
    let Some(quoted) = rest.trim_ascii_start().strip_prefix(b"\"") else {
        let end = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
        let (argument, rest) = rest.split_at_checked(end)?;
        return Some((name, Some(argument.trim_ascii()), rest));
    };
    let (argument, rest) = split_quoted(quoted)?;
    let rest = rest.trim_ascii_start();
    // Behind a quote there is a comma or nothing.
    rest.first().is_none_or(|byte| *byte == b',').then_some((name, Some(argument), rest))
}

/// Up to the closing quote, and what is behind it. None where there is no such quote.
fn split_quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some((text.get(..at)?, text.get(at + 1..)?)),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Delta-seconds (RFC 9111, 1.2.2); zero where it is none.
pub(super) fn seconds(digits: &[u8]) -> Duration {
    let digits = digits.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Duration::ZERO;
    }
    let add = |sum: u64, digit: &u8| (sum * 10 + u64::from(digit - b'0')).min(LONGEST);
    Duration::from_secs(digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Control {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CACHE_CONTROL, value.parse().unwrap());
        }
        Control::of(&headers)
    }

    #[test]
    fn each_directive_is_known_in_any_case_and_place() {
        let control = read(&["PUBLIC , max-age=60,immutable", " s-maxage = \"5\" "]);
        let expected = Control {
            public: true,
            max_age: Some(Duration::from_mins(1)),
            s_maxage: Some(Duration::from_secs(5)),
            ..Control::default()
        };
        assert_eq!(control, expected);
        let control = read(&["no-cache=\"set-cookie, no-store\", private=\"a\\\"b, public\""]);
        assert_eq!(control, Control { no_cache: true, private: true, ..Control::default() });
        assert!(read(&["max-age=1, no-store"]).no_store);
        assert_eq!(read(&["", " , ,", "x", "x=y"]), Control::default());
    }

    #[test]
    fn of_two_ages_the_smaller_counts_and_what_is_no_number_is_none() {
        assert_eq!(read(&["max-age=9, max-age=3", "max-age=5"]).max_age, Some(Duration::from_secs(3)));
        for wrong in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=x", "max-age=\"\""] {
            assert_eq!(read(&[wrong]).max_age, Some(Duration::ZERO), "{wrong}");
        }
        let huge = read(&["max-age=99999999999999999999999999"]).max_age;
        assert_eq!(huge, Some(Duration::from_secs(LONGEST)));
    }

    #[test]
    fn what_cannot_be_read_to_its_end_is_not_kept() {
        for wrong in ["public, x=\"", "public, x=\"a\\", "x=\"a\"b, public"] {
            assert!(read(&[wrong]).no_store, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in proptest::collection::vec(32_u8..=255, 0..200)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                headers.append(CACHE_CONTROL, value);
            }
            let _ = Control::of(&headers);
        }

        #[test]
        fn no_store_is_never_overheard(before in "[a-z=0-9, -]{0,30}", after in "[a-z=0-9\", -]{0,30}") {
            let text = format!("{before},no-store,{after}");
            prop_assert!(read(&[&text]).no_store);
        }
    }
}
