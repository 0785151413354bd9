//! What kinds of errors the API server gives.

/// A kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The object is another than the one that was meant.
    Conflict,
    /// There is no such object, or its kind is not known.
    NotFound,
    /// Not allowed; or the namespace is being deleted, or its quota is used up.
    Forbidden,
    /// The object is wrong: only a change of it helps.
    Invalid,
    /// Too many requests.
    Throttled,
    /// The API server has a fault.
    Server,
    /// The API server was not reached, or did not answer in time.
    Network,
    /// What else: an answer that cannot be read.
    Other,
}

impl ErrorClass {
    /// As in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Network => "network",
            Self::Other => "other",
        }
    }
}

/// The kind of an error.
pub fn kind_of(error: &kube::Error) -> ErrorClass {
    match error {
        kube::Error::Api(status) => match status.code {
            409 => ErrorClass::Conflict,
            404 => ErrorClass::NotFound,
            401 | 403 => ErrorClass::Forbidden,
            400 | 413 | 415 | 422 => ErrorClass::Invalid,
            429 => ErrorClass::Throttled,
            500.. => ErrorClass::Server,
            _ => ErrorClass::Other,
        },
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => {
            ErrorClass::Network
        }
        _ => ErrorClass::Other,
    }
}
