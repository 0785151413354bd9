use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use millrace_link::secure::handshake::Credentials;
use millrace_link::secure::identity::KeyError;
use millrace_link::secure::{MemberKey, Members, REKEY_AFTER, Seal, SealError, Secrecy};
use millrace_link::wire::{ChannelId, ChannelType, Code, Flags, Header, OpenOptions, Role};
use millrace_link::{CloseReason, Config, Core, Event, Security, Side};

use crate::pair::{Pair, drain, events, messages};

pub struct World {
    pub server: Arc<MemberKey>,
    pub balancer: Arc<MemberKey>,
    pub members: Arc<Members>,
}

impl World {
    pub fn new() -> Self {
        let (server, balancer) = (MemberKey::generate().unwrap(), MemberKey::generate().unwrap());
        let members = Members::with_nameless_clients();
        members.insert(server.id(), Role::SERVER);
        members.insert(balancer.id(), Role::BALANCER);
        Self { server: server.into(), balancer: balancer.into(), members: members.into() }
    }

    pub fn credentials(&self, key: Option<&Arc<MemberKey>>, role: Role, secrecy: Secrecy) -> Credentials {
        Credentials {
            key: key.cloned(),
            role,
            grant: Bytes::from_static(b"grant"),
            trust: self.members.clone(),
            secrecy,
            binding: Bytes::new(),
        }
    }

    pub fn config(&self, side: Side, secrecy: Secrecy) -> Config {
        let (key, role) = match side {
            Side::Dialer => (&self.server, Role::SERVER),
            Side::Acceptor => (&self.balancer, Role::BALANCER),
        };
        Config::new(side, Security::Handshake(self.credentials(Some(key), role, secrecy)))
    }

    pub fn pair(&self, secrecy: Secrecy) -> Pair {
        Pair::with(self.config(Side::Dialer, secrecy), self.config(Side::Acceptor, secrecy))
    }
}

fn failure(pair: &mut Pair, side: Side) -> Code {
    pair.pump();
    let core = if side == Side::Dialer { &mut pair.dialer } else { &mut pair.acceptor };
    let events = events(core);
    match events.last() {
        Some(Event::Closed(CloseReason::Failed(notice))) => notice.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_know_each_other_after_the_handshake() {
    let world = World::new();
    let mut pair = world.pair(Secrecy::Transport);
    assert!(!pair.dialer.is_ready());
    pair.pump();
    let (seen, by) = (pair.acceptor.peer().unwrap(), pair.dialer.peer().unwrap());
    assert_eq!((seen.id, seen.role, &seen.grant[..]), (Some(world.server.id()), Role::SERVER, &b"grant"[..]));
    assert_eq!((by.id, by.role), (Some(world.balancer.id()), Role::BALANCER));
}

#[test]
fn sealed_packets_say_nothing_and_arrive() {
    let world = World::new();
    let mut pair = world.pair(Secrecy::Packets);
    let id = pair.channel(ChannelType::MEDIA);
    let secret = Bytes::from(b"nobody may read this".repeat(3000));
    pair.dialer.send(id, Bytes::new(), secret.clone()).unwrap();
    let wire = drain(&mut pair.dialer);
    assert!(!wire.windows(6).any(|part| part == b"nobody"));
    pair.acceptor.handle_input(pair.now, wire.into());
    assert_eq!(messages(&mut pair.acceptor), [secret]);
}

#[test]
fn the_stricter_wish_for_secrecy_holds() {
    let world = World::new();
    let both = [(Secrecy::Transport, Secrecy::Packets), (Secrecy::Packets, Secrecy::Transport)];
    for (dialer, acceptor) in both {
        let mut pair = Pair::with(world.config(Side::Dialer, dialer), world.config(Side::Acceptor, acceptor));
        let id = pair.channel(ChannelType::MEDIA);
        pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"x")).unwrap();
        let packet = pair.dialer.poll_output().unwrap().to_bytes();
        assert!(Header::decode(*packet.first_chunk().unwrap()).flags.has(Flags::ENCRYPTED));
    }
}

#[test]
fn any_bit_changed_in_a_sealed_packet_ends_the_link() {
    let world = World::new();
    // Not the size, which makes it another packet.
    for place in [4, 5, 9, 11, 12, 13, 20, 30] {
        let mut pair = world.pair(Secrecy::Packets);
        let id = pair.channel(ChannelType::MEDIA);
        pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"hello hello")).unwrap();
        let mut wire = drain(&mut pair.dialer);
        wire[place] ^= 1;
        pair.acceptor.handle_input(pair.now, wire.into());
        assert!(messages(&mut pair.acceptor).is_empty() && pair.acceptor.is_closed(), "byte {place}");
    }
}

#[test]
fn a_packet_in_clear_on_a_sealed_link_ends_it() {
    let world = World::new();
    let mut pair = world.pair(Secrecy::Packets);
    let id = pair.channel(ChannelType::MEDIA);
    let header = Header { size: 1, kind: 1, sequence: 0, channel: id, flags: Flags::NONE };
    pair.acceptor.handle_input(pair.now, [&header.encode()[..], b"x"].concat().into());
    assert_eq!(failure(&mut pair, Side::Acceptor), Code::MEMBER_SECURITY_ISSUE);
}

