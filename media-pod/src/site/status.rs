//! What the status page shows, gathered from what runs.

use std::{sync::atomic::Ordering, time::SystemTime};

use millrace_bus::{Channel, Format, TrackKind};
use millrace_crds::resolved::{FinalSource, Resolved};
use millrace_status::{
    Activation, ClientStatus, Configuration, ConfigurationError, FeedStatus, Gop, LastExit, Link, Listener,
    Moment, Process, Program, Source, SourceKind, Status, StreamStatus, Totals, Track,
};

use super::{Front, Usage, links};
use crate::{
    feed,
    logging::{self, mask},
    state,
    stream::Stream,
};

impl Front {
    /// All of it, as of now.
    pub fn status(&self, with_clients: bool) -> Status {
        let now = SystemTime::now();
        let shop = self.pod.shop();
        let (feeds, streams) = (shop.feeds.load(), shop.streams.load());
        let resolved = self.pod.resolved();
        let mut feeds: Vec<FeedStatus> = feeds.values().map(|feed| feed_status(feed, &resolved)).collect();
        let mut streams: Vec<StreamStatus> =
            streams.values().map(|stream| self.stream_status(stream)).collect();
        streams.extend(self.edge.iter().flat_map(|edge| edge.streams()));
        feeds.sort_by(|a, b| a.name.cmp(&b.name));
        streams.sort_by(|a, b| a.path.cmp(&b.path));
        let usage = Usage::now();
        Status {
            program: Program { name: logging::NAME.to_owned(), version: logging::VERSION.to_owned() },
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            server_time: now.into(),
            started: self.started.into(),
            uptime_seconds: now.duration_since(self.started).unwrap_or_default().as_secs(),
            listeners: self.listeners(),
            totals: self.totals(&feeds, &streams),
            process: Process {
                rss_bytes: usage.rss_bytes,
                cpu_seconds: usage.cpu_seconds,
                open_fds: usage.open_fds,
                threads: usage.threads,
            },
            configuration: self.configuration(),
            feeds,
            streams,
            links: links::status(&self.lines().all()),
            clients: with_clients.then(|| self.clients()),
        }
    }

    fn listeners(&self) -> Vec<Listener> {
        let Some(door) = self.door.get() else { return Vec::new() };
        let listener = |protocol: &str, address: &std::net::SocketAddr| Listener {
            protocol: protocol.to_owned(),
            address: address.to_string(),
        };
        let http = door.http_addrs().iter().map(|address| listener("http", address));
        let https = door.https_addrs().iter().map(|address| listener("https", address));
        let internal = self.internal.get().into_iter().flat_map(|door| door.http_addrs());
        http.chain(https).chain(internal.map(|address| listener("internal", address))).collect()
    }

    fn totals(&self, feeds: &[FeedStatus], streams: &[StreamStatus]) -> Totals {
        let counts = self.counts();
        Totals {
            viewers: streams.iter().map(|stream| stream.viewers).sum(),
            bytes_out: streams.iter().map(|stream| stream.bytes_out).sum(),
            bytes_in: feeds.iter().map(|feed| feed.bytes_in).sum(),
            bitrate_out_bps: streams.iter().map(|stream| stream.egress_bps).sum(),
            bitrate_in_bps: feeds.iter().map(|feed| feed.bitrate_bps).sum(),
            connections_total: counts.connections,
            not_found_total: counts.not_found,
        }
    }

    fn configuration(&self) -> Configuration {
        let loaded = self.reports.loaded();
        Configuration {
            file: loaded.from,
            revision: loaded.revision,
            loaded_at: loaded.at.into(),
            last_error: self
                .reports
                .last_error()
                .map(|error| ConfigurationError { at: error.at.into(), diagnostics: error.diagnostics }),
        }
    }

    fn clients(&self) -> Vec<ClientStatus> {
        let client = |viewer: millrace_http::ViewerInfo| ClientStatus {
            peer: viewer.peer.to_string(),
            stream: self.stream_name(&viewer.path).unwrap_or_else(|| viewer.path.to_string()),
            protocol: viewer.protocol.to_owned(),
            connected_at: viewer.since.into(),
            bytes: viewer.stats.sent(),
            lag_bytes: viewer.stats.lag(),
            skips: viewer.stats.skips(),
            user_agent: viewer.user_agent.to_string(),
        };
        self.doors().flat_map(|door| door.viewers()).map(client).collect()
    }

