//! For whom a balancer asks: what a session authenticates with.

use millrace_http::Credentials;

const MARK: &[u8] = b"client";

/// A viewer, as the owner of a stream is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client(pub Option<Credentials>);

impl Client {
    /// The bytes: `client`, and, where it showed a password, a blank and `name:password`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MARK.to_vec();
        if let Some(Credentials { user, password }) = &self.0 {
            out.push(b' ');
            out.extend_from_slice(user.as_bytes());
            out.push(b':');
            out.extend_from_slice(password.as_bytes());
        }
        out
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MARK)?;
        if rest.is_empty() {
            return Some(Self(None));
        }
        let (user, password) = std::str::from_utf8(rest.strip_prefix(b" ")?).ok()?.split_once(':')?;
        Some(Self(Some(Credentials { user: user.to_owned(), password: password.to_owned() })))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_client_is_read_as_it_was_written(user in "[^:]{0,20}", password in ".{0,20}") {
            for client in [Client(None), Client(Some(Credentials { user, password }))] {
                prop_assert_eq!(Client::decode(&client.encode()), Some(client));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Client::decode(&bytes);
            let _ = Client::decode(&[MARK, &bytes].concat());
        }
    }
}
