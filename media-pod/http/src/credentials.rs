//! Basic authentication (RFC 7617).

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::Credentials;

/// Longer ones are none.
const LONGEST: usize = 1024;

impl Credentials {
    /// Reads the value of an `Authorization` header.
    pub(crate) fn from_header(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok().filter(|value| value.len() <= LONGEST)?;
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_contain_colons_and_a_scheme_any_case() {
        let credentials = Credentials::from_header(b"bAsIc YW5uOmE6YjpjCg==").unwrap();
        assert_eq!((&*credentials.user, &*credentials.password), ("ann", "a:b:c\n"));
    }

    #[test]
    fn anything_else_is_no_credentials() {
        for value in ["", "Basic", "Basic !!!", "Basic YW5u", "Bearer YW5uOmE=", "Basic /w=="] {
            assert_eq!(Credentials::from_header(value.as_bytes()), None, "{value}");
        }
        assert_eq!(Credentials::from_header(&[b"Basic ".as_slice(), &[b'Y'; 2000], b"Om=="].concat()), None);
    }

    #[test]
    fn a_password_is_never_shown() {
        let credentials = Credentials { user: "ann".into(), password: "secret".into() };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
