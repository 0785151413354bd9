//! Everything that is no stream over HTTP/1.x: pages, HTTP/2, second requests of a connection.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    activity::Activity,
    connection::Visit,
    head::{LARGEST, MOST_FIELDS},
    reply_body::ReplyBody,
    service::answer,
    shared::{Phase, Place},
};

/// Streams of one HTTP/2 connection at once.
const MOST_STREAMS: u32 = 128;
/// Bytes of a request body that may come though nobody reads it.
const WINDOW: u32 = 64 << 10;
/// Bytes that wait for the peer's flow control, per HTTP/2 stream.
const UNSENT: usize = 64 << 10;
/// A peer that answers no ping for this long is gone.
const PING: Duration = Duration::from_secs(20);

/// Serves a connection until its end.
pub(crate) async fn serve<S>(visit: Visit, stream: S, place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = visit.shared.clone();
    let idle = shared.options.idle_timeout;
    let activity = Activity::new();
    let service = {
        let activity = activity.clone();
        service_fn(move |request: Request<Incoming>| respond(visit.clone(), activity.clone(), request))
    };
    let builder = builder(idle);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut phase = Phase::Open;
    let mut told = false;
    let mut next_look = idle;
    loop {
        let asked_to_go = async {
            match phase {
                Phase::Open => shared.reached(Phase::Draining).await,
                Phase::Draining => shared.reached(Phase::Closed).await,
                Phase::Closed => {}
            }
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                break;
            }
            () = asked_to_go => {
                if phase >= Phase::Draining {
                    break;
                }
                phase = Phase::Draining;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(next_look) => {
                let quiet = activity.idle();
                next_look = idle.saturating_sub(quiet).max(Duration::from_millis(50));
                if quiet < idle {
                    continue;
                }
                if told {
                    break;
                }
                // HTTP/2 has a way of saying so; who does not hear it is cut off at the next look.
                told = true;
                next_look = idle;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    drop(place);
}

async fn respond(
    visit: Visit,
    activity: Arc<Activity>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    let busy = activity.begin();
    let response = answer(&visit, request).await;
    Ok(response.map(|body| ReplyBody::new(body, busy)))
}

fn builder(idle: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(2 * LARGEST)
        .max_headers(MOST_FIELDS)
        .title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(LARGEST as u32)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(UNSENT);
    builder
}
