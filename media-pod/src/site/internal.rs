//! What is served inside the cluster only: probes without a password, and feeds for other media pods.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;
use millrace_http::{Access, AccessRequest, Forward, PageRequest, Site, Source};
use millrace_report::message::Directory;

use super::Front;
use crate::feed::{FEEDS, Relayed};

/// All that is only for other media pods is below this.
const OURS: &str = "/.millrace/";

/// The site as the internal listener serves it.
pub struct Internal(pub Arc<Front>);

impl Site for Internal {
    fn stream(&self, path: &str) -> Option<Arc<dyn Source>> {
        match path.strip_prefix(FEEDS) {
            Some(name) => Relayed::of(name, self.0.pod.shop()).map(|feed| Arc::new(feed) as Arc<dyn Source>),
            None => self.0.stream(path),
        }
    }

    fn page(&self, request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
        self.0.page(request)
    }

    fn authorize(&self, request: &AccessRequest<'_>) -> Access {
        if request.path.starts_with(OURS) {
            let directory = self.0.pod.shop().directory.load();
            return if relayed(&directory, request.relay) { Access::Granted } else { Access::Forbidden };
        }
        // Probes and Prometheus have no password to give.
        if matches!(request.path, "/healthz" | "/readyz" | "/metrics") {
            return Access::Granted;
        }
        self.0.authorize(request)
    }

    fn ask(&self, request: &AccessRequest<'_>) -> Option<BoxFuture<'static, Access>> {
        self.0.ask(request)
    }

    fn forward(&self, request: &AccessRequest<'_>) -> Option<Forward> {
        self.0.forward(request)
    }
}

/// Whether a request comes from another media pod of the Cluster. How long that takes tells nothing of the token.
pub fn relayed(directory: &Directory, shown: Option<&[u8]>) -> bool {
    let token = directory.token.as_bytes();
    !token.is_empty() && shown.is_some_and(|shown| verify_slices_are_equal(token, shown).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_of_the_directory_is_right_and_nothing_is_before_there_is_one() {
        let directory = Directory { token: "abc".into(), ..Directory::default() };
        assert!(relayed(&directory, Some(b"abc")));
        for wrong in [None, Some(&b""[..]), Some(b"ab"), Some(b"abd"), Some(b"abcd")] {
            assert!(!relayed(&directory, wrong), "{wrong:?}");
        }
        assert!(!relayed(&Directory::default(), Some(b"")));
    }
}
