//! One connection: hello, then beats until it ends.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::pki_types::ServerName;
use tokio::{io::AsyncRead, io::AsyncWrite, net::TcpStream, time};
use tokio_rustls::TlsConnector;

use super::{Context, News, Word};
use crate::{
    frame::{LARGEST, encode},
    message::{Balancing, Beat, ToOperator, ToPod},
    tls,
    wire::{Ended, Reader, write},
};

/// Until there is a connection, or a write is done.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two beats, however much changes.
const AT_LEAST: Duration = Duration::from_millis(100);

/// Until it ends; without an error where there is another Hello to say.
pub(super) async fn run(address: SocketAddr, context: &Context) -> Result<(), Ended> {
    let mut told = context.told.clone();
    let hello = told.hello.borrow_and_update().clone();
    let mut certificate = context.certificate.clone();
    let tls = tls::client(&certificate.borrow_and_update())?;
    let connected = async {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        // Whom it is to is not seen by its name: see `tls::client`.
        let name = ServerName::IpAddress(address.ip().into());
        Ok(TlsConnector::from(tls).connect(name, tcp).await?)
    };
    let stream = time::timeout(PATIENCE, connected).await.unwrap_or(Err(Ended::Unreachable(PATIENCE)))?;
    let (from, mut to) = tokio::io::split(stream);
    write(&mut to, &encode(&ToOperator::Hello(hello))?, PATIENCE).await?;
    let mut reader = Reader::new(from, LARGEST);
    let _counted = welcomed(&mut reader, address, &context.news).await?;
    tokio::select! {
        ended = listen(&mut reader, context) => ended,
        ended = beat(&mut to, context) => ended,
        _ = told.hello.changed() => Ok(()),
    }
}

/// Counts a connection as long as there is one.
struct Counted<'a>(&'a News);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connected.send_modify(|count| *count = count.saturating_sub(1));
    }
}

async fn welcomed<'a, R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    address: SocketAddr,
    news: &'a News,
) -> Result<Counted<'a>, Ended> {
    match reader.next(PATIENCE).await? {
        ToPod::Welcome { replica } => {
            tracing::info!(%address, %replica, "connected to the operator");
            news.connected.send_modify(|count| *count += 1);
            Ok(Counted(news))
        }
        ToPod::Refused { reason } => Err(Ended::Refused(reason)),
        _ => Err(Ended::Refused("the operator did not begin with a welcome".to_owned())),
    }
}

/// Takes what comes. Each beat is answered: a replica that says nothing for several is dead.
async fn listen<R: AsyncRead + Unpin>(reader: &mut Reader<R>, context: &Context) -> Result<(), Ended> {
    loop {
        let patience = PATIENCE.max(*context.interval.borrow() * 4);
        match reader.next(patience).await? {
            ToPod::Configuration(new) => {
                context.news.configuration.send_if_modified(|newest| {
                    let newer = newest.as_ref().is_none_or(|newest| new.revision > newest.revision);
                    if newer {
                        *newest = Some(new);
                    }
                    newer
                });
            }
            ToPod::Directory(new) => {
                context.news.directory.send_replace(Some(new));
            }
            ToPod::Ownership(new) => {
                context.news.ownership.send_replace(Some(new));
            }
            ToPod::Members(new) => {
                context.news.members.send_replace(Some(new));
            }
            ToPod::Edges(new) => {
                context.news.edges.send_replace(Some(new));
            }
            // Nobody asked for them where that fails: nobody needs them.
            ToPod::Fences(fences) => drop(context.news.words.send(Word::Fences(fences)).await),
            ToPod::Vouched(vouched) => drop(context.news.words.send(Word::Vouched(vouched)).await),
            ToPod::Heard | ToPod::Welcome { .. } => {}
            ToPod::Refused { reason } => return Err(Ended::Refused(reason)),
        }
    }
}

