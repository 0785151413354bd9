use std::sync::Arc;

use bytes::Bytes;
use millrace_link::avrs::verifier::Opinion;
use millrace_link::avrs::{
    ClientEvent, ClientSessions, Command, ContentKind, Direction, Join, MAX_QUEUED, Request, Return,
    RolesOnly, ServerEvent, ServerSessions, Stage, Target, Verifier, session,
};
use millrace_link::secure::Claim;
use millrace_link::wire::{ChannelId, Code, Role, TsdWriter, tag};

fn server(role: Role) -> ServerSessions {
    ServerSessions::new(Claim { id: None, role, grant: Bytes::new() }, Arc::new(RolesOnly), 3)
}

fn target(content: &str, direction: Direction) -> Target {
    Target { content: content.into(), direction, kind: ContentKind::Live, quality: Some("720p".into()) }
}

/// The server answers as a user would who has one stream, `/live`.
fn deliver(server: &mut ServerSessions, client: &mut ClientSessions, message: &Bytes) -> ClientEvent {
    server.handle(message, |channel| channel.0 >= 0x100);
    match server.poll_event() {
        Some(ServerEvent::Select { session, target, .. }) if target.content == "/live" => {
            server.answer(session, Ok(TsdWriter::new().with(tag::STREAM, &7_u64.to_le_bytes())));
        }
        Some(ServerEvent::Select { session, .. }) => {
            server.answer(session, Err((Code::SESSION_CONTENT_ID_WRONG, "no such stream")));
        }
        Some(ServerEvent::Synchronise { session, .. }) => {
            server.answer(session, Ok(TsdWriter::new()));
        }
        _ => {}
    }
    client.handle(Return::decode(&server.poll_return().unwrap()).unwrap())
}

/// The steps in order; each must succeed.
fn walk(server: &mut ServerSessions, client: &mut ClientSessions, until: Stage) -> u32 {
    let (id, message) = client.create();
    let mut message = Some(message);
    while client.stage(id) < until {
        let next = message.take().unwrap_or_else(|| match client.stage(id) {
            Stage::Created => client.authenticate(id, b"").unwrap(),
            Stage::Authenticated => client.select(id, &target("/live", Direction::Watch)).unwrap(),
            Stage::Selected => client.open(id, ChannelId(0x100 + 2 * id as u16)).unwrap(),
            Stage::Opened => client.synchronise(id, Join::LastKeyframe, None).unwrap(),
            _ => client.stream(id).unwrap(),
        });
        assert!(matches!(deliver(server, client, &next), ClientEvent::Done { .. }));
    }
    id
}

#[test]
fn a_session_goes_from_create_to_close() {
    let (mut server, mut client) = (server(Role::CLIENT), ClientSessions::new());
    let id = walk(&mut server, &mut client, Stage::Streaming);
    assert_eq!((server.stage(id), client.stage(id)), (Stage::Streaming, Stage::Streaming));
    assert_eq!(server.by_channel(ChannelId(0x102)), Some(id));
    let monitor = client.monitor(id).unwrap();
    let ClientEvent::Done { results, .. } = deliver(&mut server, &mut client, &monitor) else { panic!() };
    assert!(results.get(tag::STATISTICS).is_some());
    let close = client.close(id).unwrap();
    deliver(&mut server, &mut client, &close);
    assert_eq!((server.stage(id), client.stage(id)), (Stage::None, Stage::None));
}

#[test]
fn every_wrong_step_gets_its_code_from_the_server_and_changes_nothing() {
    for stage in session::STAGES {
        for command in session::COMMANDS {
            let (mut server, mut client) = (server(Role::CLIENT), ClientSessions::new());
            let id = if stage == Stage::None { 1 } else { walk(&mut server, &mut client, stage) };
            while server.poll_event().is_some() {}
            let expected = session::step(stage, command);
            assert_eq!(
                client.ask(id, command, TsdWriter::new()).err(),
                expected.err(),
                "the client knows, too"
            );
            if let Err(code) = expected {
                server.handle(&Request::encode(command as u8, 9, id, TsdWriter::new()), |_| true);
                let returned = Return::decode(&server.poll_return().unwrap()).unwrap();
                assert_eq!((returned.code, returned.op, returned.request), (code, command as u8, 9));
                assert_eq!(server.stage(id), stage, "{stage:?} {command:?}");
                assert_eq!(server.poll_event(), None);
            }
        }
    }
}

