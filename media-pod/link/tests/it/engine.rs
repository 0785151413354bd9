use std::sync::{Arc, Mutex};

use bytes::Bytes;
use millrace_link::engine::{Filter, OpenError, Verdict};
use millrace_link::wire::{
    ChannelId, ChannelType, Code, Control, HEADER_LEN, Header, Notice, OpenOptions, Role,
};
use millrace_link::{CloseReason, Config, Event, Side};
use proptest::prelude::*;

use crate::pair::{Pair, drain, events, messages, packet};

#[test]
fn a_channel_opens_carries_messages_both_ways_and_closes() {
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::MEDIA);
    let (small, large) = (Bytes::from_static(b"hello"), pair.random.bytes(300_000));
    pair.dialer.send(id, Bytes::from_static(b"head "), small).unwrap();
    pair.acceptor.send(id, Bytes::new(), large.clone()).unwrap();
    pair.pump();
    assert_eq!(messages(&mut pair.acceptor), [&b"head hello"[..]]);
    assert_eq!(messages(&mut pair.dialer), [large]);
    pair.dialer.close_channel(id, Notice::new(Code::SUCCESS, "enough"));
    pair.pump();
    let notice = Notice::new(Code::SUCCESS, "enough");
    assert_eq!(events(&mut pair.acceptor), [Event::ChannelClosed { channel: id, notice: notice.clone() }]);
    assert_eq!(events(&mut pair.dialer), [Event::ChannelClosed { channel: id, notice }]);
    assert_eq!(pair.channel(ChannelType::MEDIA), id, "it can be opened again");
}

#[test]
fn what_was_queued_before_a_close_still_arrives() {
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::FILE);
    let file = pair.random.bytes(400_000);
    pair.dialer.send(id, Bytes::new(), file.clone()).unwrap();
    pair.dialer.send(id, Bytes::new(), file.clone()).unwrap();
    pair.dialer.close_channel(id, Notice::done());
    pair.pump();
    assert_eq!(messages(&mut pair.acceptor), [file.clone(), file]);
}

#[test]
fn a_refused_channel_says_why() {
    let mut pair = Pair::clear();
    let id = pair.dialer.open(ChannelType::CUSTOM, OpenOptions::NONE).unwrap();
    pair.pump();
    pair.acceptor.refuse(id, Code::CONTENT_NOT_FOUND, "not here");
    pair.pump();
    let notice = Notice::new(Code::CONTENT_NOT_FOUND, "not here");
    assert!(events(&mut pair.dialer).contains(&Event::Refused { channel: id, notice }));
}

#[test]
fn both_sides_may_open_the_same_channel_at_once() {
    let mut pair = Pair::clear();
    let id = pair.dialer.open(ChannelType::SESSION, OpenOptions::NONE).unwrap();
    pair.acceptor.open(ChannelType::SESSION, OpenOptions::NONE).unwrap();
    pair.pump();
    assert!(pair.dialer.is_open(id) && pair.acceptor.is_open(id));
}

#[test]
fn channels_that_cannot_be_are_refused_on_both_sides() {
    let mut pair = Pair::clear();
    let open = |pair: &mut Pair, kind| pair.dialer.open(ChannelType(kind), OpenOptions::NONE);
    for kind in [0x00, 0x03, 0x05, 0x0f] {
        assert_eq!(open(&mut pair, kind), Err(OpenError::Type(kind)));
    }
    assert_eq!(pair.dialer.open(ChannelType::CUSTOM, OpenOptions::ENCRYPTED), Err(OpenError::NoKey));
    let wrong = [(0x04, 0x63, 0), (0x101, 0x63, 0), (0x05, 0x05, 0), (0x10, 0x10, 1)];
    for (sequence, (id, kind, options)) in wrong.into_iter().enumerate() {
        let open = Control::Open {
            channel: ChannelId(id),
            kind: ChannelType(kind),
            options: OpenOptions(options),
            credit: 1000,
        };
        pair.acceptor
            .handle_input(pair.now, packet(2, sequence as u32, ChannelId::CONTROL, 0, &open.encode()));
        let answer = drain(&mut pair.acceptor);
        let header = Header::decode(*answer.first_chunk::<HEADER_LEN>().unwrap());
        assert_eq!((header.kind, header.channel.0), (4, id), "a CLOSE refuses it");
    }
}

#[test]
fn dynamic_channels_have_ids_of_their_own_on_each_side() {
    let mut pair = Pair::clear();
    let even = pair.dialer.open_dynamic(ChannelType::CONTENT, OpenOptions::NONE).unwrap();
    let odd = pair.acceptor.open_dynamic(ChannelType::CONTENT, OpenOptions::NONE).unwrap();
    assert_eq!((even.0, odd.0), (0x100, 0x101));
    pair.pump();
    pair.acceptor.accept(even).unwrap();
    pair.dialer.accept(odd).unwrap();
    pair.pump();
    assert!(pair.dialer.is_open(odd) && pair.acceptor.is_open(even));
    assert_eq!(pair.dialer.stats().active_channels, 4, "with channels 0 and 3");
}

