//! Every decoder of bytes from outside, for fuzzing and for the sweep in the tests.

use std::time::Instant;

use bytes::Bytes;

use crate::avrs::{
    ClusterMessage, Content, ContentKind, Load, Quality, Request, Return, RolesOnly, ServerSessions, Way,
};
use crate::avrs::{SessionStats, Signal, sign};
use crate::engine::decompress;
use crate::secure::{Claim, Handshake, Members, Secrecy, handshake::Credentials};
use crate::wire::{Control, Echo, HEADER_LEN, Header, Notice, Role, Sections};
use crate::{Config, Core, Security, Side};

/// Gives the bytes to each of them.
///
/// # Panics
/// If one of them has a fault.
pub fn fuzz_parsers(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Some(header) = data.first_chunk::<HEADER_LEN>() {
        assert_eq!(Header::decode(*header).encode(), *header);
    }
    crate::client::fuzz_address(data);
    let _ = Control::decode(data);
    let _ = Echo::decode(data);
    let _ = Notice::decode(data);
    let _ = decompress(data, 1 << 16);
    let _ = Sections::parse(bytes.clone());
    let _ = Content::decode(&bytes);
    let _ = sign::verify(data, &Members::new());
    let _ =
        (ContentKind::decode(data), Load::decode(data), Quality::decode(data), SessionStats::decode(data));
    let _ = (Return::decode(&bytes), Way::decode(data));
    if let Some(request) = Request::decode(&bytes) {
        let _ = ClusterMessage::decode(&request, Role::ALL);
        let _ = Signal::decode(&request);
    }
    let member = Claim { id: None, role: Role::CLIENT, grant: Bytes::new() };
    ServerSessions::new(member, std::sync::Arc::new(RolesOnly), 1).handle(&bytes, |_| true);
    let credentials = Credentials {
        key: None,
        role: Role::SERVER,
        grant: Bytes::new(),
        trust: std::sync::Arc::new(Members::new()),
        secrecy: Secrecy::Packets,
        binding: Bytes::new(),
    };
    let _ = Handshake::accept(credentials.clone()).handle(&bytes);
    let securities = [Security::Clear { peer_role: Role::CLIENT }, Security::Handshake(credentials)];
    for security in securities {
        let now = Instant::now();
        let Ok(mut core) = Core::new(Config::new(Side::Acceptor, security), now) else { continue };
        core.handle_input(now, bytes.clone());
        while core.poll_event().is_some() {}
        while core.poll_output().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::avrs::{ContentFlags, Generation};
    use crate::secure::MemberKey;
    use crate::wire::{ChannelId, ChannelType, Flags, OpenOptions, PacketType};

    fn packet(kind: PacketType, sequence: u32, channel: ChannelId, flags: u8, data: &[u8]) -> Vec<u8> {
        let header =
            Header { size: data.len() as u32, kind: kind as u8, sequence, channel, flags: Flags(flags) };
        [&header.encode()[..], data].concat()
    }

    /// One good sample of everything that is read.
    fn samples() -> Vec<Vec<u8>> {
        let content = Content {
            stream: 1,
            flags: ContentFlags::HEADER,
            generation: Generation::default(),
            timestamp: 2,
            item: 3,
            data: Bytes::from_static(b"data"),
        };
        let signed = content.sign_head(&MemberKey::from_bytes(&[1; 32]).unwrap()).unwrap();
        let (kind, channel) = (ChannelType::MEDIA, ChannelId(4));
        let open = Control::Open { channel, kind, options: OpenOptions::NONE, credit: 99 }.encode();
        let config = Config::clear(Side::Dialer, Role::CLIENT);
        let mut dialer = Core::new(config, Instant::now()).unwrap();
        dialer.open(kind, OpenOptions::NONE).unwrap();
        let mut link = packet(PacketType::Control, 0, ChannelId::CONTROL, 0, &open);
        link.extend(packet(PacketType::Keepalive, 1, ChannelId::CONTROL, 0, &Echo::Ask(5).encode()));
        link.extend(packet(PacketType::Data, 0, channel, 4, &[9, 0, 0, 0, 0, 0, 0, 0, 1, 2]));
        link.extend(packet(PacketType::Close, 1, channel, 0, &Notice::done().encode()));
        let load = ClusterMessage::ReportLoad(Load::default()).encode(1);
        let quality = Signal::Quality(Quality::default()).encode(1);
        vec![
            [&signed[..], b"data"].concat(),
            open.to_vec(),
            link,
            load.to_vec(),
            quality.to_vec(),
            lz4_flex::block::compress_prepend_size(&[7; 500]),
            dialer.poll_output().unwrap().to_bytes().to_vec(),
        ]
    }

    #[test]
    fn no_truncation_and_no_flipped_bit_of_a_sample_panics() {
        for sample in samples() {
            for cut in 0..=sample.len() {
                fuzz_parsers(&sample[..cut]);
            }
            for bit in 0..sample.len() * 8 {
                let mut flipped = sample.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                fuzz_parsers(&flipped);
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            fuzz_parsers(&bytes);
        }

        #[test]
        fn no_sequence_of_packets_panics(packets in prop::collection::vec(
            (1..6_u8, 0..4_u32, prop::sample::select(vec![0_u16, 3, 4, 0x63, 0x100, 0x101]), 0..8_u8,
             prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 3, 4, 8, 0x63, 255]), 0..20)), 0..30)) {
            let stream: Vec<u8> = packets
                .iter()
                .flat_map(|(kind, sequence, channel, flags, data)| {
                    packet(PacketType::from_number(*kind).unwrap(), *sequence, ChannelId(*channel), *flags, data)
                })
                .collect();
            fuzz_parsers(&stream);
        }
    }
}
