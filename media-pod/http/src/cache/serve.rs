//! Answers a request for something below a stream: from what is kept, with others, or alone.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, RANGE},
    request::Parts,
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body as _;
use tokio::{sync::oneshot, time::timeout};

use super::{
    CacheResult, EdgeCache, Scope,
    flights::Ticket,
    key::Key,
    store::Found,
    stored::{Stored, unconditional, weight},
    terms::terms,
};
use crate::{
    Forward,
    connection::Visit,
    counters::count,
    forward::{ForwardBody, HEAD, forward},
    reply_body::Content,
    service::{direct, unreachable},
    shared::Shared,
    target::Target,
};

/// RFC 9211.
const STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Flights that may come to nothing before a request goes alone.
const TRIES: usize = 4;
/// Of a refusal, so much is given to all who wait.
const REFUSAL: u64 = 4096;

/// All of an answer must be here by then.
const WHOLE: Duration = Duration::from_mins(1);

/// What came of a flight.
#[derive(Clone, Debug)]
pub(super) enum Landed {
    /// It is kept; `again`: what was kept is still right.
    Kept { stored: Arc<Stored>, again: bool },
    /// The owner cannot at the moment.
    Refused(Arc<Response<Bytes>>),
    /// The owner was not reached, or did not end what it said.
    Failed(Arc<str>),
    /// It is not for all, or there is no room.
    Alone,
}

/// Answers what `parts` ask of the owner `to`.
pub(crate) async fn answer(
    visit: &Visit,
    parts: &Parts,
    target: &Target,
    to: &Forward,
    scope: &Scope,
) -> Response<Content> {
    let (result, how, mut response) = decide(visit, parts, target, to, scope).await;
    scope.cache.count(result);
    if let Ok(value) = HeaderValue::from_str(&format!("millrace; {how}")) {
        response.headers_mut().append(STATUS, value);
    }
    response
}

type Answered = (CacheResult, String, Response<Content>);

async fn decide(visit: &Visit, parts: &Parts, target: &Target, to: &Forward, scope: &Scope) -> Answered {
    let (cache, asked) = (&scope.cache, &parts.headers);
    let alone =
        async |why: &str| (CacheResult::Passed, format!("fwd={why}"), direct(visit, parts, target, to).await);
    let first = Key::new(&target.path, target.query.as_deref());
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        if !parts.method.is_safe() {
            cache.store().forget(&first);
        }
        return alone("method").await;
    }
    let named = asked.contains_key(AUTHORIZATION);
    if named && !scope.open {
        return alone("bypass").await;
    }
    for _ in 0..TRIES {
        let (key, found) = cache.store().look(&first, asked, &scope.owner, Instant::now());
        let (why, stale) = match found {
            Found::Fresh(stored) if stored.answers(asked, scope.open) => return hit(parts, &stored),
            Found::Fresh(_) | Found::Alone => return alone("bypass").await,
            Found::Stale(stored) => ("stale", Some(stored)),
            Found::Nothing { other: true } => ("vary-miss", None),
            Found::Nothing { other: false } => ("uri-miss", None),
        };
        if named || parts.method == Method::HEAD || asked.contains_key(RANGE) {
            return alone(why).await;
        }
        let (mut waiting, ticket) = cache.flights.board(&key, &scope.owner);
        let leads = ticket.is_some();
        let mut mine = None;
        if let Some(ticket) = ticket {
            // The one before may have landed since that look.
            let again = cache.store().look(&first, asked, &scope.owner, Instant::now()).1;
            if matches!(again, Found::Fresh(_) | Found::Alone) {
                continue;
            }
            let (give, taken) = oneshot::channel();
            mine = Some(taken);
            let errand = Errand {
                shared: visit.shared.clone(),
                peer: visit.peer,
                parts: errand(parts, stale.as_deref()),
                to: to.clone(),
                scope: scope.clone(),
                first: first.clone(),
                key,
                stale,
            };
            tokio::spawn(errand.run(ticket, give));
        }
        let landed = waiting.wait_for(Option::is_some).await.ok().and_then(|landed| landed.clone());
        let result = if leads { CacheResult::Miss } else { CacheResult::Collapsed };
        let how = |end: &str| format!("fwd={why}{}{end}", if leads { "" } else { "; collapsed" });
        match landed {
            Some(Landed::Kept { stored, again }) if stored.answers(asked, scope.open) => {
                let result = if leads && again { CacheResult::Revalidated } else { result };
                let end = if again { "; fwd-status=304; stored" } else { "; stored" };
                return (result, how(end), from(parts, &stored));
            }
            Some(Landed::Refused(refusal)) => {
                let whole = (*refusal).clone().map(|body| Content::Whole(Full::new(body)));
                return (result, how(""), whole);
            }
            Some(Landed::Failed(error)) => return (result, how(""), unreachable(visit, target, &error)),
            Some(Landed::Alone) => {
                // Who asked first has the answer already.
                let taken = mine.and_then(|mut mine: oneshot::Receiver<_>| mine.try_recv().ok());
                return match taken {
                    Some(response) => {
                        let response: Response<ForwardBody> = response;
                        (CacheResult::Passed, how(""), response.map(Content::Forwarded))
                    }
                    None => alone(why).await,
                };
            }
            // Others wanted something else, or nothing came of it.
            Some(Landed::Kept { .. }) | None => {}
        }
    }
    alone("bypass").await
}

