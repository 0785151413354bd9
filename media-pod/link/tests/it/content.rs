use bytes::Bytes;
use millrace_link::avrs::{Content, ContentFlags, ContentKind, Generation, SessionStats, sign};
use millrace_link::secure::{MemberKey, Members};
use millrace_link::wire::{Code, Role};
use proptest::prelude::*;
use std::time::Duration;

fn content(item: u64, epoch: u64) -> Content {
    Content {
        stream: 77,
        flags: ContentFlags::RANDOM_ACCESS.with(ContentFlags::UNIT_START),
        generation: Generation { epoch, run: 2 },
        timestamp: item * 40_000,
        item,
        data: Bytes::from(vec![5; 1000]),
    }
}

fn whole(head: &Bytes, content: &Content) -> Bytes {
    [&head[..], &content.data].concat().into()
}

#[test]
fn content_is_signed_once_and_each_fault_has_its_code() {
    let (key, members) = (MemberKey::generate().unwrap(), Members::new());
    members.insert(key.id(), Role::SERVER);
    let content = content(1, 1);
    let signed = whole(&content.sign_head(&key).unwrap(), &content);
    assert_eq!(Content::decode(&signed).unwrap(), content, "who does not verify still reads it");
    assert_eq!(sign::verify(&signed, &members).unwrap().by, key.id());

    let unsigned = whole(&content.encode_head(), &content);
    assert_eq!(sign::verify(&unsigned, &members), Err(Code::SIGN_NOT_PRESENT));

    for place in 0..signed.len() {
        let mut changed = signed.to_vec();
        changed[place] ^= 1;
        assert!(sign::verify(&changed, &members).is_err(), "byte {place}");
    }
    let mut changed = signed.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(sign::verify(&changed, &members), Err(Code::SIGN_INCORRECT));

    members.insert(key.id(), Role::BALANCER);
    assert_eq!(sign::verify(&signed, &members), Err(Code::SIGN_ALIEN), "a balancer is no origin");
    members.remove(&key.id());
    assert_eq!(sign::verify(&signed, &members), Err(Code::SIGN_ALIEN));
}

#[test]
fn a_session_counts_loss_and_jitter_and_lets_no_old_generation_pass() {
    let mut stats = SessionStats::default();
    for (item, arrival) in [(0, 0), (1, 40_000), (2, 85_000), (5, 200_000)] {
        assert!(stats.count(&content(item, 2), arrival));
    }
    assert!(!stats.count(&content(6, 1), 240_000), "an older epoch");
    assert!(stats.count(&content(0, 3), 280_000));
    assert_eq!((stats.packets, stats.bytes, stats.lost, stats.stale), (5, 5000, 2, 1));
    assert!(stats.jitter > 100.0 && stats.jitter < 5000.0, "{}", stats.jitter);
    let back = SessionStats::decode(&stats.encode()).unwrap();
    assert_eq!((back.packets, back.lost, back.stale), (5, 2, 1));
}

#[test]
fn every_kind_of_content_comes_back() {
    let kinds = [
        ContentKind::Live,
        ContentKind::Vod { position: Duration::from_millis(90_500) },
        ContentKind::Interactive { chat: true, polls: false, moderation: true },
    ];
    for kind in kinds {
        assert_eq!(ContentKind::decode(&kind.encode()), Some(kind));
    }
    assert_eq!(ContentKind::decode(&[2, 8]), None);
    assert_eq!(ContentKind::decode(&[1, 0]), None);
}

proptest! {
    #[test]
    fn content_comes_back(stream: u64, flags: u8, epoch: u64, run: u64, timestamp: u64, item: u64, data in prop::collection::vec(any::<u8>(), 0..500)) {
        let content = Content {
            stream, flags: ContentFlags(flags), generation: Generation { epoch, run }, timestamp, item, data: data.into(),
        };
        prop_assert_eq!(Content::decode(&whole(&content.encode_head(), &content)).unwrap(), content);
    }
}
