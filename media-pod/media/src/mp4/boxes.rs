//! Boxes, ISO/IEC 14496-12 section 4.2.

use crate::read::be;
use crate::walk::Step;

/// The head of a box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) kind: [u8; 4],
    /// Length of the head.
    pub(crate) len: u64,
    /// Length of the whole box; `None` if it goes on to the end of the file.
    pub(crate) size: Option<u64>,
}

impl Head {
    /// Reads a head. The error is what to do instead: see more, or give up.
    pub(crate) fn read(window: &[u8]) -> Result<Self, Step> {
        let (Some(size), Some(kind)) = (be(window, 0, 4), window.get(4..).and_then(|b| b.first_chunk::<4>()))
        else {
            return Err(Step::Need(8));
        };
        let (len, size) = match size {
            0 => (8, None),
            1 => (16, Some(be(window, 8, 8).ok_or(Step::Need(16))?)),
            size => (8, Some(size)),
        };
        if size.is_some_and(|size| size < len) {
            return Err(Step::Lost);
        }
        Ok(Self { kind: *kind, len, size })
    }

    /// Passes over the box.
    pub(crate) fn skip(&self) -> Step {
        Step::Skip(self.size.unwrap_or(u64::MAX))
    }
}

/// The boxes in `bytes`, as far as they are whole.
pub(crate) fn each(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let head = Head::read(rest).ok()?;
        let size = usize::try_from(head.size.unwrap_or(rest.len() as u64)).ok()?;
        let body = rest.get(head.len as usize..size)?;
        rest = rest.get(size..)?;
        Some((head.kind, body))
    })
}

/// The first box of that kind.
pub(crate) fn find(bytes: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    each(bytes).find(|(k, _)| *k == kind).map(|(_, body)| body)
}
