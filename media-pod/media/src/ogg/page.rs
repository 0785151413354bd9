//! Pages, RFC 3533 section 6.

use crate::read::{byte, le, part};
use crate::walk::Step;

pub(crate) const MAGIC: &[u8; 4] = b"OggS";
const HEAD: usize = 27;

/// The head of a page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) serial: u32,
    /// `None` if no packet ends on the page.
    pub(crate) granule: Option<u64>,
    /// Begins with the rest of a packet.
    pub(crate) continued: bool,
    /// The first page of its logical stream.
    pub(crate) first: bool,
    /// Packets that end on the page.
    pub(crate) completed: u32,
    /// Packets that begin on the page.
    pub(crate) begun: u32,
    /// The first packet has no bytes.
    pub(crate) starts_empty: bool,
    /// Length of the whole page.
    pub(crate) len: usize,
}

impl Page {
    /// Reads the head; with it come the first bytes of the body, `look` at most. The error is what to do instead.
    pub(crate) fn read(window: &[u8], look: usize) -> Result<(Self, &[u8]), Step> {
        let head = window.get(..HEAD).ok_or(Step::Need(HEAD))?;
        let flags = byte(head, 5).unwrap_or_default();
        if !head.starts_with(MAGIC) || byte(head, 4) != Some(0) || flags > 7 {
            return Err(Step::Lost);
        }
        let count = usize::from(byte(head, 26).unwrap_or_default());
        let lacing = part(window, HEAD, count).ok_or(Step::Need(HEAD + count))?;
        let size: usize = lacing.iter().map(|b| usize::from(*b)).sum();
        let from = HEAD + count;
        let shown = size.min(look);
        let body = part(window, from, shown).ok_or(Step::Need(from + shown))?;
        let completed = lacing.iter().filter(|b| **b < 255).count() as u32;
        let open = u32::from(lacing.last() == Some(&255));
        let continued = flags & 1 != 0;
        let page = Self {
            serial: le(head, 14, 4).unwrap_or_default() as u32,
            granule: le(head, 6, 8).filter(|granule| *granule != u64::MAX),
            continued,
            first: flags & 2 != 0,
            completed,
            begun: (completed + open).saturating_sub(u32::from(continued)),
            starts_empty: lacing.first() == Some(&0),
            len: from + size,
        };
        Ok((page, body))
    }
}
