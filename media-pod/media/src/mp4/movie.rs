//! The tracks of a `moov`.

use millrace_bus::{Track, TrackKind};

use super::boxes::{each, find};
use super::codecs;
use crate::found::track;
use crate::read::{be, byte};

const MOST_TRACKS: usize = 64;

/// One track.
#[derive(Debug)]
pub(crate) struct Trak {
    pub(crate) id: u64,
    pub(crate) timescale: u64,
    pub(crate) default_flags: u64,
    track: Track,
    codec: Option<String>,
}

/// What a `moov` says.
#[derive(Debug)]
pub(crate) struct Movie {
    pub(crate) tracks: Vec<Trak>,
    main: usize,
}

impl Movie {
    /// Reads the body of a `moov`. `None` if it announces no fragments.
    pub(crate) fn read(moov: &[u8]) -> Option<Self> {
        let extends = find(moov, *b"mvex")?;
        let found = each(moov).filter(|(kind, _)| kind == b"trak").take(MOST_TRACKS);
        let mut tracks: Vec<Trak> = found.filter_map(|(_, body)| trak(body)).collect();
        for (_, trex) in each(extends).filter(|(kind, _)| kind == b"trex").take(MOST_TRACKS) {
            let (Some(id), Some(flags)) = (be(trex, 4, 4), be(trex, 20, 4)) else { continue };
            tracks.iter_mut().filter(|t| t.id == id).for_each(|t| t.default_flags = flags);
        }
        let first = |kind| tracks.iter().position(|t| t.track.kind == kind);
        let main = first(TrackKind::Video).or_else(|| first(TrackKind::Audio)).unwrap_or_default();
        Some(Self { tracks, main })
    }

    /// The track by which fragments are judged: the first video, else the first audio.
    pub(crate) fn main(&self) -> Option<&Trak> {
        self.tracks.get(self.main)
    }

    pub(crate) fn video(&self) -> bool {
        self.main().is_some_and(|t| t.track.kind == TrackKind::Video)
    }

    pub(crate) fn list(&self) -> Vec<Track> {
        self.tracks.iter().map(|t| t.track.clone()).collect()
    }

    /// The media type, with the parameter of RFC 6381 if all codecs are known.
    pub(crate) fn content_type(&self) -> String {
        let base = if self.video() || self.tracks.is_empty() { "video/mp4" } else { "audio/mp4" };
        let media = self.tracks.iter().filter(|t| t.track.kind != TrackKind::Other);
        let names: Option<Vec<&str>> = media.map(|t| t.codec.as_deref()).collect();
        match names {
            Some(names) if !names.is_empty() => format!("{base}; codecs=\"{}\"", names.join(",")),
            _ => base.to_owned(),
        }
    }
}

fn trak(trak: &[u8]) -> Option<Trak> {
    let long = |body: &[u8]| byte(body, 0) == Some(1);
    let tkhd = find(trak, *b"tkhd")?;
    let id = be(tkhd, if long(tkhd) { 20 } else { 12 }, 4)?;
    let mdia = find(trak, *b"mdia")?;
    let mdhd = find(mdia, *b"mdhd")?;
    let timescale = be(mdhd, if long(mdhd) { 20 } else { 12 }, 4)?;
    let kind = match find(mdia, *b"hdlr")?.get(8..12)? {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        _ => TrackKind::Other,
    };
    let entries = find(mdia, *b"minf").and_then(|b| find(b, *b"stbl")).and_then(|b| find(b, *b"stsd"));
    let entry = entries.and_then(|b| b.get(8..)).and_then(|b| each(b).next());
    let (name, codec) = entry.map_or(("unknown", None), |(kind, body)| codecs::name(kind, body));
    Some(Trak { id, timescale, default_flags: 0, track: track(kind, name), codec })
}
