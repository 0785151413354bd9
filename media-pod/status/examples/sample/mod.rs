//! Made-up statuses of any size, the same for the same arguments.

use millrace_status::{
    Activation, ClientStatus, Configuration, ConfigurationError, FeedStatus, Gop, LastExit, Link, Listener,
    Moment, Process, Program, Source, SourceKind, State, Status, StreamStatus, Totals, Track, TrackKind,
};

const STARTED_MS: i64 = 1_771_072_496_789; // 2026-02-14T12:34:56.789Z
const PLACES: [&str; 10] =
    ["front", "yard", "gate", "lobby", "stage", "hall", "dock", "roof", "kitchen", "studio"];

/// What the page is to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub streams: u64,
    pub clients: Option<u64>,
    /// Seconds that have passed: what moves has moved.
    pub tick: u64,
    /// Whether the newest configuration was refused.
    pub refused: bool,
}

pub fn status(size: Size) -> Status {
    let now = Moment::from_unix_ms(STARTED_MS + 273_600_000 + size.tick as i64 * 1000).shown_at(60);
    let feeds: Vec<_> = (0..size.streams.div_ceil(2)).map(|n| feed(n, size.tick, now)).collect();
    let streams: Vec<_> = (0..size.streams).map(|n| stream(n, size.tick, now)).collect();
    let clients = size.clients.map(|count| (0..count).map(|n| client(n, size, now)).collect());
    let empty = size.streams == 0;
    Status {
        links: Vec::new(),
        program: Program { name: "media-pod".into(), version: env!("CARGO_PKG_VERSION").into() },
        host: "studio-2".into(),
        server_time: now,
        started: Moment::from_unix_ms(STARTED_MS).shown_at(60),
        uptime_seconds: 273_600 + size.tick,
        listeners: vec![Listener { protocol: "http".into(), address: "127.0.0.1:8080".into() }],
        totals: Totals {
            viewers: streams.iter().map(|s| s.viewers).sum(),
            bytes_out: streams.iter().map(|s| s.bytes_out).sum(),
            bytes_in: feeds.iter().map(|f| f.bytes_in).sum(),
            bitrate_out_bps: streams.iter().map(|s| s.egress_bps).sum(),
            bitrate_in_bps: feeds.iter().map(|f| f.bitrate_bps).sum(),
            connections_total: if empty { 3 } else { 48_213 + size.tick },
            not_found_total: if empty { 0 } else { 112 },
        },
        process: Process { rss_bytes: 34_567_168, cpu_seconds: 4127.3, open_fds: 318, threads: 7 },
        configuration: Configuration {
            file: "examples/quickstart.yaml".into(),
            revision: "9f2c41d7".into(),
            loaded_at: Moment::from_unix_ms(STARTED_MS + 200_000_000).shown_at(60),
            last_error: size.refused.then(|| refusal(now)),
        },
        feeds,
        streams,
        clients,
    }
}

fn refusal(now: Moment) -> ConfigurationError {
    ConfigurationError {
        at: now,
        diagnostics: vec![
            "examples/quickstart.yaml:41: Stream gate: spec.feeds[0]: there is no Feed \"gaet\"; did you mean \"gate\"?"
                .into(),
            "examples/quickstart.yaml:57: Stream lobby-2: spec.path: /lobby.ts is taken by Stream lobby (line 22); \
             give it another path"
                .into(),
        ],
    }
}

fn name(n: u64) -> String {
    let place = PLACES.get((n % 10) as usize).copied().unwrap_or("door");
    if n < 10 { place.into() } else { format!("{place}-{}", n / 10 + 1) }
}

fn state(n: u64) -> State {
    match n % 23 {
        3 => State::Idle,
        5 => State::Backoff,
        9 => State::Starting,
        13 => State::Silent,
        17 => State::Failed,
        _ => State::Running,
    }
}

fn tracks(n: u64) -> Vec<Track> {
    let track = |kind, codec: &str| Track { kind, codec: codec.into() };
    match n % 5 {
        3 => vec![track(TrackKind::Audio, "opus")],
        2 => vec![track(TrackKind::Video, "mjpeg")],
        _ => vec![track(TrackKind::Video, "h264"), track(TrackKind::Audio, "aac")],
    }
}

fn last_exit(now: Moment, ago_seconds: i64) -> LastExit {
    LastExit {
        code: Some(1),
        signal: None,
        at: Moment::from_unix_ms(now.unix_ms() - ago_seconds * 1000).shown_at(60),
        reason: "exited with code 1".into(),
        stderr: vec![
            "Input #0, video4linux2,v4l2, from '/dev/video2':".into(),
            "[video4linux2,v4l2 @ 0x55d1c8] ioctl(VIDIOC_STREAMON): No space left on device".into(),
            "[in#0 @ 0x55d1c8] Error opening input: No space left on device".into(),
            "Error opening input file /dev/video2.".into(),
        ],
    }
}

