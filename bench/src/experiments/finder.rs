//! Where a picture begins that needs no other.

use crate::ts;

/// Looks for a key frame of a program whose tables came before it.
#[derive(Default)]
pub struct Finder {
    pmt: Option<u16>,
    video: Option<u16>,
}

impl Finder {
    /// Whether a picture that needs no other begins in this packet.
    pub fn finds(&mut self, p: &[u8]) -> bool {
        let pid = ts::pid(p);
        if pid == Some(0) {
            self.pmt = ts::pmt_pid(p).or(self.pmt);
        } else if pid.is_some() && pid == self.pmt {
            self.video = ts::video_pid(p).or(self.video);
        }
        pid.is_some() && pid == self.video && ts::starts_unit(p) && has_idr(p)
    }
}

/// A PES header and then, within the packet, an SPS or an IDR slice.
fn has_idr(p: &[u8]) -> bool {
    let Some(pes) = ts::payload(p).and_then(|at| p.get(at..)) else { return false };
    let units = pes.windows(4).skip(4).filter_map(|w| match w {
        [0, 0, 1, kind] => Some(kind & 0x1f),
        _ => None,
    });
    ts::random_access(p) && pes.starts_with(&[0, 0, 1]) && units.into_iter().any(|k| matches!(k, 5 | 7))
}
