//! `/healthz`, `/readyz` and `/metrics`, served from the first moment, before this replica leads.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};
use tracing::debug;

use crate::metrics::Metrics;

const CONNECTIONS: usize = 64;

/// Whether this replica can work: who asks is answered in words.
pub trait Ready: Send + Sync + 'static {
    /// What is in the way, in sentences; nothing where it can work.
    fn wrong(&self) -> Vec<String>;
    /// What it does, in a word.
    fn part(&self) -> &'static str;
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, ready: Arc<dyn Ready>, metrics: Arc<Metrics>) {
    let turns = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (ready, metrics) = (Arc::clone(&ready), Arc::clone(&metrics));
        tokio::spawn(async move {
            let answers = service_fn(move |request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), &*ready, &metrics);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(std::time::Duration::from_secs(10))
                .serve_connection(TokioIo::new(socket), answers);
            if let Err(error) = connection.await {
                debug!("a connection for health or metrics has ended: {error}");
            }
            drop(turn);
        });
    }
}

/// Listens.
///
/// # Errors
/// Where the address is taken.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context as _;
    TcpListener::bind(address).await.with_context(|| format!("--http {address}: cannot be listened on"))
}

fn answer(method: &Method, path: &str, ready: &dyn Ready, metrics: &Metrics) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match path {
        "/healthz" => text(StatusCode::OK, "alive\n".to_owned()),
        "/readyz" => match ready.wrong() {
            wrong if wrong.is_empty() => text(StatusCode::OK, format!("ready: {}\n", ready.part())),
            wrong => text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", wrong.join("\n"))),
        },
        "/metrics" => {
            let mut response = Response::new(Full::new(Bytes::from(metrics.text())));
            let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Said(Vec<String>);

    impl Ready for Said {
        fn wrong(&self) -> Vec<String> {
            self.0.clone()
        }
        fn part(&self) -> &'static str {
            "standby"
        }
    }

    fn status(path: &str, wrong: &[&str]) -> u16 {
        let said = Said(wrong.iter().map(|it| (*it).to_owned()).collect());
        answer(&Method::GET, path, &said, &Metrics::new().unwrap()).status().as_u16()
    }

    #[test]
    fn a_standby_is_ready_and_who_lacks_something_is_alive_but_not_ready() {
        assert_eq!(status("/readyz", &[]), 200);
        assert_eq!(status("/readyz", &["a CRD is missing"]), 503);
        assert_eq!(status("/healthz", &["a CRD is missing"]), 200);
        assert_eq!(status("/metrics", &[]), 200);
        assert_eq!(status("/", &[]), 404);
    }
}