#[test]
fn a_large_file_does_not_hold_up_media() {
    let mut pair = Pair::clear();
    let (file, media) = (pair.channel(ChannelType::FILE), pair.channel(ChannelType::MEDIA));
    let large = pair.random.bytes(500_000);
    pair.dialer.send(file, Bytes::new(), large.clone()).unwrap();
    pair.dialer.poll_output().unwrap();
    pair.dialer.send(media, Bytes::new(), Bytes::from_static(b"frame")).unwrap();
    let mut before = 0;
    loop {
        let packet = pair.dialer.poll_output().unwrap().to_bytes();
        pair.acceptor.handle_input(pair.now, packet.clone());
        if Header::decode(*packet.first_chunk().unwrap()).channel == media {
            break;
        }
        before += 1;
    }
    assert!(before <= 1, "{before} fragments of the file came first");
}

#[test]
fn media_gets_four_times_what_files_get() {
    let mut pair = Pair::clear();
    let (file, media) = (pair.channel(ChannelType::FILE), pair.channel(ChannelType::MEDIA));
    let large = pair.random.bytes(500_000);
    pair.dialer.send(file, Bytes::new(), large.clone()).unwrap();
    pair.dialer.send(media, Bytes::new(), large).unwrap();
    let mut sent = [0, 0];
    for _ in 0..20 {
        let packet = pair.dialer.poll_output().unwrap().to_bytes();
        let header = Header::decode(*packet.first_chunk().unwrap());
        sent[usize::from(header.channel == media)] += 1;
    }
    assert!((3..=5).contains(&(sent[1] / sent[0])), "{sent:?}");
}

#[test]
fn callbacks_run_in_the_order_they_were_registered_and_one_may_consume() {
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::CUSTOM);
    let log = Arc::new(Mutex::new(Vec::new()));
    for (number, filter) in
        [(1, Filter::Any), (2, Filter::Type(ChannelType::MEDIA)), (3, Filter::Channel(id))]
    {
        let log = log.clone();
        pair.acceptor.on_packet(filter, move |packet| {
            log.lock().unwrap().push((number, packet.data.len()));
            if number == 3 && packet.data.len() == 2 { Verdict::Consume } else { Verdict::Pass }
        });
    }
    let last = log.clone();
    pair.acceptor.on_packet(Filter::Any, move |packet| {
        last.lock().unwrap().push((4, packet.data.len()));
        Verdict::Pass
    });
    pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"1")).unwrap();
    pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"22")).unwrap();
    pair.pump();
    assert_eq!(*log.lock().unwrap(), [(1, 1), (3, 1), (4, 1), (1, 2), (3, 2)]);
    assert_eq!(messages(&mut pair.acceptor), [&b"1"[..]]);
}

#[test]
fn skipped_numbers_are_loss_and_old_ones_are_replays() {
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::MEDIA);
    let data = |sequence: u32| packet(1, sequence, id, 0, &sequence.to_le_bytes());
    for sequence in [0, 1, 5, 5, 2, 6] {
        pair.acceptor.handle_input(pair.now, data(sequence));
    }
    let got: Vec<_> = messages(&mut pair.acceptor).iter().map(|message| message[0]).collect();
    assert_eq!(got, [0, 1, 5, 6]);
    let stats = pair.acceptor.stats();
    assert_eq!((stats.lost, stats.replayed), (3, 2));
    assert_eq!(pair.acceptor.channel_stats(id).unwrap().lost, 3);
}

#[test]
fn a_message_whose_piece_is_missing_is_dropped_and_the_next_one_arrives() {
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::MEDIA);
    let (first, second) = (pair.random.bytes(60_000), pair.random.bytes(60_000));
    for message in [&first, &second] {
        pair.dialer.send(id, Bytes::new(), message.clone()).unwrap();
    }
    let mut number = 0;
    while let Some(packet) = pair.dialer.poll_output() {
        if number != 1 {
            pair.acceptor.handle_input(pair.now, packet.to_bytes());
        }
        number += 1;
    }
    assert_eq!(messages(&mut pair.acceptor), [second]);
    assert!(pair.acceptor.stats().aborted > 0);
}

#[test]
fn nonsense_gets_an_error_and_the_link_goes_on() {
    let mut pair = Pair::clear();
    let id = pair.channel(ChannelType::MEDIA);
    let unopened = ChannelId(0x44);
    let nonsense = [
        packet(9, 0, id, 0, b""),
        packet(1, 1, id, 0xf0, b""),
        packet(2, 2, id, 0, b""),
        packet(1, 0, unopened, 0, b"data"),
        packet(1, 0, ChannelId::SECURITY, 0, b"data"),
    ];
    for bytes in nonsense {
        pair.acceptor.handle_input(pair.now, bytes);
        let answer = drain(&mut pair.acceptor);
        let header = Header::decode(*answer.first_chunk::<HEADER_LEN>().unwrap());
        assert_eq!(header.kind, 5);
        assert!(!pair.acceptor.is_closed());
    }
    assert_eq!(pair.acceptor.stats().complaints, 5);
}