    fn stream_status(&self, stream: &Stream) -> StreamStatus {
        let (spec, condition) = (stream.spec(), stream.doing().get());
        let format = stream.channel.format();
        let own = !stream.passes_through();
        StreamStatus {
            name: spec.name.clone(),
            path: spec.path.clone(),
            feeds: spec.feeds.clone(),
            command: spec.description.as_deref().map(|text| mask::text(text).into_owned()),
            container: format.as_ref().map(|format| format.container.name().to_owned()),
            content_type: format.as_ref().map(|format| format.content_type.to_string()),
            tracks: tracks(format.as_deref()),
            state: condition.state,
            since: condition.since.into(),
            viewers: stream.viewers.load(Ordering::Relaxed) as u64,
            bytes_out: stream.channel.bytes_out(),
            bitrate_bps: stream.channel.qos().bitrate,
            egress_bps: self.rates.of(&spec.name),
            skips: stream.channel.skips(),
            gop_too_long: stream.channel.gop_too_long(),
            restarts: if own { condition.restarts } else { 0 },
            last_exit: condition.last_exit.filter(|_| own).map(last_exit),
            pid: condition.pid.filter(|_| own),
            snapshot_path: spec.snapshot.and_then(|_| {
                let pictures = format.as_ref().is_none_or(|format| !format.audio_only());
                pictures.then(|| format!("{}/pic", spec.path))
            }),
            links: ["header", "keyframe", "keyframe=next"]
                .map(|query| Link::with_query(&spec.path, query))
                .into(),
        }
    }
}

fn feed_status(feed: &feed::Feed, resolved: &Resolved) -> FeedStatus {
    let (spec, condition, qos) = (feed.spec(), feed.conditions.get(), feed.channel.qos());
    let format = feed.channel.format();
    FeedStatus {
        name: spec.name.clone(),
        source: Source { kind: kind(&spec, resolved), description: described(feed, &spec) },
        activation: match spec.activation {
            feed::Activation::Continuous => Activation::Continuous,
            feed::Activation::OnDemand(linger) if linger.is_zero() => Activation::OnDemand,
            feed::Activation::OnDemand(linger) => Activation::Seconds(linger.as_secs()),
        },
        state: condition.state,
        since: condition.since.into(),
        fallback: condition.fallback,
        holds: feed.demand.holds() as u64,
        bytes_in: qos.bytes_in,
        bitrate_bps: qos.bitrate,
        container: format.as_ref().map(|format| format.container.name().to_owned()),
        tracks: tracks(format.as_deref()),
        gop: gop(&feed.channel),
        restarts: condition.restarts,
        last_exit: condition.last_exit.map(last_exit),
        pid: condition.pid,
    }
}

/// With the publisher, where there is one. Its address is for the list of clients.
fn described(feed: &feed::Feed, spec: &feed::FeedSpec) -> String {
    let description = mask::text(&spec.description).into_owned();
    match (&spec.source, feed.point.publisher()) {
        (feed::Source::Publish { .. }, Some(publisher)) => {
            format!("{description}: somebody sends by {}", publisher.protocol)
        }
        (feed::Source::Publish { .. }, None) => format!("{description}: nobody sends"),
        _ => description,
    }
}

fn kind(spec: &feed::FeedSpec, resolved: &Resolved) -> SourceKind {
    match resolved.feeds.get(&spec.name).map(|feed| &feed.source) {
        Some(FinalSource::Command { .. }) | None => SourceKind::Command,
        Some(FinalSource::File { .. }) if is_pipe(&spec.source) => SourceKind::Pipe,
        Some(FinalSource::File { .. }) => SourceKind::File,
        Some(FinalSource::Pull { .. }) => SourceKind::Pull,
        Some(FinalSource::Publish { .. }) => SourceKind::Publish,
    }
}

fn is_pipe(source: &feed::Source) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let feed::Source::File { path, .. } = source else { return false };
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

fn gop(channel: &Channel) -> Option<Gop> {
    let qos = channel.qos();
    (qos.gop_bytes > 0).then_some(Gop { milliseconds: qos.gop.as_millis() as u64, bytes: qos.gop_bytes })
}

pub(crate) fn tracks(format: Option<&Format>) -> Vec<Track> {
    let kind = |kind| match kind {
        TrackKind::Video => millrace_status::TrackKind::Video,
        TrackKind::Audio => millrace_status::TrackKind::Audio,
        TrackKind::Other => millrace_status::TrackKind::Other,
    };
    let tracks = format.map(|format| format.tracks.iter()).into_iter().flatten();
    tracks.map(|track| Track { kind: kind(track.kind), codec: track.codec.to_owned() }).collect()
}

fn last_exit(exit: state::LastExit) -> LastExit {
    LastExit {
        code: exit.code,
        signal: exit.signal,
        at: Moment::from(exit.at),
        reason: exit.reason,
        stderr: exit.stderr,
    }
}
