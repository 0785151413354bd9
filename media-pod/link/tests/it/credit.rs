use bytes::Bytes;
use millrace_link::engine::{Grants, PACKET_COST, Piece};
use millrace_link::wire::{ChannelType, Flags, Header, Role};
use millrace_link::{Config, Event, SendError, Side};
use proptest::prelude::*;

use crate::pair::{Pair, drain, events};

fn small() -> Pair {
    let config = |side| Config { window: 16_384, max_fragment: 1024, ..Config::clear(side, Role::SERVER) };
    Pair::with(config(Side::Dialer), config(Side::Acceptor))
}

#[test]
fn nothing_more_is_sent_than_was_granted_and_all_of_it_once_it_is_consumed() {
    let mut pair = small();
    let id = pair.channel(ChannelType::MEDIA);
    let message = pair.random.bytes(5000);
    for _ in 0..20 {
        pair.dialer.send(id, Bytes::new(), message.clone()).unwrap();
    }
    pair.pump();
    assert!(!pair.acceptor.is_closed(), "{:?}", events(&mut pair.acceptor));
    let held: Vec<_> = events(&mut pair.acceptor);
    let charge: u32 =
        held.iter().map(|event| if let Event::Packet(packet) = event { packet.charge } else { 0 }).sum();
    assert!(held.len() >= 2 && charge <= 16_384, "{} messages of {charge}", held.len());
    let mut seen = held.len();
    for event in &held {
        if let Event::Packet(packet) = event {
            pair.acceptor.consumed(id, packet.charge);
        }
    }
    for _ in 0..40 {
        pair.pump();
        seen += crate::pair::messages(&mut pair.acceptor).len();
    }
    assert_eq!(seen, 20);
}

#[test]
fn a_sender_that_ignores_its_credit_is_cut_off() {
    let mut pair = small();
    let id = pair.channel(ChannelType::MEDIA);
    let packet = |sequence| {
        let header = Header { size: 4000, kind: 1, sequence, channel: id, flags: Flags::NONE };
        [&header.encode()[..], &[0; 4000]].concat()
    };
    for sequence in 0..5 {
        assert!(!pair.acceptor.is_closed(), "{sequence}");
        pair.acceptor.handle_input(pair.now, packet(sequence).into());
    }
    assert!(pair.acceptor.is_closed());
}

#[test]
fn a_full_channel_says_so_and_says_when_it_is_not() {
    let mut pair = small();
    let id = pair.channel(ChannelType::MEDIA);
    let message = Bytes::from(vec![7; 8000]);
    let queued =
        (0..1000).take_while(|_| pair.dialer.send(id, Bytes::new(), message.clone()).is_ok()).count();
    assert!((100..200).contains(&queued), "{queued}");
    assert_eq!(pair.dialer.send(id, Bytes::new(), message.clone()), Err(SendError::Full));
    assert!(!pair.dialer.is_writable(id));
    for _ in 0..20_000 {
        pair.pump();
        crate::pair::messages(&mut pair.acceptor);
        if events(&mut pair.dialer).contains(&Event::Writable(id)) {
            return assert!(pair.dialer.is_writable(id));
        }
    }
    panic!("never writable");
}

#[test]
fn a_message_of_more_than_half_the_peers_window_is_refused_here() {
    let mut pair = small();
    let id = pair.channel(ChannelType::MEDIA);
    let error = pair.dialer.send(id, Bytes::new(), vec![0; 8193].into()).unwrap_err();
    assert_eq!(error, SendError::TooLarge { len: 8193, max: 8192 });
}

proptest! {
    #[test]
    fn grants_never_exceed_the_window(window in 8192..100_000_u32, steps in prop::collection::vec((any::<bool>(), 0..20_000_u32), 0..100)) {
        let mut grants = Grants::new(window);
        let (mut sent, mut allowed, mut held) = (0_u64, u64::from(window), 0_u64);
        for (take, amount) in steps {
            if take {
                if grants.take(amount) { sent += u64::from(amount); held += u64::from(amount); }
            } else {
                let amount = u64::from(amount).min(held);
                held -= amount;
                allowed += u64::from(grants.consumed(amount as u32).unwrap_or(0));
            }
            prop_assert!(sent <= allowed);
            prop_assert!(allowed - sent + held <= u64::from(window));
            prop_assert_eq!(u64::from(grants.open()), allowed - sent);
        }
    }

    #[test]
    fn pieces_of_a_message_fit_their_budget_and_end(len in 0..50_000_usize, budgets in prop::collection::vec(0..5000_usize, 1..200)) {
        let (mut sent, mut first) = (0, true);
        for budget in budgets {
            let Some(piece) = Piece::next(len, sent, budget, 1024) else { continue };
            let prefix = if piece.fragment { 8 } else { 0 };
            prop_assert!(piece.take <= 1024 && piece.take + prefix <= budget);
            prop_assert!(first || piece.fragment);
            prop_assert!(piece.take > 0 || len == 0);
            first = false;
            sent += piece.take;
            if sent == len { return Ok(()) }
        }
    }

    #[test]
    fn whatever_is_sent_arrives_in_order_whatever_is_consumed_when(
        sizes in prop::collection::vec(0..8000_usize, 1..40), seed in 1..u64::MAX, lazy in 1..6_usize,
    ) {
        let mut pair = small();
        pair.random.0 = seed;
        let id = pair.channel(ChannelType::CUSTOM);
        let sent: Vec<_> = sizes.iter().map(|size| pair.random.bytes(*size)).collect();
        let (mut next, mut got, mut held) = (0, Vec::new(), Vec::new());
        for _ in 0..2000 {
            while next < sent.len() && pair.dialer.send(id, Bytes::new(), sent[next].clone()).is_ok() { next += 1; }
            pair.pump();
            for event in events(&mut pair.acceptor) {
                if let Event::Packet(packet) = event { held.push(packet.charge); got.push(packet.data); }
            }
            prop_assert!(held.iter().sum::<u32>() <= 16_384);
            prop_assert!(held.iter().all(|charge| *charge >= PACKET_COST));
            if pair.random.below(lazy) == 0 && !held.is_empty() {
                let charge = held.remove(0);
                pair.acceptor.consumed(id, charge);
            }
            if got.len() == sent.len() { break }
        }
        prop_assert_eq!(got, sent);
        drain(&mut pair.dialer);
    }
}
