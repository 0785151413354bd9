//! Both ends over real sockets on the loopback interface.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by it")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_report::{
    client::{self, Client, Told},
    frame::encode,
    message::{Beat, Configuration, Directory, Doing, Hello, ToOperator},
    server::{Event, Options, Server},
    tls::{CertificateAndKey, self_signed},
    token,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc::Receiver, watch},
    time::timeout,
};
use tokio_rustls::TlsConnector;

const KEY: &[u8] = b"a key of the operator";

struct Pod {
    client: Client,
    hello: watch::Sender<Hello>,
    beat: watch::Sender<Arc<Beat>>,
    _kept: (watch::Sender<Duration>, watch::Sender<String>),
}

fn pod(address: &str, shown: &CertificateAndKey, uid: &str, token: &str) -> Pod {
    let hello = Hello {
        namespace: "video".to_owned(),
        pod: format!("pod-{uid}"),
        uid: uid.to_owned(),
        slot: "slot".to_owned(),
        token: token.to_owned(),
        ..Hello::default()
    };
    let (hello, beat) = (watch::Sender::new(hello), watch::Sender::new(Arc::new(Beat::default())));
    let interval = watch::Sender::new(Duration::from_millis(200));
    let certificate = watch::Sender::new(shown.certificate.clone());
    let options = client::Options {
        address: address.to_owned(),
        certificate: certificate.subscribe(),
        interval: interval.subscribe(),
    };
    let told = Told { hello: hello.subscribe(), beat: beat.subscribe() };
    Pod { client: Client::start(options, told, Instant::now()), hello, beat, _kept: (interval, certificate) }
}

fn token() -> String {
    token::slot_token(KEY, "video", "slot")
}

async fn serve(options: Options, shown: &CertificateAndKey) -> (Server, Receiver<Event>) {
    let authenticate = |hello: &Hello| {
        let right = token::slot_token(KEY, &hello.namespace, &hello.slot);
        if token::same(&hello.token, &right) {
            Ok(())
        } else {
            Err("the token is of another slot".to_owned())
        }
    };
    Server::start(options, shown, authenticate).await.unwrap()
}

fn local() -> Options {
    Options { listen: ([127, 0, 0, 1], 0).into(), replica: "operator-0".to_owned(), ..Options::default() }
}

async fn next(events: &mut Receiver<Event>) -> Event {
    timeout(Duration::from_secs(30), events.recv()).await.unwrap().unwrap()
}

/// The next event that `wanted` takes.
async fn until<T>(events: &mut Receiver<Event>, wanted: impl Fn(&Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(&next(events).await) {
            return found;
        }
    }
}

fn configuration(revision: u64) -> Arc<Configuration> {
    Arc::new(Configuration {
        revision,
        yaml: format!("# {revision}"),
        secrets: String::new(),
        template: String::new(),
    })
}

#[tokio::test]
async fn a_pod_says_who_it_is_and_what_it_does_and_hears_what_to_run() {
    let shown = self_signed("operator").unwrap();
    let (server, mut events) = serve(local(), &shown).await;
    let pod = pod(&server.address().to_string(), &shown, "a", &token());
    assert!(matches!(next(&mut events).await, Event::Joined { hello, .. } if hello.uid == "a"));
    let Event::Beat { beat, .. } = next(&mut events).await else { panic!("no beat") };
    assert_eq!((beat.feeds, beat.streams), (Some(<_>::default()), Some(<_>::default())));

    let feeds = Some([("door".to_owned(), Doing::default())].into());
    pod.beat.send_replace(Arc::new(Beat { revision: 7, feeds: feeds.clone(), ..Beat::default() }));
    let said = until(&mut events, |event| match event {
        Event::Beat { beat, .. } if beat.revision == 7 => Some(beat.feeds.clone()),
        _ => None,
    });
    assert_eq!(said.await, feeds);
    let said = until(&mut events, |event| match event {
        Event::Beat { beat, .. } => Some(beat.feeds.clone()),
        _ => None,
    });
    assert_eq!(said.await, None, "nothing has changed since");

    let mut heard = pod.client.heard();
    // Latest wins, and an older revision is not taken.
    for revision in [3, 5, 4] {
        assert!(server.configure("a", configuration(revision)));
    }
    assert!(server.configure("a", configuration(9)));
    let directory = Arc::new(Directory { revision: 1, ..Directory::default() });
    assert!(server.direct("a", directory.clone()));
    assert!(!server.configure("nobody", configuration(9)));
    let nine = |it: &Option<Arc<Configuration>>| it.as_ref().is_some_and(|it| it.revision == 9);
    timeout(Duration::from_secs(30), heard.configuration.wait_for(nine)).await.unwrap().unwrap();
    let direct = timeout(Duration::from_secs(30), heard.directory.wait_for(Option::is_some)).await.unwrap();
    assert_eq!(direct.unwrap().as_ref(), Some(&directory));

    drop(pod);
    until(&mut events, |event| (*event == Event::Gone { uid: "a".to_owned(), by_peer: true }).then_some(()))
        .await;
    assert_eq!(server.connected(), 0);
}