fn feed(n: u64, tick: u64, now: Moment) -> FeedStatus {
    let state = state(n);
    let runs = state == State::Running;
    let (kind, description) = match n % 4 {
        1 => (SourceKind::Pull, format!("rtsp://{}.cameras.lan:554/ch1", name(n))),
        3 => (SourceKind::File, format!("/var/lib/millrace/{}.ts", name(n))),
        _ => (
            SourceKind::Command,
            format!(
                "ffmpeg -hide_banner -f v4l2 -framerate 30 -video_size 1280x720 -i /dev/video{n} -c:v libx264 \
                 -preset veryfast -tune zerolatency -g 60 -f mpegts -"
            ),
        ),
    };
    FeedStatus {
        name: name(n),
        pid: (kind == SourceKind::Command && runs).then_some(4000 + n as u32),
        source: Source { kind, description },
        activation: [Activation::OnDemand, Activation::Continuous, Activation::Seconds(30)][(n % 3) as usize],
        state,
        since: Moment::from_unix_ms(now.unix_ms() - (n as i64 * 977 + tick as i64) * 1000),
        fallback: state.needs_attention().then(|| "slate".into()),
        holds: if runs { 2 } else { 0 },
        bytes_in: if state == State::Idle { 0 } else { 136_800_000_000 + n * 1_234_567 + tick * 500_000 },
        bitrate_bps: if runs { 4_000_000 + (n * 37 + tick * 91) % 400_000 } else { 0 },
        container: runs.then(|| "MpegTs".into()),
        tracks: if runs { tracks(n) } else { Vec::new() },
        gop: runs.then_some(Gop { milliseconds: 2000, bytes: 1_012_000 }),
        restarts: if state.needs_attention() { 17 } else { n % 2 },
        last_exit: state.needs_attention().then(|| last_exit(now, 2)),
    }
}

fn stream(n: u64, tick: u64, now: Moment) -> StreamStatus {
    let state = state(n + 2);
    let runs = state == State::Running;
    let (container, media_type, ending) = match n % 5 {
        0 | 4 => ("MpegTs", "video/mp2t", "ts"),
        1 => ("Fmp4", "video/mp4; codecs=\"avc1.64001f, mp4a.40.2\"", "mp4"),
        2 => ("Mpjpeg", "multipart/x-mixed-replace; boundary=ffmpeg", "mjpeg"),
        _ => ("Ogg", "audio/ogg", "ogg"),
    };
    let path = format!("/cams/{}.{ending}", name(n));
    let viewers = if runs { (n * 7919) % 240 } else { 0 };
    let bitrate = 2_000_000 + (n * 53 + tick * 131) % 300_000;
    let video = n % 5 != 3;
    StreamStatus {
        name: name(n),
        snapshot_path: video.then(|| format!("{path}/pic")),
        links: ["header", "keyframe", "keyframe=next"].map(|query| Link::with_query(&path, query)).into(),
        path,
        feeds: vec![name(n / 2)],
        command: (n % 3 != 0).then(|| {
            "ffmpeg -i pipe:0 -c:v libx264 -b:v 2M -maxrate 2M -bufsize 1M -g 50 -f mpegts pipe:1".into()
        }),
        container: runs.then(|| container.into()),
        content_type: runs.then(|| media_type.into()),
        tracks: if runs { tracks(n) } else { Vec::new() },
        state,
        since: Moment::from_unix_ms(now.unix_ms() - (n as i64 * 4711 + 30 + tick as i64) * 1000),
        viewers,
        bytes_out: if state == State::Idle {
            0
        } else {
            viewers * 34_200_000_000 + n * 7_000_000 + tick * 250_000
        },
        bitrate_bps: if runs { bitrate } else { 0 },
        egress_bps: viewers * bitrate,
        skips: if runs && n % 6 == 0 { n + tick / 2 } else { 0 },
        gop_too_long: n % 9 == 4,
        restarts: if state.needs_attention() { 3 } else { 0 },
        last_exit: state.needs_attention().then(|| last_exit(now, 95)),
        pid: (runs && n % 3 != 0).then_some(5000 + n as u32),
    }
}

fn client(n: u64, size: Size, now: Moment) -> ClientStatus {
    ClientStatus {
        peer: format!("192.0.2.{}:{}", n % 254 + 1, 40_000 + n),
        stream: name(n % size.streams.max(1)),
        protocol: "http/1.1".into(),
        connected_at: Moment::from_unix_ms(now.unix_ms() - (n as i64 * 61 + 5 + size.tick as i64) * 1000),
        bytes: 15_000_000 + n * 31_000_000 + size.tick * 250_000,
        lag_bytes: (n * 6151) % 131_072,
        skips: u64::from(n.is_multiple_of(9)),
        user_agent: match n % 3 {
            0 => "Lavf/61.7.100".into(),
            1 => "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
                .into(),
            _ => "VLC/3.0.21 LibVLC/3.0.21".into(),
        },
    }
}
