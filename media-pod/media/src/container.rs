//! The parser of each container behind one face.

use bytes::Bytes;
use millrace_bus::Container;

use crate::found::Found;
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
            _ => Self::Ts(Box::default()),
        }
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

    /// What completes a part-written unit.
    pub(crate) fn completion(&self) -> Bytes {
        match self {
            Self::Ts(ts) => ts.completion(),
            Self::Walk(_, walk) => Bytes::from_static(walk.completion()),
        }
    }
}
