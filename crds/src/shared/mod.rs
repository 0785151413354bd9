//! Types that more than one kind uses, one per file.

mod access;
mod activation;
mod args;
mod duration;
mod env;
mod flush;
mod path;
mod refs;
mod resources;
mod size;
mod status;
mod template;
mod volume;

pub use access::{Access, BasicAccess, CertificateAccess, Grant, TokenAccess, TokenKey};
pub use activation::Activation;
pub use args::ArgValue;
pub use duration::Duration;
pub use env::{EnvSource, EnvVar};
pub use flush::Flush;
pub use path::{RESERVED_ENDS, StreamPath};
pub use refs::{ClusterRef, SecretKeyRef, SecretRef, StreamRef};
pub use resources::{Quantity, Resources};
pub use size::Size;
pub use status::{EndpointUrls, LastExit};
pub use template::TemplateRef;
pub use volume::{ClaimVolume, EmptyDirVolume, HostPathVolume, NfsVolume, Volume};

/// Why a text is no value of a checked type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {expected}")]
pub struct Malformed {
    /// What was given.
    pub value: String,
    /// What would be right, with an example.
    pub expected: &'static str,
}

impl Malformed {
    pub(crate) fn new(value: &str, expected: &'static str) -> Self {
        // A hostile value may be megabytes long; the message shows its beginning.
        Self { value: value.chars().take(80).collect(), expected }
    }
}

pub(crate) const fn yes() -> bool {
    true
}

/// For enumerations that stand in an `Option`: there kube would put the type's description over the field's.
pub(crate) fn drop_description(schema: &mut schemars::Schema) {
    schema.remove("description");
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}
