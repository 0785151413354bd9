//! Names of feeds, pods, boots and balancers.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// The longest name, in bytes. A UID of Kubernetes has 36.
pub const MAX_ID: usize = 64;

/// A name that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// There is none.
    #[error("{what} is empty; a UID such as 6c5cdd2f-57a9-4a0e-8d52-3b1f0d1c4e77 would be right")]
    Empty {
        /// Which name.
        what: &'static str,
    },
    /// It has more than [`MAX_ID`] bytes.
    #[error("{what} has {length} bytes; at most {MAX_ID} are right")]
    Long {
        /// Which name.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// It has a character that is not a letter, a digit, `-` or `.`.
    #[error("{what} has a character other than letters, digits, '-' and '.'")]
    Character {
        /// Which name.
        what: &'static str,
    },
    /// A holder without its `_`.
    #[error("{found:?} is no holder; POD-UID_BOOT-ID would be right")]
    Holder {
        /// What there is.
        found: String,
    },
}

fn check(what: &'static str, text: &str) -> Result<(), IdError> {
    match text.len() {
        0 => Err(IdError::Empty { what }),
        length if length > MAX_ID => Err(IdError::Long { what, length }),
        _ if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') => Ok(()),
        _ => Err(IdError::Character { what }),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes 1 to [`MAX_ID`] letters, digits, `-` and `.`.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check($what, text)?;
                Ok(Self(text.into()))
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    )+};
}

names! {
    /// The UID of what is owned: a Feed, a Room, or a Stream that has a pod of its own.
    FeedUid: "feed UID";
    /// The UID of a pod.
    PodUid: "pod UID";
    /// Another at each start of a pod's bus.
    BootId: "boot ID";
    /// The name of a balancer pod.
    BalancerId: "balancer";
}

/// One run of the bus in one pod: who can own a feed. Written `POD-UID_BOOT-ID`, as in a Lease's `holderIdentity`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The pod.
    pub pod: PodUid,
    /// The run of its bus.
    pub boot: BootId,
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}_{}", self.pod, self.boot)
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl FromStr for Holder {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (pod, boot) = text
            .split_once('_')
            .ok_or_else(|| IdError::Holder { found: text.chars().take(2 * MAX_ID + 1).collect() })?;
        Ok(Self { pod: PodUid::new(pod)?, boot: BootId::new(boot)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_holder_reads_as_it_was_written(pod in "[a-z0-9.-]{1,64}", boot in "[a-zA-Z0-9.-]{1,64}") {
            let holder = Holder { pod: PodUid::new(&pod).unwrap(), boot: BootId::new(&boot).unwrap() };
            prop_assert_eq!(holder.to_string().parse::<Holder>().unwrap(), holder);
        }

        #[test]
        fn no_text_makes_a_holder_panic(text in ".{0,200}") {
            if let Ok(holder) = text.parse::<Holder>() {
                prop_assert_eq!(holder.to_string(), text);
            }
        }
    }

    #[test]
    fn an_error_says_which_name_is_wrong() {
        assert_eq!(
            "_x".parse::<Holder>().unwrap_err().to_string(),
            "pod UID is empty; a UID such as 6c5cdd2f-57a9-4a0e-8d52-3b1f0d1c4e77 would be right"
        );
        assert!("pod".parse::<Holder>().unwrap_err().to_string().contains("POD-UID_BOOT-ID"));
        assert!("a_b_c".parse::<Holder>().unwrap_err().to_string().starts_with("boot ID has a character"));
        assert!(FeedUid::new(&"x".repeat(65)).unwrap_err().to_string().contains("65 bytes"));
    }
}
