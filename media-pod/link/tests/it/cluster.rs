use bytes::Bytes;
use millrace_link::avrs::rights::CLUSTER_OPS;
use millrace_link::avrs::{
    Announcement, ClusterMessage, Load, Member, Quality, Request, Serving, Signal, may,
};
use millrace_link::secure::MemberId;
use millrace_link::wire::{Code, Role, Sections};

fn messages() -> Vec<ClusterMessage> {
    let member = Member { id: MemberId([3; 32]), role: Role::SERVER, address: "10.0.0.1:8443".into() };
    vec![
        ClusterMessage::AddMember(member),
        ClusterMessage::RemoveMember(MemberId([3; 32])),
        ClusterMessage::ListMembers,
        ClusterMessage::Announce(Announcement {
            path: "/live/one".into(),
            feed_uid: "0b9c".into(),
            epoch: 12,
            grant: Bytes::from_static(b"signed"),
            stream: 99,
            serving: Serving {
                ask: true,
                content_type: Some("video/mp2t".into()),
                address: Some("10.0.0.7:9000".into()),
                relay: Some("token".into()),
            },
        }),
        ClusterMessage::Withdraw { path: "/live/one".into(), epoch: 12 },
        ClusterMessage::ReportLoad(Load { sessions: 3, capacity: 9, bytes_per_second: 1 << 40, cpu: 250 }),
        ClusterMessage::Redirect { path: "/live/one".into(), address: "10.0.0.2:8443".into() },
        ClusterMessage::Drain,
    ]
}

#[test]
fn every_cluster_message_comes_back() {
    for message in messages() {
        let request = Request::decode(&message.encode(5)).unwrap();
        assert_eq!(request.request, 5);
        assert_eq!(ClusterMessage::decode(&request, Role::ALL), Ok(message));
    }
}

/// Columns: add, remove, list, announce, withdraw, load, redirect, drain.
const RIGHTS: [(Role, &str); 5] = [
    (Role::CLIENT, "--------"),
    (Role::HOST, "yyy---yy"),
    (Role::OPERATOR, "--y----y"),
    (Role::SERVER, "--yyyyy-"),
    (Role::BALANCER, "--y--yy-"),
];

#[test]
fn each_role_may_ask_what_the_table_says_and_gets_the_code_else() {
    for (role, row) in RIGHTS {
        for ((op, cell), message) in CLUSTER_OPS.into_iter().zip(row.chars()).zip(messages()) {
            assert_eq!(may(role, op).is_ok(), cell == 'y', "{role:?} {op:?}");
            let request = Request::decode(&message.encode(1)).unwrap();
            let expected = if cell == 'y' { Ok(message) } else { Err(Code::MEMBER_SECURITY_ISSUE) };
            assert_eq!(ClusterMessage::decode(&request, role), expected);
        }
    }
}

#[test]
fn cluster_messages_that_make_no_sense_get_their_codes() {
    let decode = |op: u8, args: &[u8]| {
        let bytes = [&[op, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0][..], args].concat();
        ClusterMessage::decode(&Request::decode(&bytes.into()).unwrap(), Role::ALL)
    };
    assert_eq!(decode(99, &[]), Err(Code::CLUSTER_WRONG_REQUEST));
    assert_eq!(decode(1, &[]), Err(Code::MEMBER_INFO_PROBLEM));
    assert_eq!(decode(4, &[]), Err(Code::ARG_INCORRECT));
    assert!(Request::decode(&Bytes::from_static(&[1, 0, 0])).is_none());
}

#[test]
fn lists_of_members_come_back() {
    let member =
        |byte| Member { id: MemberId([byte; 32]), role: Role::BALANCER, address: format!("a:{byte}") };
    let list: Vec<_> = (1..20).map(member).collect();
    let results = Sections::parse(Member::list(&list).finish()).unwrap();
    assert_eq!(Member::from_list(&results), list);
}

#[test]
fn signals_come_back() {
    let quality = Quality { lost: 1, received: 2, jitter: 3, latency: 4 };
    let metadata = vec![("title".to_owned(), "a = b".to_owned())];
    for signal in [
        Signal::Quality(quality),
        Signal::Metadata(metadata),
        Signal::Pause,
        Signal::Resume,
        Signal::GoingAway,
    ] {
        let request = Request::decode(&signal.encode(8)).unwrap();
        assert_eq!(Signal::decode(&request), Ok((8, signal)));
    }
}
