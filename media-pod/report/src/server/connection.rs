//! One media pod's connection, from its TLS handshake to its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time,
};

use super::{
    Event, Shared,
    outbox::{Outbox, Waiting},
};
use crate::{
    frame::{LARGEST, encode},
    message::{Hello, ToOperator, ToPod},
    wire::{Ended, Reader, write},
};

/// The longest message of somebody who is not known yet, in bytes.
const LONGEST_HELLO: usize = 16 << 10;
/// Epochs in one message.
const FENCES: usize = 4096;
/// Nobody is waited for longer than four of these, whatever it announces.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);

/// Until it ends. `stranger` is given back when it is known who that is.
pub(super) async fn run(
    tcp: TcpStream,
    (peer, number): (SocketAddr, u64),
    shared: Arc<Shared>,
    stranger: OwnedSemaphorePermit,
) {
    match time::timeout(shared.options.hello_within, meet(tcp, &shared)).await {
        Ok(Ok((hello, reader, mut to))) => {
            drop(stranger);
            let (uid, pod) = (hello.uid.clone(), hello.pod.clone());
            let outbox = Arc::new(Outbox::default());
            if !shared.join(hello, number, &outbox).await {
                return;
            }
            tracing::debug!(%peer, %pod, "a media pod joined");
            let ended = tokio::select! {
                ended = listen(reader, &uid, &outbox, &shared) => ended,
                ended = speak(&mut to, &outbox, &shared) => ended,
            };
            tracing::info!(%peer, %pod, error = %ended, "a media pod's connection ended");
            shared.leave(&uid, &outbox, ended.is_by_peer()).await;
        }
        Ok(Err(e)) => tracing::warn!(%peer, error = %e, "no media pod of ours"),
        Err(_) => tracing::warn!(%peer, "no media pod of ours: it did not say hello in time"),
    }
}

type Met<R, W> = (Hello, Reader<R>, W);

async fn meet(
    tcp: TcpStream,
    shared: &Shared,
) -> Result<Met<impl AsyncRead + Unpin + use<>, impl AsyncWrite + Unpin + use<>>, Ended> {
    tcp.set_nodelay(true)?;
    let stream = shared.tls.accept(tcp).await?;
    let (from, mut to) = tokio::io::split(stream);
    let mut reader = Reader::new(from, LONGEST_HELLO);
    let patience = shared.options.hello_within;
    let ToOperator::Hello(hello) = reader.next(patience).await? else {
        return Err(Ended::Refused("it began with something other than a hello".to_owned()));
    };
    if let Err(reason) = (shared.authenticate)(&hello) {
        write(&mut to, &encode(&ToPod::Refused { reason: reason.clone() })?, patience).await?;
        return Err(Ended::Refused(format!("{}/{}: {reason}", hello.namespace, hello.pod)));
    }
    let welcome = ToPod::Welcome { replica: shared.options.replica.clone() };
    write(&mut to, &encode(&welcome)?, patience).await?;
    reader.limit(LARGEST);
    Ok((hello, reader, to))
}

async fn listen<R: AsyncRead + Unpin>(
    mut reader: Reader<R>,
    uid: &str,
    outbox: &Arc<Outbox>,
    shared: &Shared,
) -> Ended {
    let (mut first, mut patience) = (true, shared.options.silence);
    loop {
        match reader.next(patience).await {
            Ok(ToOperator::Beat(mut beat)) => {
                let within = Duration::from_millis(beat.within).min(LONGEST_INTERVAL);
                patience = shared.options.silence.max(within * 4);
                if std::mem::take(&mut first) {
                    beat.feeds.get_or_insert_default();
                    beat.streams.get_or_insert_default();
                }
                outbox.heard();
                let event = Event::Beat { uid: uid.to_owned(), beat };
                if !shared.tell(uid, outbox, event).await {
                    return Ended::Closed;
                }
            }
            Ok(ToOperator::Hello(_)) => return Ended::Refused("it said hello twice".to_owned()),
            Err(e) => return e,
        }
    }
}

async fn speak<W: AsyncWrite + Unpin>(to: &mut W, outbox: &Outbox, shared: &Shared) -> Ended {
    let mut sent = Waiting::default();
    loop {
        if let Err(e) = send(to, outbox.next().await, &mut sent, shared).await {
            return e;
        }
    }
}

/// Sends what is not `sent` already.
async fn send<W: AsyncWrite + Unpin>(
    to: &mut W,
    waiting: Waiting,
    sent: &mut Waiting,
    shared: &Shared,
) -> Result<(), Ended> {
    let patience = shared.options.silence;
    if let Some(reason) = waiting.refused {
        write(to, &encode(&ToPod::Refused { reason: reason.clone() })?, patience).await?;
        return Err(Ended::Refused(reason));
    }
    let mut messages = vec![
        news(waiting.configuration, &mut sent.configuration).map(ToPod::Configuration),
        news(waiting.members, &mut sent.members).map(ToPod::Members),
        news(waiting.ownership, &mut sent.ownership).map(ToPod::Ownership),
        news(waiting.directory, &mut sent.directory).map(ToPod::Directory),
        news(waiting.edges, &mut sent.edges).map(ToPod::Edges),
        waiting.vouched.map(ToPod::Vouched),
    ];
    // In pieces, for a message may not be too long.
    let mut fences = waiting.fences.into_values().peekable();
    while fences.peek().is_some() {
        messages.push(Some(ToPod::Fences(fences.by_ref().take(FENCES).collect())));
    }
    for message in messages.into_iter().flatten() {
        write(to, &encode(&message)?, patience).await?;
    }
    if waiting.heard {
        write(to, &encode(&ToPod::Heard)?, patience).await?;
    }
    Ok(())
}

/// What is `new`, where it is not what was sent last.
fn news<T: PartialEq>(new: Option<Arc<T>>, sent: &mut Option<Arc<T>>) -> Option<Arc<T>> {
    let new = new.filter(|new| sent.as_ref() != Some(new))?;
    *sent = Some(Arc::clone(&new));
    Some(new)
}