/// Says what is, at each change and at each interval.
async fn beat<W: AsyncWrite + Unpin>(to: &mut W, context: &Context) -> Result<(), Ended> {
    let (mut state, mut interval) = (context.told.beat.clone(), context.interval.clone());
    let mut last: Option<Arc<Beat>> = None;
    loop {
        let began = Instant::now();
        let now = state.borrow_and_update().clone();
        let pause = (*interval.borrow_and_update()).max(AT_LEAST);
        let within = pause.as_millis() as u64;
        let sent = context.began.elapsed().as_micros() as u64;
        let message = ToOperator::Beat(Beat { within, sent, ..news_of(&now, last.as_deref()) });
        last = Some(now);
        write(to, &encode(&message)?, PATIENCE).await?;
        let due = began + pause;
        tokio::select! {
            () = time::sleep_until(due.into()) => {}
            changed = state.changed() => {
                if changed.is_err() { return Err(Ended::Closed) }
                time::sleep_until((began + AT_LEAST).into()).await;
            }
            changed = interval.changed() => {
                if changed.is_err() { return Err(Ended::Closed) }
                time::sleep_until((began + AT_LEAST).into()).await;
            }
        }
    }
}

/// `now` without what `last` already said.
fn news_of(now: &Beat, last: Option<&Beat>) -> Beat {
    let balancer = now.balancer.as_ref().map(|now| {
        let last = last.and_then(|last| last.balancer.as_ref());
        Balancing {
            newest: news(now, last, |it| it.newest.as_ref()),
            floors: news(now, last, |it| it.floors.as_ref()),
            upstreams: news(now, last, |it| it.upstreams.as_ref()),
            links: now.links.clone(),
            ..*now
        }
    });
    Beat {
        revision: now.revision,
        refused: now.refused.clone(),
        feeds: news(now, last, |it| it.feeds.as_ref()),
        streams: news(now, last, |it| it.streams.as_ref()),
        holdings: now.holdings.clone(),
        over: now.over.clone(),
        balancer,
        ..*now
    }
}

/// Everything where nothing was said before; nothing where the same was.
fn news<B, T: Clone + Default + PartialEq>(
    now: &B,
    last: Option<&B>,
    part: fn(&B) -> Option<&T>,
) -> Option<T> {
    match last {
        None => Some(part(now).cloned().unwrap_or_default()),
        Some(last) => part(now).filter(|it| part(last) != Some(it)).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{Doing, State},
        upstream::UpstreamLink,
    };

    fn with(state: State) -> Beat {
        let doing = Doing { state, ..Doing::default() };
        Beat {
            revision: 1,
            feeds: Some([("door".to_owned(), doing)].into()),
            streams: Some(<_>::default()),
            ..Beat::default()
        }
    }

    #[test]
    fn the_first_beat_says_everything_and_later_ones_what_is_new() {
        let (one, two) = (with(State::Idle), with(State::Running));
        assert_eq!(news_of(&one, None), one);
        assert!(news_of(&Beat::default(), None).feeds.is_some());
        let same = news_of(&one, Some(&one));
        assert_eq!((same.revision, same.feeds, same.streams), (1, None, None));
        let news = news_of(&two, Some(&one));
        assert_eq!((news.feeds, news.streams), (two.feeds, None));
    }

    #[test]
    fn links_to_upstreams_are_said_once_until_they_change() {
        let with = |link: UpstreamLink| {
            let upstreams = Some([("eu".to_owned(), link)].into());
            Beat { balancer: Some(Balancing { upstreams, ..Balancing::default() }), ..Beat::default() }
        };
        let said = |now: &Beat, last: Option<&Beat>| news_of(now, last).balancer.unwrap().upstreams;
        let (up, away) = (with(UpstreamLink::up()), with(UpstreamLink::away("connection refused")));
        assert_eq!(said(&up, None), up.balancer.clone().unwrap().upstreams);
        assert_eq!(said(&up, Some(&up)), None);
        assert_eq!(said(&away, Some(&up)), away.balancer.clone().unwrap().upstreams);
    }
}
