use std::{collections::BTreeMap, sync::Mutex as StdMutex};

use millrace_report::{
    client::{self, Client, Told},
    message::{Beat, Configuration, Directory, Doing, State},
    tls::self_signed,
};
use tokio::sync::watch;

use super::*;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
const SOON: Duration = Duration::from_secs(10);

struct Fixture {
    link: Arc<Link>,
    touched: Arc<StdMutex<Vec<ClusterKey>>>,
    certificate: String,
}

async fn fixture(leads: bool) -> Fixture {
    let pair = self_signed("millrace-operator").unwrap();
    let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let metrics = Arc::new(Metrics::new().unwrap());
    let client = crate::api::client(config, &metrics).unwrap();
    let term = Arc::new(Term::default());
    if leads {
        term.prolong(Some(Duration::from_hours(1)));
    }
    let touched: Arc<StdMutex<Vec<ClusterKey>>> = Arc::default();
    let told = Arc::clone(&touched);
    let around = Around {
        stores: Arc::new(Stores::new(client, &[])),
        term,
        metrics,
        touch: Arc::new(move |cluster| told.lock().unwrap().push(cluster)),
        guards: Watchers::default(),
    };
    let options = Options { listen: "127.0.0.1:0".parse().unwrap(), ..Options::default() };
    let (link, events) = Link::listen(options, &pair, KEY.to_vec(), around).await.unwrap();
    let runs = Arc::clone(&link);
    tokio::spawn(async move { runs.run(events).await });
    Fixture { link, touched, certificate: pair.certificate }
}

struct Pod {
    beat: watch::Sender<Arc<Beat>>,
    client: Client,
    _rest: (watch::Sender<String>, watch::Sender<Duration>, watch::Sender<Hello>),
}

fn pod(fixture: &Fixture, token_key: &[u8]) -> Pod {
    let of = |text: &str| text.to_owned();
    let hello = Hello {
        version: of("1"),
        namespace: of("ns"),
        pod: of("main-door-1"),
        uid: of("uid"),
        cluster: of("main"),
        slot: of("main-door"),
        boot: of("boot"),
        token: token::slot_token(token_key, "ns", "main-door"),
        ..Hello::default()
    };
    let (certificate, certificates) = watch::channel(fixture.certificate.clone());
    let (interval, intervals) = watch::channel(Duration::from_millis(200));
    let (hello, hellos) = watch::channel(hello);
    let doing = Doing { state: State::Running, ..Doing::default() };
    let feeds = BTreeMap::from([("door".to_owned(), doing)]);
    let first = Beat { revision: 1, feeds: Some(feeds), streams: Some(BTreeMap::new()), ..Beat::default() };
    let (beat, beats) = watch::channel(Arc::new(first));
    let address = fixture.link.server.address().to_string();
    let options = client::Options { address, certificate: certificates, interval: intervals };
    let client = Client::start(options, Told { hello: hellos, beat: beats }, std::time::Instant::now());
    Pod { beat, client, _rest: (certificate, interval, hello) }
}

fn cluster() -> ClusterKey {
    ClusterKey::new("ns", "main")
}

fn wanted(revision: u64) -> Wanted {
    let configuration = Configuration {
        revision,
        yaml: "kind: Feed".to_owned(),
        secrets: String::new(),
        template: String::new(),
    };
    let configurations = [("main-door".to_owned(), Arc::new(configuration))].into();
    let directory = Directory { token: "t".to_owned(), ..Directory::default() };
    Wanted { configurations, directories: [("main-door".to_owned(), directory)].into(), ..Wanted::default() }
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = time::Instant::now();
    while !is() {
        assert!(begun.elapsed() < SOON, "{what}");
        time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_pod_is_heard_and_told_what_is_newer_than_what_it_runs() {
    let fixture = fixture(true).await;
    let pod = pod(&fixture, KEY);
    until("heard", || fixture.link.heard(&cluster()).len() == 1).await;
    let (uid, heard) = fixture.link.heard(&cluster()).remove(0);
    assert_eq!((uid.as_str(), heard.revision, heard.boot.as_str()), ("uid", 1, "boot"));
    assert_eq!(heard.feeds["door"].state, State::Running);
    until("touched", || fixture.touched.lock().unwrap().contains(&cluster())).await;

    fixture.link.want(&cluster(), wanted(2));
    let mut configuration = pod.client.heard().configuration;
    let told = time::timeout(SOON, configuration.wait_for(Option::is_some)).await.unwrap().unwrap().clone();
    assert_eq!(told.unwrap().revision, 2);
    let mut directory = pod.client.heard().directory;
    let told = time::timeout(SOON, directory.wait_for(Option::is_some)).await.unwrap().unwrap().clone();
    assert_eq!(told.unwrap().token, "t");

    let before = fixture.touched.lock().unwrap().len();
    pod.beat.send_modify(|beat| Arc::make_mut(beat).revision = 2);
    until("the new revision is news", || fixture.touched.lock().unwrap().len() > before).await;
    assert_eq!(fixture.link.heard(&cluster())[0].1.revision, 2);
}

#[tokio::test]
async fn who_has_not_the_slots_token_is_not_heard() {
    let fixture = fixture(true).await;
    let wrong = pod(&fixture, b"another key, of the same length");
    let right = pod(&fixture, KEY);
    until("the right one is heard", || fixture.link.heard(&cluster()).len() == 1).await;
    assert_eq!(*wrong.client.heard().connected.borrow(), 0);
    drop(right);
}

#[tokio::test]
async fn a_standby_hears_and_tells_nothing() {
    let fixture = fixture(false).await;
    let pod = pod(&fixture, KEY);
    until("heard", || fixture.link.heard(&cluster()).len() == 1).await;
    fixture.link.hub().want(&cluster(), wanted(2));
    pod.beat.send_modify(|beat| Arc::make_mut(beat).draining = true);
    until("the beat has come", || fixture.link.heard(&cluster())[0].1.draining).await;
    assert!(pod.client.heard().configuration.borrow().is_none());
}

#[tokio::test]
async fn a_pod_that_ends_is_silent_after_its_clusters_patience() {
    let fixture = fixture(true).await;
    fixture.link.patience(&cluster(), Duration::from_millis(600));
    let pod = pod(&fixture, KEY);
    until("heard", || fixture.link.heard(&cluster()).len() == 1).await;
    fixture.touched.lock().unwrap().clear();
    drop(pod);
    until("silent", || fixture.link.heard(&cluster()).is_empty()).await;
    until("told", || fixture.touched.lock().unwrap().contains(&cluster())).await;
}

#[test]
fn only_who_has_the_balancers_token_is_heard_as_one() {
    let hello = |slot: &str, role| Hello { slot: slot.to_owned(), role, ..Hello::default() };
    assert!(plays_its_part(&hello("main-balancers", Role::Balancer)).is_ok());
    assert!(plays_its_part(&hello("main-door-bcdfg", Role::Server)).is_ok());
    let error = plays_its_part(&hello("main-door-bcdfg", Role::Balancer)).unwrap_err();
    assert!(error.contains("main-door-bcdfg") && error.contains("Balancer"), "{error}");
    assert!(plays_its_part(&hello("main-balancers", Role::Server)).is_err());
}
