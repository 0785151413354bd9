//! What is to be done about a request. Asks the site, does no I/O.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use millrace_bus::Join;

use crate::{
    Access, AccessRequest, Credentials, Peek, Refused, Site, Source, query::parse_query, reply,
    target::Target,
};

/// A request, wherever it was read.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub method: &'a Method,
    pub target: &'a Target,
    pub credentials: Option<&'a Credentials>,
    pub peer: SocketAddr,
    pub secure: bool,
    pub relay: Option<&'a [u8]>,
}

impl<'a> Asked<'a> {
    /// As the site is asked about it.
    pub fn request(&self, stream: bool) -> AccessRequest<'a> {
        AccessRequest {
            peer: self.peer,
            method: self.method,
            path: &self.target.path,
            query: self.target.query.as_deref(),
            stream,
            secure: self.secure,
            credentials: self.credentials,
            relay: self.relay,
        }
    }
}

pub(crate) enum Decision {
    /// The site answers.
    Page,
    Answer(Response<Bytes>),
    /// The head of a stream, asked for by `HEAD`.
    Peek(Peek),
    /// A viewer.
    Watch {
        source: Arc<dyn Source>,
        join: Join,
    },
}

/// What [`Site::ask`] says of a request for a stream.
pub(crate) async fn ask(site: &dyn Site, asked: &Asked<'_>) -> Option<Access> {
    if *asked.method == Method::OPTIONS {
        return None;
    }
    let asking = site.ask(&asked.request(true))?;
    Some(asking.await)
}

/// Decides about a request for `source`, or for a page where there is none. `access` is what was said to [`ask`].
pub(crate) fn decide(
    site: &dyn Site,
    asked: &Asked<'_>,
    source: Option<Arc<dyn Source>>,
    access: Option<Access>,
) -> Decision {
    // Browsers ask before they send credentials.
    if source.is_some() && *asked.method == Method::OPTIONS {
        return Decision::Answer(reply::preflight());
    }
    if let Some(refused) = refuse(site, asked, source.is_some(), access) {
        return Decision::Answer(refused);
    }
    let Some(source) = source else { return Decision::Page };
    if !matches!(*asked.method, Method::GET | Method::HEAD) {
        return Decision::Answer(reply::method_not_allowed());
    }
    match parse_query(asked.target.query.as_deref().unwrap_or_default()) {
        Err(error) => Decision::Answer(reply::text(StatusCode::BAD_REQUEST, &format!("{error}."))),
        Ok(join) if *asked.method == Method::HEAD => Decision::Peek(source.peek(join)),
        Ok(join) => Decision::Watch { source, join },
    }
}

fn refuse(
    site: &dyn Site,
    asked: &Asked<'_>,
    stream: bool,
    access: Option<Access>,
) -> Option<Response<Bytes>> {
    let Asked { target, peer, .. } = *asked;
    let (why, response) = match access.unwrap_or_else(|| site.authorize(&asked.request(stream))) {
        Access::Granted => return None,
        Access::Challenge { realm } => (Refused::Unauthorized, reply::challenge(&realm)),
        Access::Forbidden => {
            (Refused::Forbidden, reply::text(StatusCode::FORBIDDEN, "You may not see this."))
        }
        Access::Unknown(refusal) => return Some(reply::refusal(&refusal)),
        Access::Elsewhere(url) => return Some(reply::elsewhere(&url)),
    };
    site.refused(peer, why);
    tracing::debug!(%peer, path = ?target.path, "refused: {why}");
    Some(response)
}
