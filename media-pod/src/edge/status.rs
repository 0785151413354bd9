//! The streams of a balancer, for the status page.

use std::sync::atomic::Ordering;

use millrace_status::{Link, Moment, State, StreamStatus};

use super::{Edge, upstream::Upstream};
use crate::site::tracks;

impl Edge {
    /// Those that somebody watched.
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.registry.upstreams().iter().chain(&self.beyond.upstreams()).map(|it| self.stream(it)).collect()
    }

    fn stream(&self, upstream: &Upstream) -> StreamStatus {
        let (channel, qos) = (&upstream.channel, upstream.channel.qos());
        let format = channel.format();
        let state = match (*upstream.flowing.borrow(), upstream.demand.holds()) {
            (true, _) => State::Running,
            (false, 0) => State::Idle,
            (false, _) => State::Backoff,
        };
        let pictures = self.registry.owner(&upstream.path).is_some_and(|it| it.serving.address.is_some());
        let pictures = pictures && format.as_ref().is_none_or(|format| !format.audio_only());
        StreamStatus {
            name: upstream.path.to_string(),
            path: upstream.path.to_string(),
            container: format.as_ref().map(|format| format.container.name().to_owned()),
            content_type: format.as_ref().map(|format| format.content_type.to_string()),
            tracks: tracks(format.as_deref()),
            state,
            since: Moment::from(upstream.since()),
            viewers: upstream.viewers.load(Ordering::Relaxed) as u64,
            bytes_out: channel.bytes_out(),
            bitrate_bps: qos.bitrate,
            egress_bps: qos.bitrate * channel.viewers() as u64,
            skips: channel.skips(),
            gop_too_long: channel.gop_too_long(),
            snapshot_path: pictures.then(|| format!("{}/pic", upstream.path)),
            links: ["header", "keyframe", "keyframe=next"]
                .map(|query| Link::with_query(&upstream.path, query))
                .into(),
            ..StreamStatus::default()
        }
    }
}
