//! What a generation of a channel carries: container, tracks, how to say so over HTTP.

use std::sync::Arc;

use bytes::Bytes;

/// The containers whose units are known. Anything else travels as bytes without marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// MPEG-2 transport stream, ISO/IEC 13818-1.
    MpegTs,
    /// Fragmented MP4, ISO/IEC 14496-12: `moof` and `mdat` pairs.
    Fmp4,
    /// Matroska or `WebM`, RFC 9559.
    Matroska,
    /// Flash Video, with the enhanced codecs of E-RTMP.
    Flv,
    /// Ogg, RFC 3533.
    Ogg,
    /// JPEG pictures as parts of `multipart/x-mixed-replace`.
    Mpjpeg,
    /// AAC in ADTS frames, ISO/IEC 14496-3.
    Adts,
    /// MPEG audio frames, layers I to III.
    Mp3,
}

impl Container {
    /// Whether bytes of a new run of the encoder can follow those of an old one on the same connection.
    ///
    /// fMP4, Matroska and FLV state codecs and time bases once, at the start: they cannot.
    pub fn continues(self) -> bool {
        !self.needs_header()
    }

    /// Whether nothing can be decoded of the container without its header.
    pub fn needs_header(self) -> bool {
        matches!(self, Self::Fmp4 | Self::Matroska | Self::Flv)
    }

    /// The name in the YAML (`spec.container`), in metrics and on the status page.
    pub fn name(self) -> &'static str {
        match self {
            Self::MpegTs => "MpegTs",
            Self::Fmp4 => "Fmp4",
            Self::Matroska => "Matroska",
            Self::Flv => "Flv",
            Self::Ogg => "Ogg",
            Self::Mpjpeg => "Mpjpeg",
            Self::Adts => "Adts",
            Self::Mp3 => "Mp3",
        }
    }
}

/// What a track is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Subtitles, metadata, anything else.
    Other,
}

/// One elementary stream of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// What it is for.
    pub kind: TrackKind,
    /// Short codec name, as `h264`, `h265`, `av1`, `vp8`, `vp9`, `theora`, `mjpeg`, `aac`, `mp3`, `opus`,
    /// `vorbis`, `flac`, `ac3`; `unknown` if the container says something else.
    pub codec: &'static str,
}

/// What a generation carries, as far as its first bytes told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The container.
    pub container: Container,
    /// Its media type, parameters included, for `Content-Type`.
    pub content_type: Arc<str>,
    /// The tracks, in the container's order.
    pub tracks: Arc<[Track]>,
}

impl Format {
    /// Whether there are tracks and none of them is video.
    pub fn audio_only(&self) -> bool {
        !self.tracks.is_empty() && self.tracks.iter().all(|t| t.kind != TrackKind::Video)
    }
}

/// What a reader who does not start at the first byte needs before it can decode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Sent to those who join: PAT and PMT, `ftyp` and `moov`, the EBML head up to the first cluster, …
    pub bytes: Bytes,
    /// Sent to those who are already there, before the bytes jump (a skip, a new run): for MPEG-TS the packets
    /// that announce a discontinuity on each PID. Empty where the container has no such thing.
    pub splice: Bytes,
}
