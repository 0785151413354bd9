//! EBML elements, RFC 8794.

use crate::read::byte;
use crate::walk::Step;

/// The elements that mean something to us, RFC 9559.
pub(crate) mod id {
    pub(crate) const EBML: u32 = 0x1a45_dfa3;
    pub(crate) const DOC_TYPE: u32 = 0x4282;
    pub(crate) const SEGMENT: u32 = 0x1853_8067;
    pub(crate) const SEEK_HEAD: u32 = 0x114d_9b74;
    pub(crate) const INFO: u32 = 0x1549_a966;
    pub(crate) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
    pub(crate) const TRACKS: u32 = 0x1654_ae6b;
    pub(crate) const TRACK_ENTRY: u32 = 0xae;
    pub(crate) const TRACK_NUMBER: u32 = 0xd7;
    pub(crate) const TRACK_TYPE: u32 = 0x83;
    pub(crate) const CODEC_ID: u32 = 0x86;
    pub(crate) const CUES: u32 = 0x1c53_bb6b;
    pub(crate) const CHAPTERS: u32 = 0x1043_a770;
    pub(crate) const ATTACHMENTS: u32 = 0x1941_a469;
    pub(crate) const TAGS: u32 = 0x1254_c367;
    pub(crate) const CLUSTER: u32 = 0x1f43_b675;
    pub(crate) const TIMESTAMP: u32 = 0xe7;
    pub(crate) const SIMPLE_BLOCK: u32 = 0xa3;
    pub(crate) const BLOCK_GROUP: u32 = 0xa0;
    pub(crate) const BLOCK: u32 = 0xa1;
    pub(crate) const REFERENCE: u32 = 0xfb;
}

/// The head of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) id: u32,
    /// Length of id and size.
    pub(crate) len: u64,
    /// Length of what follows; `None` if it is not known.
    pub(crate) size: Option<u64>,
}

impl Head {
    /// Reads id and size. The error is what to do instead: see more, or give up.
    pub(crate) fn read(window: &[u8]) -> Result<Self, Step> {
        let first = byte(window, 0).ok_or(Step::Need(2))?;
        let id_len = first.leading_zeros() as usize + 1;
        if id_len > 4 {
            return Err(Step::Lost);
        }
        let second = byte(window, id_len).ok_or(Step::Need(id_len + 1))?;
        let size_len = second.leading_zeros() as usize + 1;
        if size_len > 8 {
            return Err(Step::Lost);
        }
        let len = id_len + size_len;
        let (Some(id), Some(size)) = (window.get(..id_len), window.get(id_len..len)) else {
            return Err(Step::Need(len));
        };
        let mask = (1 << (7 * size_len)) - 1;
        let size = number(size) & mask;
        Ok(Self { id: number(id) as u32, len: len as u64, size: (size != mask).then_some(size) })
    }

    /// Where the element ends that begins at `at`, if it says.
    pub(crate) fn end(&self, at: u64) -> Option<u64> {
        at.checked_add(self.len)?.checked_add(self.size?)
    }

    /// Passes over the element; one of unknown size is none of those that may be passed over.
    pub(crate) fn skip(&self) -> Step {
        match self.size.and_then(|size| size.checked_add(self.len)) {
            Some(whole) => Step::Skip(whole),
            None => Step::Lost,
        }
    }
}

/// A big-endian number of as many bytes as there are, the last eight if more.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// The elements in `bytes`, as far as they are whole.
pub(crate) fn each(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let head = Head::read(rest).ok()?;
        let from = head.len as usize;
        let to = from.checked_add(usize::try_from(head.size?).ok()?)?;
        let body = rest.get(from..to)?;
        rest = rest.get(to..)?;
        Some((head.id, body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_any_length_are_read_and_unknown_sizes_known() {
        let head = Head::read(&[0xa3, 0x41, 0x00]).unwrap();
        assert_eq!((head.id, head.len, head.size), (id::SIMPLE_BLOCK, 3, Some(256)));
        assert_eq!(Head::read(&[0xa3, 0xff]).unwrap().size, None);
        let head = Head::read(&[0x1f, 0x43, 0xb6, 0x75, 1, 255, 255, 255, 255, 255, 255, 255]).unwrap();
        assert_eq!((head.id, head.len, head.size), (id::CLUSTER, 12, None));
        assert!(matches!(Head::read(&[0x1f, 0x43]), Err(Step::Need(5))));
        assert!(matches!(Head::read(&[0]), Err(Step::Lost)));
        assert!(matches!(Head::read(&[0xa3, 0]), Err(Step::Lost)));
    }
}
