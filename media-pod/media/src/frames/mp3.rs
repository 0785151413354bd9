//! MPEG audio, ISO/IEC 11172-3 section 2.4.2.3 and 13818-3.

use millrace_bus::Container;

use super::{Frame, Kind};

/// Bit rates in kbit/s: MPEG-1 layers I to III, then layer I and the others of lower sampling rates.
const BIT_RATES: [[u32; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// MPEG audio of any layer; frames of free format are not known.
#[derive(Debug, Default)]
pub(crate) struct Mp3;

impl Kind for Mp3 {
    const CONTAINER: Container = Container::Mp3;
    const CONTENT_TYPE: &'static str = "audio/mpeg";
    const CODEC: &'static str = "mp3";
    const HEADER: usize = 4;

    fn read(header: &[u8]) -> Option<Frame> {
        let [a, b, c, _, ..] = *header else { return None };
        if a != 0xff || b & 0xe0 != 0xe0 {
            return None;
        }
        let (version, layer) = (b >> 3 & 3, 4 - (b >> 1 & 3));
        if version == 1 || layer == 4 {
            return None;
        }
        let first = version == 3;
        let row = if first { usize::from(layer) - 1 } else { 3 + usize::from(layer > 1) };
        let bits = 1000 * BIT_RATES.get(row)?.get(usize::from(c >> 4)).filter(|rate| **rate > 0)?;
        let rate = RATES.get(usize::from(c >> 2 & 3))? >> [2, 0, 1, 0].get(usize::from(version))?;
        let padding = u32::from(c >> 1 & 1);
        let (samples, len) = match layer {
            1 => (384, (12 * bits / rate + padding) * 4),
            2 => (1152, 144 * bits / rate + padding),
            _ if first => (1152, 144 * bits / rate + padding),
            _ => (576, 72 * bits / rate + padding),
        };
        Some(Frame { len: len as usize, samples, rate, same: u32::from(b & 0xfe) << 8 | u32::from(c & 0x0c) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_standard() {
        let frame = Mp3::read(&[0xff, 0xfb, 0x90, 0x64]).unwrap();
        assert_eq!((frame.len, frame.samples, frame.rate), (417, 1152, 44_100));
        let frame = Mp3::read(&[0xff, 0xf3, 0x84, 0x64]).unwrap();
        assert_eq!((frame.len, frame.samples, frame.rate), (192, 576, 24_000));
        assert!(Mp3::read(&[0xff, 0xfb, 0x00, 0x64]).is_none(), "free format");
        assert!(Mp3::read(&[0xff, 0xff, 0xff, 0xff]).is_none());
    }
}