#[tokio::test]
async fn another_hello_is_said_by_another_connection_and_nobody_is_gone_between() {
    let shown = self_signed("operator").unwrap();
    let (server, mut events) = serve(local(), &shown).await;
    let pod = pod(&server.address().to_string(), &shown, "a", &token());
    assert!(matches!(next(&mut events).await, Event::Joined { .. }));
    // As a pod whose old connection has not been noticed to be dead.
    let twin = self::pod(&server.address().to_string(), &shown, "a", &token());
    until(&mut events, |event| matches!(event, Event::Joined { .. }).then_some(())).await;
    drop(twin);
    pod.hello.send_modify(|hello| hello.cluster = "cams".to_owned());
    until(&mut events, |event| match event {
        Event::Joined { hello, .. } if hello.cluster == "cams" => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn who_has_a_wrong_token_or_sees_a_wrong_certificate_stays_outside() {
    let (shown, other) = (self_signed("operator").unwrap(), self_signed("operator").unwrap());
    let (server, mut events) = serve(local(), &shown).await;
    let address = server.address().to_string();
    let wrong = [
        pod(&address, &shown, "wrong-token", &token::slot_token(KEY, "video", "other")),
        pod(&address, &other, "wrong-certificate", &token()),
    ];
    // Both have long been tried when the third one beats for the fifth time.
    let right = pod(&address, &shown, "right", &token());
    for _ in 0..6 {
        let (Event::Joined { hello: Hello { uid, .. }, .. } | Event::Beat { uid, .. }) =
            next(&mut events).await
        else {
            panic!("somebody is gone")
        };
        assert_eq!(uid, "right");
    }
    assert!(wrong.iter().all(|pod| *pod.client.heard().connected.borrow() == 0));
    assert_eq!(*right.client.heard().connected.borrow(), 1);
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let shown = self_signed("operator").unwrap();
    let within = Duration::from_millis(300);
    let (server, mut events) =
        serve(Options { hello_within: within, silence: within, ..local() }, &shown).await;
    let mut mute = TcpStream::connect(server.address()).await.unwrap();
    let read = timeout(Duration::from_secs(30), mute.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    // One that says who it is, and then nothing any more.
    let tcp = TcpStream::connect(server.address()).await.unwrap();
    let tls = TlsConnector::from(millrace_report::tls::client(&shown.certificate).unwrap());
    let mut stream = tls.connect(ServerName::try_from("any").unwrap(), tcp).await.unwrap();
    let hello = Hello {
        namespace: "video".to_owned(),
        slot: "slot".to_owned(),
        uid: "b".to_owned(),
        token: token(),
        ..Hello::default()
    };
    stream.write_all(&encode(&ToOperator::Hello(hello)).unwrap()).await.unwrap();
    assert!(matches!(next(&mut events).await, Event::Joined { hello, .. } if hello.uid == "b"));
    assert_eq!(next(&mut events).await, Event::Gone { uid: "b".to_owned(), by_peer: false });
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let shown = self_signed("operator").unwrap();
    let (server, mut events) = serve(Options { max_connections: 1, ..local() }, &shown).await;
    let first = pod(&server.address().to_string(), &shown, "first", &token());
    assert!(matches!(next(&mut events).await, Event::Joined { .. }));
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    let read = timeout(Duration::from_secs(2), second.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    drop(first);
}

#[tokio::test]
async fn a_pod_comes_back_after_the_operator_did() {
    let shown = self_signed("operator").unwrap();
    let (server, mut events) = serve(local(), &shown).await;
    let address = server.address();
    let pod = pod(&address.to_string(), &shown, "a", &token());
    assert!(matches!(next(&mut events).await, Event::Joined { .. }));
    server.stop().await;
    drop(events);
    let mut heard = pod.client.heard();
    timeout(Duration::from_secs(30), heard.connected.wait_for(|count| *count == 0)).await.unwrap().unwrap();
    let (_server, mut events) = serve(Options { listen: address, ..local() }, &shown).await;
    assert!(matches!(next(&mut events).await, Event::Joined { .. }));
    assert!(matches!(next(&mut events).await, Event::Beat { beat, .. } if beat.feeds.is_some()));
}
