//! ADTS, ISO/IEC 13818-7 section 6.2 and 14496-3 section 1.A.3.

use millrace_bus::Container;

use super::{Frame, Kind};
use crate::read::be;

const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// AAC in ADTS.
#[derive(Debug, Default)]
pub(crate) struct Adts;

impl Kind for Adts {
    const CONTAINER: Container = Container::Adts;
    const CONTENT_TYPE: &'static str = "audio/aac";
    const CODEC: &'static str = "aac";
    const HEADER: usize = 7;

    fn read(header: &[u8]) -> Option<Frame> {
        // Sync 12, MPEG-2 1, layer 2, no CRC 1, profile 2, rate 4, private 1, channels 3, 4 of no interest,
        // length 13, fullness 11, blocks 2.
        let bits = be(header, 0, 7)?;
        let field = |end: u32, width: u32| bits >> (56 - end) & ((1 << width) - 1);
        if field(12, 12) != 0xfff || field(15, 2) != 0 {
            return None;
        }
        let rate = *RATES.get(field(22, 4) as usize)?;
        let len = field(43, 13) as usize;
        if len < if field(16, 1) == 1 { 7 } else { 9 } {
            return None;
        }
        // Channels may change between frames that have a program config element; profile and rate may not.
        Some(Frame { len, samples: 1024 * (field(56, 2) as u32 + 1), rate, same: field(22, 22) as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_and_others_refused() {
        let frame = Adts::read(&[0xff, 0xf1, 0x4c, 0x80, 0x2f, 0xff, 0xfc]).unwrap();
        assert_eq!((frame.len, frame.samples, frame.rate), (383, 1024, 48_000));
        assert!(Adts::read(&[0xff, 0xf1, 0x4c, 0x80, 0, 0, 0]).is_none());
        assert!(Adts::read(&[0xff, 0xfb, 0x90, 0x64, 0, 0, 0]).is_none());
    }
}