fn failure(server: &mut ServerSessions, client: &mut ClientSessions, message: &Bytes) -> Code {
    match deliver(server, client, message) {
        ClientEvent::Failed { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_content_channels_and_arguments_get_their_codes() {
    let (mut server, mut client) = (server(Role::CLIENT), ClientSessions::new());
    let id = walk(&mut server, &mut client, Stage::Authenticated);
    for content in ["/other", ""] {
        let select = client.select(id, &target(content, Direction::Watch)).unwrap();
        assert_eq!(failure(&mut server, &mut client, &select), Code::SESSION_CONTENT_ID_WRONG);
    }
    let publish = client.select(id, &target("/live", Direction::Publish)).unwrap();
    assert_eq!(failure(&mut server, &mut client, &publish), Code::MEMBER_SECURITY_ISSUE);
    let select = client.select(id, &target("/live", Direction::Watch)).unwrap();
    deliver(&mut server, &mut client, &select);
    let open = client.open(id, ChannelId(4)).unwrap();
    assert_eq!(failure(&mut server, &mut client, &open), Code::CONTENT_FLOW_WRONG_ID);
    let open = client.open(id, ChannelId(0x100)).unwrap();
    deliver(&mut server, &mut client, &open);
    let second = walk(&mut server, &mut client, Stage::Selected);
    let open = client.open(second, ChannelId(0x100)).unwrap();
    assert_eq!(
        failure(&mut server, &mut client, &open),
        Code::CONTENT_FLOW_WRONG_ID,
        "it belongs to the first"
    );
}

#[test]
fn what_is_no_request_gets_a_code_and_no_hang_up() {
    let mut server = server(Role::CLIENT);
    let mut code = |bytes: &[u8]| {
        server.handle(&Bytes::copy_from_slice(bytes), |_| true);
        Return::decode(&server.poll_return().unwrap()).unwrap().code
    };
    assert_eq!(code(b""), Code::ARG_INCORRECT);
    assert_eq!(code(&[1; 12]), Code::SUCCESS);
    assert_eq!(code(&[77, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1]), Code::SESSION_WRONG_REQUEST);
    assert_eq!(code(&[1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 9]), Code::ARG_INCORRECT);
}

#[test]
fn a_member_has_no_more_sessions_than_it_may() {
    let (mut server, mut client) = (server(Role::CLIENT), ClientSessions::new());
    for _ in 0..3 {
        walk(&mut server, &mut client, Stage::Created);
    }
    let (_, message) = client.create();
    let event = deliver(&mut server, &mut client, &message);
    assert!(matches!(event, ClientEvent::Failed { code: Code::CONTENT_UNAVAILABLE, .. }));
}

struct Slow;

impl Verifier for Slow {
    fn authenticate(&self, _: &Claim, credentials: &Bytes) -> Opinion {
        if credentials.is_empty() { Opinion::Deny(Code::MEMBER_SECURITY_ISSUE) } else { Opinion::Later }
    }

    fn select(&self, _: &Claim, _: &str, _: Direction) -> Opinion {
        Opinion::Later
    }
}

#[test]
fn a_verifier_may_take_its_time_and_what_comes_meanwhile_waits() {
    let claim = Claim { id: None, role: Role::CLIENT, grant: Bytes::new() };
    let (mut server, mut client) = (ServerSessions::new(claim, Arc::new(Slow), 3), ClientSessions::new());
    let id = walk(&mut server, &mut client, Stage::Created);
    let denied = client.authenticate(id, b"").unwrap();
    assert!(matches!(deliver(&mut server, &mut client, &denied), ClientEvent::Failed { .. }));
    let message = client.authenticate(id, b"token").unwrap();
    server.handle(&message, |_| true);
    assert!(matches!(server.poll_event(), Some(ServerEvent::Authenticate { .. })));
    assert_eq!(server.poll_return(), None);
    assert_eq!(client.authenticate(id, b"token"), Err(Code::SESSION_WRONG_REQUEST), "it was asked before");
    let select = client.select(id, &target("/live", Direction::Watch)).unwrap();
    for _ in 0..MAX_QUEUED {
        server.handle(&select, |_| true);
        assert_eq!((server.poll_return(), server.poll_event()), (None, None));
    }
    server.handle(&message, |_| true);
    assert_eq!(Return::decode(&server.poll_return().unwrap()).unwrap().code, Code::SESSION_WRONG_REQUEST);
    assert!(server.answer(id, Ok(TsdWriter::new())));
    assert!(!server.answer(id, Ok(TsdWriter::new())));
    client.handle(Return::decode(&server.poll_return().unwrap()).unwrap());
    assert_eq!(client.stage(id), Stage::Authenticated);
    assert_eq!(server.poll_event(), None, "not before it is resumed");
    server.resume(|_| true);
    assert!(matches!(server.poll_event(), Some(ServerEvent::Select { undecided: true, .. })));
    assert_eq!((server.poll_return(), server.poll_event()), (None, None), "the next one waits");
    // A session that is closed answers all that waited.
    let close = client.close(id).unwrap();
    server.handle(&close, |_| true);
    let codes: Vec<Code> =
        std::iter::from_fn(|| server.poll_return()).map(|it| Return::decode(&it).unwrap().code).collect();
    let mut wanted = vec![Code::SESSION_NOT_OPENED; MAX_QUEUED - 1];
    wanted.insert(0, Code::SUCCESS);
    assert_eq!(codes, wanted);
}

#[test]
fn all_steps_may_be_said_at_once_and_the_first_refusal_stops_them() {
    for (content, stage) in [("/live", Stage::Streaming), ("/none", Stage::Authenticated)] {
        let (mut server, mut client) = (server(Role::CLIENT), ClientSessions::new());
        let (id, create) = client.create();
        let all = [
            create,
            client.authenticate(id, b"").unwrap(),
            client.select(id, &target(content, Direction::Watch)).unwrap(),
            client.open(id, ChannelId(0x100)).unwrap(),
            client.synchronise(id, Join::LiveEdge, None).unwrap(),
            client.stream(id).unwrap(),
        ];
        for message in &all {
            server.handle(message, |_| true);
        }
        loop {
            match server.poll_event() {
                Some(ServerEvent::Select { session, target, .. }) => {
                    let none = (Code::SESSION_CONTENT_ID_WRONG, "no such stream");
                    let answer = if target.content == "/live" { Ok(TsdWriter::new()) } else { Err(none) };
                    server.answer(session, answer);
                }
                Some(ServerEvent::Synchronise { session, .. }) => {
                    server.answer(session, Ok(TsdWriter::new()));
                }
                Some(_) => {}
                None => break,
            }
            server.resume(|_| true);
        }
        let events: Vec<ClientEvent> = std::iter::from_fn(|| server.poll_return())
            .map(|returned| client.handle(Return::decode(&returned).unwrap()))
            .collect();
        assert_eq!(events.len(), 6);
        assert_eq!((server.stage(id), client.stage(id)), (stage, stage));
        let first = events.iter().find_map(|event| match event {
            ClientEvent::Failed { command, code, .. } => Some((*command, *code)),
            _ => None,
        });
        let wanted = (Command::Select, Code::SESSION_CONTENT_ID_WRONG);
        assert_eq!(first, (stage != Stage::Streaming).then_some(wanted));
    }
}

#[test]
fn the_server_may_end_a_session_and_says_why() {
    let (mut server, mut client) = (server(Role::CLIENT), ClientSessions::new());
    let id = walk(&mut server, &mut client, Stage::Streaming);
    server.end(id, Code::CONTENT_UNAVAILABLE, "the feed is gone");
    let event = client.handle(Return::decode(&server.poll_return().unwrap()).unwrap());
    let ended =
        ClientEvent::Ended { session: id, code: Code::CONTENT_UNAVAILABLE, text: "the feed is gone".into() };
    assert_eq!(event, ended);
    assert_eq!(client.ask(id, Command::Stream, TsdWriter::new()), Err(Code::SESSION_NOT_OPENED));
}
