use bytes::{Bytes, BytesMut};
use millrace_link::wire::{
    ChannelId, ChannelType, Code, Control, Echo, Flags, Framer, Header, Notice, OpenOptions, Sections,
    TsdWriter,
};
use proptest::prelude::*;

#[test]
fn a_header_is_twelve_packed_bytes_little_endian() {
    let header = Header {
        size: 0x0403_0201,
        kind: 0x05,
        sequence: 0x0908_0706,
        channel: ChannelId(0x0b0a),
        flags: Flags(0x0c),
    };
    assert_eq!(header.encode(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn a_packet_with_a_byte_too_many_is_refused_before_it_is_held() {
    let header = Header { size: 101, kind: 1, sequence: 0, channel: ChannelId(4), flags: Flags::NONE };
    let mut framer = Framer::new(100);
    framer.feed(BytesMut::from(&header.encode()[..]));
    assert_eq!(framer.next_packet().unwrap_err().size, 101);
}

fn control() -> impl Strategy<Value = Control> {
    (0..3_u8, any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>()).prop_map(
        |(op, id, kind, options, number)| {
            let channel = ChannelId(id);
            match op {
                0 => Control::Open {
                    channel,
                    kind: ChannelType(kind),
                    options: OpenOptions(options),
                    credit: number,
                },
                1 => Control::Accept { channel, credit: number },
                _ => Control::Credit { channel, bytes: number },
            }
        },
    )
}

proptest! {
    #[test]
    fn headers_come_back(bytes: [u8; 12]) {
        prop_assert_eq!(Header::decode(bytes).encode(), bytes);
    }

    #[test]
    fn control_messages_come_back(control in control()) {
        prop_assert_eq!(Control::decode(&control.encode()), Some(control));
    }

    #[test]
    fn notices_come_back(code: u32, text in ".{0,100}") {
        let notice = Notice::new(Code(code), text);
        prop_assert_eq!(Notice::decode(&notice.encode()), notice);
    }

    #[test]
    fn echoes_come_back(stamp: u64) {
        prop_assert_eq!(Echo::decode(&Echo::Ask(stamp).encode()), Some(Echo::Ask(stamp)));
        prop_assert_eq!(Echo::decode(&Echo::Answer(stamp).encode()), Some(Echo::Answer(stamp)));
    }

    #[test]
    fn sections_come_back(list in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..50)), 0..20)) {
        let bytes = list.iter().fold(TsdWriter::new(), |out, (tag, data)| out.with(*tag, data)).finish();
        let sections = Sections::parse(bytes).unwrap();
        let back: Vec<_> = sections.iter().map(|section| (section.tag, section.data.to_vec())).collect();
        prop_assert_eq!(back, list);
    }

    #[test]
    fn packets_come_out_of_a_stream_cut_anywhere(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..20),
        cuts in prop::collection::vec(1..4000_usize, 1..50),
    ) {
        let mut stream = Vec::new();
        for (number, data) in packets.iter().enumerate() {
            let header = Header {
                size: data.len() as u32, kind: 1, sequence: number as u32, channel: ChannelId(4), flags: Flags::NONE,
            };
            stream.extend_from_slice(&header.encode());
            stream.extend_from_slice(data);
        }
        let mut rest = Bytes::from(stream);
        let mut framer = Framer::new(3000);
        let mut out = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            framer.feed(rest.split_to((*cut).min(rest.len())).into());
            while let Some((_, data)) = framer.next_packet().unwrap() { out.push(data.to_vec()); }
        }
        prop_assert_eq!(out, packets);
    }
}