#[test]
fn a_replayed_sealed_packet_is_dropped() {
    let world = World::new();
    let mut pair = world.pair(Secrecy::Packets);
    let id = pair.channel(ChannelType::MEDIA);
    pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"once")).unwrap();
    let wire = Bytes::from(drain(&mut pair.dialer));
    pair.acceptor.handle_input(pair.now, wire.clone());
    pair.acceptor.handle_input(pair.now, wire);
    assert_eq!(messages(&mut pair.acceptor).len(), 1);
    assert_eq!(pair.acceptor.stats().replayed, 1);
}

#[test]
fn strangers_wrong_roles_and_the_nameless_get_their_codes() {
    let world = World::new();
    let stranger = Arc::new(MemberKey::generate().unwrap());
    let cases = [
        (Some(&stranger), Role::SERVER, Code::SIGN_ALIEN),
        (Some(&world.server), Role::HOST, Code::MEMBER_SECURITY_ISSUE),
        (None, Role::SERVER, Code::MEMBER_SECURITY_ISSUE),
    ];
    for (key, role, code) in cases {
        let dialer = Security::Handshake(world.credentials(key, role, Secrecy::Packets));
        let acceptor = world.config(Side::Acceptor, Secrecy::Packets);
        let mut pair = Pair::with(Config::new(Side::Dialer, dialer), acceptor);
        assert_eq!(failure(&mut pair, Side::Acceptor), code);
        assert!(pair.dialer.is_closed(), "it was told");
    }
    let dialer = Security::Handshake(world.credentials(None, Role::CLIENT, Secrecy::Packets));
    let mut pair =
        Pair::with(Config::new(Side::Dialer, dialer), world.config(Side::Acceptor, Secrecy::Packets));
    pair.pump();
    assert_eq!(pair.acceptor.peer().unwrap().role, Role::CLIENT);
}

#[test]
fn an_acceptor_that_is_no_member_is_not_believed() {
    let world = World::new();
    let stranger = Arc::new(MemberKey::generate().unwrap());
    for (key, code) in [(Some(&stranger), Code::SIGN_ALIEN), (None, Code::SIGN_NOT_PRESENT)] {
        let acceptor = Security::Handshake(world.credentials(key, Role::BALANCER, Secrecy::Packets));
        let dialer = world.config(Side::Dialer, Secrecy::Packets);
        let mut pair = Pair::with(dialer, Config::new(Side::Acceptor, acceptor));
        assert_eq!(failure(&mut pair, Side::Dialer), code);
    }
}

#[test]
fn a_handshake_passed_on_between_two_transports_fails() {
    let world = World::new();
    let bound = |side, binding: &'static [u8]| {
        let mut config = world.config(side, Secrecy::Transport);
        if let Security::Handshake(credentials) = &mut config.security {
            credentials.binding = Bytes::from_static(binding);
        }
        config
    };
    let mut pair = Pair::with(bound(Side::Dialer, b"one"), bound(Side::Acceptor, b"two"));
    assert_eq!(failure(&mut pair, Side::Dialer), Code::SIGN_INCORRECT);
    let mut pair = Pair::with(bound(Side::Dialer, b"one"), bound(Side::Acceptor, b"one"));
    pair.pump();
    assert!(pair.dialer.is_ready() && pair.acceptor.is_ready());
}

#[test]
fn any_byte_changed_in_the_handshake_fails_it() {
    let world = World::new();
    let now = Instant::now();
    let hello_len = {
        let mut dialer = Core::new(world.config(Side::Dialer, Secrecy::Transport), now).unwrap();
        drain(&mut dialer).len()
    };
    // Behind the packet header: tag, random, keys, secrecy (the last byte).
    for place in [12, 20, 40, 70, 200, 1000, hello_len - 1] {
        let mut pair = world.pair(Secrecy::Transport);
        let mut hello = drain(&mut pair.dialer);
        hello[place] ^= 1;
        pair.acceptor.handle_input(now, hello.into());
        pair.pump();
        assert!(!pair.dialer.is_ready() && !pair.acceptor.is_ready(), "byte {place}");
    }
}

#[test]
fn nothing_is_heard_before_the_handshake_and_it_must_not_take_long() {
    let world = World::new();
    let mut pair = world.pair(Secrecy::Packets);
    let header = Header { size: 1, kind: 1, sequence: 0, channel: ChannelId(4), flags: Flags::NONE };
    pair.acceptor.handle_input(pair.now, [&header.encode()[..], b"x"].concat().into());
    assert_eq!(failure(&mut pair, Side::Acceptor), Code::MEMBER_SECURITY_ISSUE);
    let mut pair = world.pair(Secrecy::Packets);
    assert!(pair.dialer.open(ChannelType::MEDIA, OpenOptions::NONE).is_err());
    pair.pass(Duration::from_millis(5999));
    assert!(!pair.acceptor.is_closed());
    pair.pass(Duration::from_millis(1));
    assert_eq!(events(&mut pair.acceptor), [Event::Closed(CloseReason::HandshakeTimeout)]);
}

