//! The parser of each container behind one face.

use bytes::Bytes;
use millrace_bus::Container;

use crate::flv::Flv;
use crate::found::Found;
use crate::frames::{Frames, adts::Adts, mp3::Mp3};
use crate::mkv::Mkv;
use crate::mp4::Mp4;
use crate::mpjpeg::Mpjpeg;
use crate::ogg::Ogg;
use crate::ts::Ts;
use crate::walk::{Place, Walk};

#[derive(Debug)]
pub(crate) enum Parser {
    Ts(Box<Ts>),
    Walk(Place, Box<dyn Walk>),
}

impl Parser {
    pub(crate) fn new(container: Container) -> Self {
        match container {
            Container::MpegTs => Self::Ts(Box::default()),
            Container::Fmp4 => Self::walk(Mp4::default()),
            Container::Matroska => Self::walk(Mkv::default()),
            Container::Flv => Self::walk(Flv::default()),
            Container::Ogg => Self::walk(Ogg::default()),
            Container::Mpjpeg => Self::walk(Mpjpeg::default()),
            Container::Adts => Self::walk(Frames::<Adts>::default()),
            Container::Mp3 => Self::walk(Frames::<Mp3>::default()),
        }
    }

    fn walk(walk: impl Walk + 'static) -> Self {
        Self::Walk(Place::default(), Box::new(walk))
    }

    /// False when it is lost for good.
    pub(crate) fn push(&mut self, chunk: &[u8], found: &mut Found) -> bool {
        match self {
            Self::Ts(ts) => {
                ts.push(chunk, found);
                true
            }
            Self::Walk(place, walk) => place.push(walk.as_mut(), chunk, found),
        }
    }

    /// The writer is gone: what completes a part-written unit.
    pub(crate) fn abandon(&mut self, found: &mut Found) -> Bytes {
        match self {
            Self::Ts(ts) => {
                let bytes = ts.completion();
                ts.push(&bytes, found);
                bytes
            }
            Self::Walk(place, walk) => place.abandon(walk.as_mut(), found).into(),
        }
    }
}
