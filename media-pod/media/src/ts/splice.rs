//! What is written where a stream breaks off and another goes on.

use bytes::{BufMut, Bytes, BytesMut};

use super::PACKET;
use super::packet::SYNC;

const NULL_PID: u16 = 0x1fff;
/// Length of an adaptation field that fills a packet.
const WHOLE: u8 = 183;
/// The counter before 0, with which most muxers begin: packets without payload do not count.
const COUNTER: u8 = 0x0f;

/// One packet for each PID, an adaptation field alone, that says that what follows does not continue what was
/// before, ISO/IEC 13818-1 section 2.4.3.5. Each PID is named once.
pub(crate) fn announcement(pids: &mut Vec<u16>) -> Bytes {
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| *pid != NULL_PID);
    let mut bytes = BytesMut::with_capacity(pids.len() * PACKET);
    for pid in pids {
        bytes.put_u8(SYNC);
        bytes.put_u16(*pid);
        bytes.put_slice(&[0x20 | COUNTER, WHOLE, 0x80]);
        bytes.put_bytes(0xff, PACKET - 6);
    }
    bytes.freeze()
}

/// What completes a packet of which `written` bytes were sent.
///
/// A decoder has the beginning of a packet already: the rest of its payload becomes stuffing. If not even its
/// header was sent, the rest is an adaptation field.
pub(crate) fn completion(written: usize) -> Bytes {
    let mut bytes = BytesMut::new();
    if written == 0 || written >= PACKET {
        return bytes.freeze();
    }
    let header = [SYNC, 0x1f, 0xff, 0x20, WHOLE, 0x00];
    if written <= 3 {
        bytes.put_slice(header.get(written..).unwrap_or_default());
    }
    bytes.put_bytes(0xff, PACKET - written - bytes.len());
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_is_completed_to_a_whole_packet() {
        assert!(completion(0).is_empty());
        for written in 1..PACKET {
            assert_eq!(written + completion(written).len(), PACKET);
        }
        assert!(completion(PACKET).is_empty());
    }

    #[test]
    fn each_pid_is_announced_once() {
        let bytes = announcement(&mut vec![256, 0, 256, NULL_PID]);
        assert_eq!(bytes.len(), 2 * PACKET);
        assert_eq!(bytes[PACKET..PACKET + 7], [SYNC, 1, 0, 0x2f, 183, 0x80, 0xff]);
    }
}
