//! `/metrics`: figures of what runs, read when they are asked for, so that what is gone leaves no stale series.

use bytes::Bytes;
use http::{Response, StatusCode};
use millrace_status::{FeedStatus, State, Status, StreamStatus};
use prometheus::{
    Encoder, TextEncoder,
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

use super::{Front, links, text, with_type};
use crate::feed::Source;

/// The figures in Prometheus' text format.
pub fn render(front: &Front) -> Response<Bytes> {
    let status = front.status(false);
    let mut families = Vec::new();
    program(&mut families, &status, front);
    feeds(&mut families, &status.feeds);
    publishers(&mut families, front);
    streams(&mut families, &status.streams);
    if let Some(edge) = &front.edge {
        edge.metrics(&mut families);
        edge.cache_metrics(&mut families);
    }
    links::metrics(&mut families, &front.lines().all());
    let mut out = Vec::new();
    match TextEncoder::new().encode(&families, &mut out) {
        Ok(()) => with_type(StatusCode::OK, prometheus::TEXT_FORMAT, out),
        Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
    }
}

type Families = Vec<MetricFamily>;

fn program(to: &mut Families, status: &Status, front: &Front) {
    let one = |value: f64| [(Vec::new(), value)];
    let version = vec![pair("version", &status.program.version)];
    family(to, "millrace_build_info", "The version that runs.", MetricType::GAUGE, [(version, 1.0)]);
    let counts = front.counts();
    let counter = MetricType::COUNTER;
    family(
        to,
        "millrace_connections_total",
        "Connections accepted.",
        counter,
        one(counts.connections as f64),
    );
    family(
        to,
        "millrace_connections_refused_total",
        "Connections turned away because of the limit.",
        counter,
        one(counts.refused as f64),
    );
    family(to, "millrace_connections", "Connections open now.", MetricType::GAUGE, one(counts.open as f64));
    family(
        to,
        "millrace_http_forwarded_total",
        "Requests passed on to the media pod that serves their path.",
        counter,
        one(counts.forwarded as f64),
    );
    family(
        to,
        "millrace_http_forward_failures_total",
        "Those whose media pod could not be reached.",
        counter,
        one(counts.forward_failures as f64),
    );
    let responses = ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(counts.responses);
    let responses = responses.map(|(class, n)| (vec![pair("class", class)], n as f64));
    family(to, "millrace_http_responses_total", "HTTP responses by class of status.", counter, responses);
    family(
        to,
        "millrace_snapshots_decoded_total",
        "Pictures decoded for snapshots.",
        counter,
        one(front.pod.shop().snapshots_decoded.load(std::sync::atomic::Ordering::Relaxed) as f64),
    );
    family(
        to,
        "millrace_drain_feeds_left",
        "Feeds that are still to be moved before this media pod ends; 0 where it does not.",
        MetricType::GAUGE,
        one(front.pod.shop().draining.feeds_left() as f64),
    );
    let ok = f64::from(status.configuration.last_error.is_none());
    family(
        to,
        "millrace_configuration_ok",
        "1 if the newest edit of the configuration runs, 0 if it was refused.",
        MetricType::GAUGE,
        one(ok),
    );
    let loaded = status.configuration.loaded_at.unix_ms() as f64 / 1000.0;
    family(
        to,
        "millrace_configuration_loaded_timestamp_seconds",
        "When the configuration that runs was taken.",
        MetricType::GAUGE,
        one(loaded),
    );
    family(
        to,
        "process_resident_memory_bytes",
        "Resident memory, children apart.",
        MetricType::GAUGE,
        one(status.process.rss_bytes as f64),
    );
    family(
        to,
        "process_cpu_seconds_total",
        "Processor time, children apart.",
        counter,
        one(status.process.cpu_seconds),
    );
    family(
        to,
        "process_open_fds",
        "Open file descriptors.",
        MetricType::GAUGE,
        one(status.process.open_fds as f64),
    );
    family(to, "process_threads", "Threads.", MetricType::GAUGE, one(status.process.threads as f64));
    let started = status.started.unix_ms() as f64 / 1000.0;
    family(to, "process_start_time_seconds", "When the program started.", MetricType::GAUGE, one(started));
}

fn feeds(to: &mut Families, feeds: &[FeedStatus]) {
    let each = |value: fn(&FeedStatus) -> f64| {
        feeds.iter().map(move |feed| (vec![pair("feed", &feed.name)], value(feed)))
    };
    let (counter, gauge) = (MetricType::COUNTER, MetricType::GAUGE);
    states(to, "millrace_feed_state", feeds.iter().map(|feed| ("feed", feed.name.as_str(), feed.state)));
    family(
        to,
        "millrace_feed_bytes_total",
        "Bytes that the feed gave.",
        counter,
        each(|f| f.bytes_in as f64),
    );
    family(
        to,
        "millrace_feed_bitrate_bps",
        "What the feed gives, in bits per second.",
        gauge,
        each(|f| f.bitrate_bps as f64),
    );
    family(
        to,
        "millrace_feed_restarts_total",
        "Starts of the source after the first.",
        counter,
        each(|f| f.restarts as f64),
    );
    family(
        to,
        "millrace_feed_holds",
        "Streams and fallbacks that need the feed now.",
        gauge,
        each(|f| f.holds as f64),
    );
    let gops = feeds
        .iter()
        .filter_map(|feed| Some((vec![pair("feed", &feed.name)], feed.gop?.milliseconds as f64 / 1000.0)));
    family(to, "millrace_feed_gop_seconds", "Duration of the last whole group of pictures.", gauge, gops);
}

/// Of feeds that wait for a publisher.
fn publishers(to: &mut Families, front: &Front) {
    let feeds = front.pod.shop().feeds.load();
    let mut points: Vec<(&String, f64, [u64; 2])> = feeds
        .iter()
        .filter(|(_, feed)| matches!(feed.spec().source, Source::Publish { .. }))
        .map(|(name, feed)| {
            (name, f64::from(u8::from(feed.point.publisher().is_some())), feed.point.counts())
        })
        .collect();
    points.sort_by_key(|(name, ..)| *name);
    let label = |name: &str| vec![pair("feed", name)];
    let (counter, gauge) = (MetricType::COUNTER, MetricType::GAUGE);
    let now = points.iter().map(|(name, now, _)| (label(name), *now));
    family(to, "millrace_feed_publishers", "Publishers now: one at most.", gauge, now);
    let joined = points.iter().map(|(name, _, [joined, _])| (label(name), *joined as f64));
    family(to, "millrace_feed_publishers_total", "Publishers that were let in.", counter, joined);
    let refused = points.iter().map(|(name, _, [_, refused])| (label(name), *refused as f64));
    let help = "Publishers that were not let in because there was one.";
    family(to, "millrace_feed_publishers_refused_total", help, counter, refused);
}

fn streams(to: &mut Families, streams: &[StreamStatus]) {
    let label = |stream: &StreamStatus| vec![pair("stream", &stream.name), pair("path", &stream.path)];
    let each =
        |value: fn(&StreamStatus) -> f64| streams.iter().map(move |stream| (label(stream), value(stream)));
    let (counter, gauge) = (MetricType::COUNTER, MetricType::GAUGE);
    states(
        to,
        "millrace_stream_state",
        streams.iter().map(|stream| ("stream", stream.name.as_str(), stream.state)),
    );
    family(to, "millrace_stream_viewers", "Viewers now.", gauge, each(|s| s.viewers as f64));
    family(
        to,
        "millrace_stream_bytes_out_total",
        "Bytes sent to viewers.",
        counter,
        each(|s| s.bytes_out as f64),
    );
    family(
        to,
        "millrace_stream_bitrate_bps",
        "What the stream amounts to, in bits per second.",
        gauge,
        each(|s| s.bitrate_bps as f64),
    );
    family(
        to,
        "millrace_stream_gop_too_long",
        "1 if the last group of pictures was larger than its cache.",
        gauge,
        each(|s| f64::from(u8::from(s.gop_too_long))),
    );
    family(
        to,
        "millrace_stream_skips_total",
        "Skips of viewers that were too slow.",
        counter,
        each(|s| s.skips as f64),
    );
    family(
        to,
        "millrace_stream_restarts_total",
        "Starts of the command after the first.",
        counter,
        each(|s| s.restarts as f64),
    );
}

fn states<'a>(to: &mut Families, name: &str, of: impl Iterator<Item = (&'a str, &'a str, State)>) {
    let rows = of.flat_map(|(label, value, is)| {
        State::ALL
            .map(move |state| (vec![pair(label, value), pair("state", state.name())], f64::from(state == is)))
    });
    family(to, name, "1 for the state it is in, 0 for the others.", MetricType::GAUGE, rows);
}

pub(crate) fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

pub(crate) fn family(
    to: &mut Families,
    name: &str,
    help: &str,
    kind: MetricType,
    rows: impl IntoIterator<Item = (Vec<LabelPair>, f64)>,
) {
    let metric = |(labels, value): (Vec<LabelPair>, f64)| {
        let mut metric = Metric::from_label(labels);
        if kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        metric
    };
    let metrics: Vec<Metric> = rows.into_iter().map(metric).collect();
    // A family without a series is none in the text format.
    if metrics.is_empty() {
        return;
    }
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    to.push(family);
}