#[test]
fn one_channel_may_be_sealed_where_the_link_is_not() {
    let world = World::new();
    let mut pair = world.pair(Secrecy::Transport);
    pair.pump();
    let id = pair.dialer.open(ChannelType(0x20), OpenOptions::ENCRYPTED).unwrap();
    pair.pump();
    pair.acceptor.accept(id).unwrap();
    pair.pump();
    events(&mut pair.acceptor);
    pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"nobody may read this")).unwrap();
    let wire = drain(&mut pair.dialer);
    assert!(!wire.windows(6).any(|part| part == b"nobody"));
    pair.acceptor.handle_input(pair.now, wire.into());
    assert_eq!(messages(&mut pair.acceptor).len(), 1);
}

#[test]
fn a_keyed_channel_needs_the_same_key_on_both_sides() {
    for (theirs, works) in [([1; 32], true), ([2; 32], false)] {
        let world = World::new();
        let mut pair = world.pair(Secrecy::Transport);
        pair.pump();
        let id = pair.dialer.open_keyed(ChannelType(0x20), [1; 32]).unwrap();
        pair.pump();
        assert!(pair.acceptor.accept(id).is_err());
        pair.acceptor.accept_keyed(id, Some(theirs)).unwrap();
        pair.pump();
        events(&mut pair.acceptor);
        pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"hello")).unwrap();
        pair.pump();
        assert_eq!(messages(&mut pair.acceptor).len(), usize::from(works));
        assert_eq!(pair.acceptor.is_closed(), !works);
    }
}

#[test]
fn keys_change_and_old_ones_are_gone() {
    let (secret, header) = ([7; 32], [0; 12]);
    let new = || Seal::new(&secret, ChannelId(4), None).unwrap();
    let (mut out, mut inward) = (new(), new());
    for number in [0, 1, REKEY_AFTER - 1, REKEY_AFTER, 3 * REKEY_AFTER + 5] {
        let sealed = out.seal(number, &header, &[b"ab", b"", b"c"]).unwrap();
        assert_eq!(inward.open(number, &header, BytesMut::from(&sealed[..])).unwrap(), &b"abc"[..]);
        let again = inward.open(number + 1, &header, BytesMut::from(&sealed[..]));
        assert_eq!(again, Err(SealError::Forged));
    }
    assert_eq!(out.seal(5, &header, &[b"x"]), Err(SealError::Old));
    let other = Seal::new(&secret, ChannelId(5), None).unwrap().seal(0, &header, &[b"abc"]).unwrap();
    assert_eq!(
        new().open(0, &header, BytesMut::from(&other[..])),
        Err(SealError::Forged),
        "each channel has keys of its own"
    );
}

#[test]
fn numbers_go_on_when_a_channel_is_opened_again() {
    let world = World::new();
    let mut pair = world.pair(Secrecy::Packets);
    let mut sequences = Vec::new();
    for _ in 0..3 {
        let id = pair.channel(ChannelType::MEDIA);
        pair.dialer.send(id, Bytes::new(), Bytes::from_static(b"same text")).unwrap();
        let packet = pair.dialer.poll_output().unwrap().to_bytes();
        sequences.push(Header::decode(*packet.first_chunk().unwrap()).sequence);
        pair.acceptor.handle_input(pair.now, packet);
        assert_eq!(messages(&mut pair.acceptor).len(), 1);
        pair.dialer.close_channel(id, millrace_link::Notice::done());
        pair.pump();
    }
    sequences.dedup();
    assert_eq!(sequences.len(), 3, "a number used twice would be a nonce used twice");
}

#[test]
fn keys_are_read_from_seeds_and_names_from_digits() {
    let key = MemberKey::from_bytes(&[9; 32]).unwrap();
    assert_eq!(MemberKey::from_bytes(&[9; 32]).unwrap().id(), key.id());
    assert!(MemberKey::from_bytes(&[9; 31]).is_err());
    let written = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let read = MemberKey::from_pem(written.serialize_pem().as_bytes()).unwrap();
    assert_eq!(read.id().0, written.public_key_raw());
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    assert_eq!(MemberKey::from_pem(other.serialize_pem().as_bytes()).err(), Some(KeyError::NotAKey));
    assert_eq!(MemberKey::from_pem(&written.serialize_der()).err(), Some(KeyError::NoPem));
    let id = key.id();
    assert_eq!(millrace_link::secure::MemberId::from_hex(&id.to_string()), Some(id));
    assert_eq!(millrace_link::secure::MemberId::from_hex("12"), None);
    assert!(id.verify(b"text", &key.sign(b"text").unwrap()));
    assert!(!id.verify(b"test", &key.sign(b"text").unwrap()));
}
