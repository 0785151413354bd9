use millrace_report::{
    message::{Balancing, State},
    upstream::UpstreamLink,
};

use super::*;

fn hello(uid: &str) -> Hello {
    let of = |text: &str| text.to_owned();
    Hello {
        uid: of(uid),
        pod: of(uid),
        namespace: of("ns"),
        slot: of("slot"),
        boot: of("b"),
        ..Hello::default()
    }
}

fn cluster() -> ClusterKey {
    ClusterKey::new("ns", "main")
}

fn wanted(revision: u64) -> Wanted {
    let configuration =
        Configuration { revision, yaml: String::new(), secrets: String::new(), template: String::new() };
    let configurations = [("slot".to_owned(), Arc::new(configuration))].into();
    let directories = [("slot".to_owned(), Directory::default())].into();
    Wanted { configurations, directories, ..Wanted::default() }
}

fn told(hub: &Hub) -> (Option<u64>, Option<u64>) {
    let ToTell { configuration, directory, .. } = hub.to_tell("u");
    (configuration.map(|it| it.revision), directory.map(|it| it.revision))
}

#[tokio::test(start_paused = true)]
async fn only_what_changes_is_news() {
    let (mut hub, now) = (Hub::default(), Instant::now());
    hub.joined(hello("u"), Some(cluster()), now);
    assert!(hub.heard(&cluster(), now).is_empty(), "it has said nothing yet");
    let feeds = BTreeMap::from([("door".to_owned(), Doing { state: State::Running, ..Doing::default() })]);
    let first = Beat { revision: 1, feeds: Some(feeds.clone()), ..Beat::default() };
    assert!(hub.beat("u", first.clone(), now));
    assert!(!hub.beat("u", Beat { viewers: 9, ..first.clone() }, now));
    assert!(!hub.beat("u", Beat { feeds: None, ..first.clone() }, now));
    assert_eq!(*hub.heard(&cluster(), now)[0].1.feeds, feeds);
    assert!(hub.beat("u", Beat { revision: 2, feeds: None, ..first }, now));
}

#[tokio::test(start_paused = true)]
async fn three_missed_beats_are_silence_and_a_connection_that_ends_is_not() {
    let (mut hub, now) = (Hub::default(), Instant::now());
    hub.joined(hello("u"), Some(cluster()), now);
    hub.beat("u", Beat::default(), now);
    assert_eq!(hub.gone("u"), None);
    let later = now + Duration::from_millis(2900);
    assert!(hub.silent(later).is_empty());
    assert_eq!(hub.heard(&cluster(), later).len(), 1);
    let late = now + Duration::from_millis(3100);
    assert_eq!(hub.silent(late), [(cluster(), "u".to_owned())]);
    assert!(hub.silent(late).is_empty(), "told once");
    assert!(hub.heard(&cluster(), late).is_empty());
    assert!(hub.beat("u", Beat::default(), late), "it speaks again");
    hub.patience(&cluster(), Duration::from_secs(1));
    assert_eq!(hub.silent(late + Duration::from_millis(1100)).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_told_what_is_newer_than_what_it_runs_or_refused() {
    let (mut hub, now) = (Hub::default(), Instant::now());
    hub.joined(hello("u"), None, now);
    hub.want(&cluster(), wanted(5));
    assert_eq!(told(&hub), (None, None), "it is not known what it runs");
    hub.beat("u", Beat { revision: 4, ..Beat::default() }, now);
    assert_eq!(told(&hub), (Some(5), Some(1)));
    let refused = Some(Refused { revision: 5, reason: "no".to_owned() });
    hub.beat("u", Beat { revision: 4, refused, ..Beat::default() }, now);
    assert_eq!(told(&hub), (None, Some(1)));
    hub.want(&cluster(), wanted(6));
    assert_eq!(told(&hub), (Some(6), Some(1)), "the same directory has the same revision");
    let directory = Directory { token: "t".to_owned(), ..Directory::default() };
    let directories = [("slot".to_owned(), directory)].into();
    hub.want(&cluster(), Wanted { directories, ..wanted(6) });
    assert_eq!(told(&hub), (Some(6), Some(2)));
}

#[tokio::test(start_paused = true)]
async fn servers_and_balancers_are_told_whom_to_believe_each_their_own() {
    let (mut hub, now) = (Hub::default(), Instant::now());
    hub.joined(hello("server"), Some(cluster()), now);
    hub.joined(Hello { slot: "main-balancers".to_owned(), ..hello("balancer") }, Some(cluster()), now);
    for uid in ["server", "balancer"] {
        hub.beat(uid, Beat::default(), now);
    }
    hub.want(&cluster(), wanted(1));
    assert!(hub.to_tell("server").members.is_none(), "nobody is told to believe nobody");
    let believed = |name: &str| {
        let grant_keys = [("1".to_owned(), "key".to_owned())].into();
        Members { grant_keys, members: [(name.to_owned(), Vec::new())].into(), ..Members::default() }
    };
    let members = decision::Members { servers: believed("balancers"), balancers: believed("slots") };
    hub.want(&cluster(), Wanted { members: members.clone(), ..wanted(1) });
    let told = ["server", "balancer"].map(|uid| hub.to_tell(uid).members.unwrap());
    assert_eq!(
        told.each_ref().map(|it| (**it).clone()),
        [members.servers.clone(), members.balancers.clone()]
    );
    hub.want(&cluster(), Wanted { members, ..wanted(2) });
    assert!(
        Arc::ptr_eq(&told[0], &hub.to_tell("server").members.unwrap()),
        "what is the same is not made again"
    );
}

fn says(link: UpstreamLink) -> Beat {
    let upstreams = Some([("eu".to_owned(), link)].into());
    Beat { balancer: Some(Balancing { upstreams, ..Balancing::default() }), ..Beat::default() }
}

#[tokio::test(start_paused = true)]
async fn a_lost_upstream_is_told_when_that_has_settled_and_a_connection_that_is_made_again_changes_nothing() {
    let (mut hub, start) = (Hub::default(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let said = |hub: &Hub, now| hub.heard(&cluster(), now)[0].1.upstreams.clone();
    hub.joined(hello("u"), Some(cluster()), start);
    hub.beat("u", Beat { balancer: Some(Balancing::default()), ..Beat::default() }, start);
    assert_eq!(said(&hub, start), None, "an older balancer");
    assert!(hub.beat("u", says(UpstreamLink::up()), start));
    assert!(said(&hub, start).unwrap()["eu"].up);
    let same = Beat { balancer: Some(Balancing::default()), ..Beat::default() };
    assert!(!hub.beat("u", same.clone(), start), "it says what changes");
    let mut told = Vec::new();
    for second in 1..40 {
        let beat = if second == 3 { says(UpstreamLink::away("connection refused")) } else { same.clone() };
        if second == 6 {
            hub.joined(hello("u"), Some(cluster()), at(second));
        }
        assert!(!hub.beat("u", beat, at(second)), "{second}");
        told.extend(hub.settled(at(second)).into_iter().map(|cluster| (second, cluster)));
    }
    // Looked at after 1, 6, 11 s and so on.
    assert_eq!(told, [(11, cluster())]);
    assert_eq!(said(&hub, at(39)).unwrap()["eu"], UpstreamLink::away("connection refused"));
    hub.joined(Hello { boot: "another".to_owned(), ..hello("u") }, Some(cluster()), at(40));
    hub.beat("u", same, at(40));
    assert_eq!(said(&hub, at(40)), None, "it was started anew");
}