#[test]
fn a_flood_of_questions_that_nobody_reads_the_answers_of_ends_the_link() {
    let mut pair = Pair::clear();
    for sequence in 0..10_000 {
        pair.acceptor.handle_input(pair.now, packet(3, sequence, ChannelId::CONTROL, 0, &[0; 9]));
    }
    assert!(pair.acceptor.is_closed());
    assert!(drain(&mut pair.acceptor).len() < 1000);
}

#[test]
fn garbage_ends_the_link_with_a_word_about_it() {
    let mut pair = Pair::clear();
    pair.acceptor.handle_input(pair.now, Bytes::from_static(&[0xff; 100]));
    let reason = events(&mut pair.acceptor).pop().unwrap();
    assert!(
        matches!(reason, Event::Closed(CloseReason::Failed(notice)) if notice.code == Code::ARG_INCORRECT)
    );
    pair.pump();
    let told = events(&mut pair.dialer);
    assert!(told.iter().any(|event| matches!(event, Event::Closed(CloseReason::Peer(_)))), "{told:?}");
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let config = Config { max_fragment: 100, ..Config::clear(Side::Dialer, Role::CLIENT) };
    let error = millrace_link::Core::new(config, std::time::Instant::now()).err().unwrap();
    assert_eq!(error.to_string(), "max_fragment is 100: 512 to 66048 would be right");
}

#[test]
fn more_channels_than_allowed_are_refused() {
    let acceptor = Config { max_channels: 2, ..Config::clear(Side::Acceptor, Role::CLIENT) };
    let mut pair = Pair::with(Config::clear(Side::Dialer, Role::SERVER), acceptor);
    let ids: Vec<_> =
        (0..3).map(|_| pair.dialer.open_dynamic(ChannelType::CONTENT, OpenOptions::NONE).unwrap()).collect();
    pair.pump();
    let refused: Vec<_> = events(&mut pair.dialer)
        .into_iter()
        .filter_map(|event| if let Event::Refused { channel, .. } = event { Some(channel) } else { None })
        .collect();
    assert_eq!(refused, ids[2..]);
}

fn act(core: &mut millrace_link::Core, id: ChannelId, op: u8) {
    let kind = ChannelType(id.0 as u8);
    // What is not allowed now is an error here, and nothing is sent.
    match op {
        0 => drop(core.open(kind, OpenOptions::NONE)),
        1 => drop(core.accept(id)),
        2 => core.refuse(id, Code::ERROR, "no"),
        3 => core.close_channel(id, Notice::done()),
        _ => drop(core.send(id, Bytes::new(), vec![op; 3000].into())),
    }
}

proptest! {
    #[test]
    fn whatever_users_do_whatever_crosses_neither_side_is_ever_wrong(
        ops in prop::collection::vec((any::<bool>(), 0..8_u8, 0x20..0x22_u16), 0..120),
    ) {
        let mut pair = Pair::clear();
        for (dialer, op, id) in ops {
            let id = ChannelId(id);
            if op > 5 {
                // One packet of one direction arrives.
                let (from, to) = if dialer { (&mut pair.dialer, &mut pair.acceptor) } else { (&mut pair.acceptor, &mut pair.dialer) };
                let packet = from.poll_output();
                if let Some(packet) = packet { to.handle_input(pair.now, packet.to_bytes()); }
            } else {
                act(if dialer { &mut pair.dialer } else { &mut pair.acceptor }, id, op);
            }
            messages(&mut pair.dialer);
            messages(&mut pair.acceptor);
        }
        pair.pump();
        for id in [ChannelId(0x20), ChannelId(0x21)] {
            // Nobody waits for an answer any more but for the user's.
            prop_assert_eq!(pair.dialer.is_open(id), pair.acceptor.is_open(id));
            pair.dialer.refuse(id, Code::ERROR, "no");
            pair.acceptor.refuse(id, Code::ERROR, "no");
            pair.dialer.close_channel(id, Notice::done());
        }
        pair.pump();
        prop_assert_eq!((pair.dialer.channels().count(), pair.acceptor.channels().count()), (0, 0));
        prop_assert_eq!((pair.dialer.stats().complaints, pair.acceptor.stats().complaints), (0, 0));
        prop_assert!(!pair.dialer.is_closed() && !pair.acceptor.is_closed());
    }
}

#[test]
fn thousands_of_channels_may_be_opened_at_once() {
    let config = |side, role| Config { max_channels: 10_000, ..Config::clear(side, role) };
    let mut pair = Pair::with(config(Side::Dialer, Role::SERVER), config(Side::Acceptor, Role::CLIENT));
    pair.pump();
    for _ in 0..10_000 {
        pair.dialer.open_dynamic(ChannelType::CONTENT, OpenOptions::NONE).unwrap();
    }
    // All in one piece.
    pair.acceptor.handle_input(pair.now, drain(&mut pair.dialer).into());
    for event in events(&mut pair.acceptor) {
        if let Event::OpenRequest { channel, .. } = event {
            pair.acceptor.accept(channel).unwrap();
        }
    }
    pair.pump();
    assert_eq!((pair.dialer.stats().active_channels, pair.dialer.is_closed()), (10_002, false));
}
