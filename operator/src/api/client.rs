//! The client, which counts what it asks.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tower::{Layer, Service};

use super::request::understand;
use crate::metrics::Metrics;

/// A client whose requests are counted.
///
/// # Errors
/// Where the configuration is none that works.
pub fn client(config: Config, metrics: &Arc<Metrics>) -> kube::Result<Client> {
    let counting = Counting { metrics: Arc::clone(metrics) };
    Ok(ClientBuilder::try_from(config)?.with_layer(&counting).build())
}

#[derive(Clone, Debug)]
struct Counting {
    metrics: Arc<Metrics>,
}

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: Arc::clone(&self.metrics) }
    }
}

/// Counts the requests of another service.
#[derive(Clone, Debug)]
struct Counted<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let uri = request.uri();
        let (verb, resource) =
            understand(request.method().as_str(), uri.path(), uri.query().unwrap_or_default());
        let metrics = Arc::clone(&self.metrics);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or("none", |answer| class(answer.status().as_u16()));
            metrics.request(verb, resource, code);
            answer
        })
    }
}

const fn class(code: u16) -> &'static str {
    match code {
        200..300 => "2xx",
        300..400 => "3xx",
        404 => "404",
        409 => "409",
        422 => "422",
        429 => "429",
        400..500 => "4xx",
        _ => "5xx",
    }
}