fn hit(parts: &Parts, stored: &Stored) -> Answered {
    let left = stored.left(Instant::now()).as_secs();
    (CacheResult::Hit, format!("hit; ttl={left}"), from(parts, stored))
}

fn from(parts: &Parts, stored: &Stored) -> Response<Content> {
    let response = stored.respond(&parts.method, &parts.headers, Instant::now());
    let bodiless = response.status() == StatusCode::NOT_MODIFIED;
    response.map(|body| if bodiless { Content::Headless } else { Content::Whole(Full::new(body)) })
}

/// The request of nobody in particular.
fn errand(parts: &Parts, stale: Option<&Stored>) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = unconditional(&parts.headers, stale);
    request.into_parts().0
}

/// What is fetched for all who wait. It does not end with who asked first.
struct Errand {
    shared: Arc<Shared>,
    peer: SocketAddr,
    parts: Parts,
    to: Forward,
    scope: Scope,
    /// Of the request.
    first: Key,
    /// Of the flight.
    key: Key,
    stale: Option<Arc<Stored>>,
}

impl Errand {
    async fn run(self, ticket: Ticket<Landed>, alone: oneshot::Sender<Response<ForwardBody>>) {
        let landed = tokio::select! {
            landed = self.fetch(alone) => landed,
            () = ticket.abandoned() => return,
        };
        if let Landed::Failed(_) = landed {
            count(&self.shared.counters.forward_failures);
        }
        ticket.land(landed);
    }

    async fn fetch(&self, alone: oneshot::Sender<Response<ForwardBody>>) -> Landed {
        count(&self.shared.counters.forwarded);
        let asked = Instant::now();
        let response = match forward(self.peer, &self.parts, &self.to).await {
            Ok(response) => response,
            Err(error) => return Landed::Failed(error.to_string().into()),
        };
        let (cache, open) = (&self.scope.cache, self.scope.open);
        if let (StatusCode::NOT_MODIFIED, Some(stale)) = (response.status(), &self.stale) {
            let Some(stored) = stale.freshened(response.headers(), open, asked) else { return Landed::Alone };
            return self.keep(cache, stored, true);
        }
        let length = response.body().size_hint().exact();
        if response.status().is_server_error()
            && let Some(length) = length.filter(|length| *length <= REFUSAL)
        {
            let (head, body) = response.into_parts();
            return collect(body, length).await.map_or_else(broken, |body| {
                Landed::Refused(Arc::new(Response::from_parts(head, body.into())))
            });
        }
        let terms = terms(response.status(), response.headers(), open);
        let shared = terms.zip(length).and_then(|(terms, length)| {
            let room = cache.memory.take(weight(response.headers(), length, self.first.len()))?;
            Some((terms, length, room))
        });
        let Some((terms, length, room)) = shared else {
            if response.status() == StatusCode::OK {
                cache.store().alone(&self.key, asked);
            }
            // Who asked first may have hung up.
            let _ = alone.send(response);
            return Landed::Alone;
        };
        let (head, body) = response.into_parts();
        let Some(body) = collect(body, length).await else { return broken() };
        let request = (&self.parts.headers, asked);
        match Stored::new(&head.headers, body, room, self.scope.owner.clone(), terms, request) {
            Some(stored) => self.keep(cache, stored, false),
            None => Landed::Alone,
        }
    }

    fn keep(&self, cache: &EdgeCache, stored: Stored, again: bool) -> Landed {
        let stored = Arc::new(stored);
        cache.store().keep(&self.first, stored.clone());
        Landed::Kept { stored, again }
    }
}

fn broken() -> Landed {
    Landed::Failed("its answer broke off".into())
}

/// All of a body that was said to have `length` bytes; none where it has not, or does not come to an end.
async fn collect(mut body: ForwardBody, length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length).ok()?;
    let reading = async {
        let mut all = Vec::with_capacity(length);
        while let Some(frame) = timeout(HEAD, body.frame()).await.ok()? {
            if let Ok(bytes) = frame.ok()?.into_data() {
                if all.len() + bytes.len() > length {
                    return None;
                }
                all.extend_from_slice(&bytes);
            }
        }
        (all.len() == length).then_some(all)
    };
    timeout(WHOLE, reading).await.ok()?
}
