//! What the header says: document type, time scale, tracks.

use millrace_bus::{Track, TrackKind};

use super::element::{each, id, number};
use crate::found::track;

const MOST_TRACKS: usize = 64;

/// What the header says.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    webm: bool,
    scale: Option<u64>,
    /// Number of the track that clusters are judged by, and whether it is video.
    pub(crate) main: Option<(u64, bool)>,
    kind: Option<TrackKind>,
    pub(crate) list: Vec<Track>,
}

impl Tracks {
    pub(crate) fn doc_type(&mut self, ebml: &[u8]) {
        self.webm = each(ebml).any(|(id, body)| id == id::DOC_TYPE && body.starts_with(b"webm"));
    }

    pub(crate) fn info(&mut self, info: &[u8]) {
        self.scale = each(info).find(|(id, _)| *id == id::TIMESTAMP_SCALE).map(|(_, body)| number(body));
    }

    pub(crate) fn read(&mut self, tracks: &[u8]) {
        for (_, entry) in each(tracks).filter(|(id, _)| *id == id::TRACK_ENTRY).take(MOST_TRACKS) {
            let value = |wanted| each(entry).find(|(id, _)| *id == wanted).map(|(_, body)| body);
            let kind = match value(id::TRACK_TYPE).map(number) {
                Some(1) => TrackKind::Video,
                Some(2) => TrackKind::Audio,
                _ => TrackKind::Other,
            };
            let codec = codec(value(id::CODEC_ID).unwrap_or_default());
            self.list.push(track(kind, codec));
            let Some(number) = value(id::TRACK_NUMBER).map(number) else { continue };
            let rank = |kind| match kind {
                TrackKind::Video => 2,
                TrackKind::Audio => 1,
                TrackKind::Other => 0,
            };
            if self.kind.is_none_or(|main| rank(kind) > rank(main)) {
                self.kind = Some(kind);
                self.main = Some((number, kind == TrackKind::Video));
            }
        }
    }

    pub(crate) fn video(&self) -> bool {
        self.main.is_some_and(|(_, video)| video)
    }

    /// Ticks a second of the timestamps of clusters, 1000 unless the file says otherwise.
    pub(crate) fn ticks(&self) -> u64 {
        1_000_000_000 / self.scale.unwrap_or(1_000_000).max(1)
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match (self.webm, self.video() || self.list.is_empty()) {
            (true, true) => "video/webm",
            (true, false) => "audio/webm",
            (false, true) => "video/x-matroska",
            (false, false) => "audio/x-matroska",
        }
    }
}

fn codec(id: &[u8]) -> &'static str {
    match id.split(|b| *b == 0).next().unwrap_or_default() {
        b"V_MPEG4/ISO/AVC" => "h264",
        b"V_MPEGH/ISO/HEVC" => "h265",
        b"V_AV1" => "av1",
        b"V_VP8" => "vp8",
        b"V_VP9" => "vp9",
        b"V_THEORA" => "theora",
        b"V_MJPEG" => "mjpeg",
        b"V_MPEG2" => "mpeg2",
        b"A_OPUS" => "opus",
        b"A_VORBIS" => "vorbis",
        b"A_FLAC" => "flac",
        b"A_MPEG/L3" => "mp3",
        b"A_AC3" => "ac3",
        b"A_EAC3" => "eac3",
        aac if aac.starts_with(b"A_AAC") => "aac",
        pcm if pcm.starts_with(b"A_PCM") => "pcm",
        _ => "unknown",
    }
}
