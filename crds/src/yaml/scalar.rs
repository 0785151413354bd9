//! What a plain scalar is, by the rules of kubectl (YAML 1.1 as go-yaml 2 has it), and where YAML 1.2 differs.

use serde_json::{Number, Value};

/// How a plain (unquoted) scalar reads.
pub(crate) struct Plain {
    /// What kubectl makes of it.
    pub(crate) value: Value,
    /// Set when YAML 1.2 readers make something else of it: what kubectl takes it for.
    pub(crate) trap: Option<&'static str>,
}

/// Reads a plain scalar as kubectl does.
pub(crate) fn plain(text: &str) -> Plain {
    let sure = |value| Plain { value, trap: None };
    let trap = |value, what| Plain { value, trap: Some(what) };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return sure(Value::Null),
        "true" | "True" | "TRUE" => return sure(Value::Bool(true)),
        "false" | "False" | "FALSE" => return sure(Value::Bool(false)),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return trap(Value::Bool(true), "true"),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return trap(Value::Bool(false), "false"),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return sure(Value::String(text.to_owned()));
    }
    if let ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan"
    | ".NaN" | ".NAN" = text
    {
        return trap(Value::String(text.to_owned()), "a number that JSON does not have");
    }
    let bare = text.replace('_', "");
    match integer(&bare) {
        Some((value, "")) if bare.len() == text.len() => return sure(value),
        Some((value, "")) => return trap(value, "a number: kubectl leaves out the _"),
        Some((value, what)) => return trap(value, what),
        None => {}
    }
    match float(&bare) {
        Some(value) if bare.len() == text.len() => sure(value),
        Some(value) => trap(value, "a number: kubectl leaves out the _"),
        None => sure(Value::String(text.to_owned())),
    }
}

/// The integer and, when YAML 1.2 reads it otherwise, what kubectl takes it for.
fn integer(text: &str) -> Option<(Value, &'static str)> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    let signed = digits.len() < text.len();
    let all_octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let (radix, digits, what) = match (digits.get(..2), digits.get(2..)) {
        (Some("0x" | "0X"), Some(rest)) => (16, rest, if signed { "a hexadecimal number" } else { "" }),
        (Some("0b" | "0B"), Some(rest)) => (2, rest, "a binary number"),
        (Some("0o" | "0O"), Some(rest)) => (8, rest, if signed { "an octal number" } else { "" }),
        _ if digits.starts_with('0') && all_octal => {
            let small = digits.trim_start_matches('0').len() <= 1;
            (8, digits, if small { "" } else { "an octal number" })
        }
        _ => (10, digits, ""),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = u64::from_str_radix(digits, radix).ok()?;
    let value = match (negative, i64::try_from(number)) {
        (false, _) => Number::from(number),
        (true, Ok(number)) => Number::from(-number),
        (true, Err(_)) => return None,
    };
    Some((Value::Number(value), what))
}

/// `^[-+]?([.][0-9]+|[0-9]+([.][0-9]*)?)([eE][-+]?[0-9]+)?$`
fn float(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (digits, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let written = all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|it| !it.is_empty() && all_digits(it));
    if !written {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    // JSON knows no difference between 1000.0 and 1000, and the API server takes both as an integer.
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_read_as_kubectl_reads_them() {
        for (text, value, trapped) in [
            ("ffmpeg", json!("ffmpeg"), false),
            ("8080", json!(8080), false),
            ("-5", json!(-5), false),
            ("1.5", json!(1.5), false),
            ("1e3", json!(1000), false),
            ("y", json!(true), true),
            ("no", json!(false), true),
            ("On", json!(true), true),
            ("010", json!(8), true),
            ("0x1F", json!(31), false),
            ("-0x1F", json!(-31), true),
            ("007", json!(7), false),
            ("0o10", json!(8), false),
            ("-010", json!(-8), true),
            ("09.5", json!(9.5), false),
            ("0b12", json!("0b12"), false),
            ("1e", json!("1e"), false),
            ("-_1", json!(-1), true),
            ("0b11", json!(3), true),
            ("1_000", json!(1000), true),
            ("08", json!(8), false),
            ("true", json!(true), false),
            ("~", Value::Null, false),
            ("", Value::Null, false),
            ("2M", json!("2M"), false),
            ("30/1", json!("30/1"), false),
            ("1:30", json!("1:30"), false),
            ("2001-01-01", json!("2001-01-01"), false),
            ("-f", json!("-f"), false),
            ("-", json!("-"), false),
            ("+", json!("+"), false),
            (".", json!("."), false),
            ("...", json!("..."), false),
            ("yEs", json!("yEs"), false),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64), false),
        ] {
            let plain = plain(text);
            assert_eq!((plain.value, plain.trap.is_some()), (value, trapped), "{text}");
        }
    }
}
