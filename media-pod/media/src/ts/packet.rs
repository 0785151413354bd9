//! One transport packet, ISO/IEC 13818-1 section 2.4.3.

use super::PACKET;

pub(crate) const SYNC: u8 = 0x47;
/// Ticks a second of the program clock reference.
pub(crate) const PCR_HZ: u64 = 27_000_000;
/// The base of 33 bits at 90 kHz wraps, and with it the whole.
pub(crate) const PCR_WRAP: u64 = (1 << 33) * 300;

/// The packet identifier.
pub(crate) fn pid(bytes: &[u8; PACKET]) -> u16 {
    u16::from_be_bytes([bytes[1], bytes[2]]) & 0x1fff
}

/// Whether the sender says that the packet has errors or is scrambled.
pub(crate) fn broken(bytes: &[u8; PACKET]) -> bool {
    bytes[1] & 0x80 != 0 || bytes[3] & 0xc0 != 0
}

/// A packet whose header was read.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) bytes: &'a [u8; PACKET],
    pub(crate) pid: u16,
    adaptation: &'a [u8],
    /// Empty if it has none.
    pub(crate) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    pub(crate) fn new(bytes: &'a [u8; PACKET], pid: u16) -> Self {
        let (mut adaptation, mut payload): (&[u8], &[u8]) = (&[], &[]);
        let mut from = 4;
        if bytes[3] & 0x20 != 0 {
            let len = usize::from(bytes[4]);
            from += 1 + len;
            adaptation = bytes.get(5..from).unwrap_or_default();
        }
        if bytes[3] & 0x10 != 0 {
            payload = bytes.get(from..).unwrap_or_default();
        }
        Self { bytes, pid, adaptation, payload }
    }

    /// Whether a PES packet or a section begins in the payload.
    pub(crate) fn starts(&self) -> bool {
        self.bytes[1] & 0x40 != 0 && !self.payload.is_empty()
    }

    pub(crate) fn counter(&self) -> u8 {
        self.bytes[3] & 0x0f
    }

    fn flag(&self, flag: u8) -> bool {
        self.adaptation.first().is_some_and(|flags| flags & flag != 0)
    }

    pub(crate) fn discontinuity(&self) -> bool {
        self.flag(0x80)
    }

    pub(crate) fn random_access(&self) -> bool {
        self.flag(0x40)
    }

    /// In ticks of 27 MHz, below [`PCR_WRAP`].
    pub(crate) fn pcr(&self) -> Option<u64> {
        let field = self.adaptation.get(1..7).filter(|_| self.flag(0x10))?;
        let bits = field.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        Some(((bits >> 15) * 300 + (bits & 0x1ff)) % PCR_WRAP)
    }
}
