//! Candidates before an API server that hangs, is slow and fails; in virtual time.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll},
};

use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::Service;

use super::*;

/// Milliseconds from look to look.
const STEP: usize = 5;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    SlowThere(u64),
    SlowBack(u64),
    /// It does not arrive, and there is no answer.
    LostThere,
    /// It arrives, and there is no answer.
    LostBack,
    /// It arrives late, and there is no answer: who asked has given up long ago.
    Late(u64),
    Fails,
    FailsAfterwards,
    /// Nothing comes through this connection any more.
    LineDies,
}

/// What the API server keeps.
#[derive(Default)]
struct Kept {
    lease: Option<Value>,
    version: u64,
    /// The fates of each candidate's requests to come, the next one last; the others are fine.
    fates: [Vec<Fate>; 3],
    lines: usize,
    dead: Vec<usize>,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Kept>>);

/// One connection to it.
struct Line {
    server: Server,
    candidate: usize,
    number: usize,
}

impl Server {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    fn line(&self, candidate: usize) -> Client {
        let number = {
            let mut kept = self.kept();
            kept.lines += 1;
            kept.lines
        };
        Client::new(Line { server: self.clone(), candidate, number }, "default")
    }

    fn does(&self, method: &Method, body: &[u8]) -> (u16, Value) {
        let mut kept = self.kept();
        let wrong = |code: u16, reason: &str| {
            (
                code,
                json!({"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code}),
            )
        };
        let now = kept.lease.as_ref().map(|lease| lease["metadata"]["resourceVersion"].clone());
        let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method.as_str(), now) {
            ("GET", Some(_)) => return (200, kept.lease.clone().unwrap()),
            ("GET" | "PUT", None) => return wrong(404, "NotFound"),
            ("POST", Some(_)) => return wrong(409, "AlreadyExists"),
            ("PUT", Some(now)) if now != body["metadata"]["resourceVersion"] => {
                return wrong(409, "Conflict");
            }
            _ => {}
        }
        kept.version += 1;
        body["metadata"]["resourceVersion"] = kept.version.to_string().into();
        kept.lease = Some(body.clone());
        (200, body)
    }
}

impl Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (server, candidate, number) = (self.server.clone(), self.candidate, self.number);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let answer = |code: u16, said: &Value| {
                let body = Body::from(serde_json::to_vec(said).unwrap());
                Ok(Response::builder().status(code).body(body).unwrap())
            };
            let fault = json!({"kind": "Status", "status": "Failure", "message": "busy", "code": 500});
            if head.uri.query().unwrap_or_default().contains("watch=true") {
                return answer(403, &json!({"kind": "Status", "status": "Failure", "code": 403}));
            }
            let fate = {
                let mut kept = server.kept();
                let fate = kept.fates[candidate].pop().unwrap_or(Fate::Fine);
                if fate == Fate::LineDies {
                    kept.dead.push(number);
                }
                if kept.dead.contains(&number) { Fate::LostThere } else { fate }
            };
            let body = body.collect().await.unwrap().to_bytes();
            let late = |millis| time::sleep(Duration::from_millis(millis));
            late(2).await;
            match fate {
                Fate::LostThere | Fate::LineDies => std::future::pending().await,
                Fate::Fails => return answer(500, &fault),
                Fate::SlowThere(millis) => late(millis).await,
                Fate::Late(millis) => {
                    tokio::spawn(async move {
                        late(millis).await;
                        server.does(&head.method, &body);
                    });
                    return std::future::pending().await;
                }
                _ => {}
            }
            let (code, said) = server.does(&head.method, &body);
            late(2).await;
            match fate {
                Fate::LostBack => std::future::pending().await,
                Fate::FailsAfterwards => return answer(500, &fault),
                Fate::SlowBack(millis) => late(millis).await,
                _ => {}
            }
            answer(code, &said)
        })
    }
}

/// Candidates that begin again under another name when they have lost.
struct Candidates {
    server: Server,
    terms: Vec<Arc<Mutex<Arc<Term>>>>,
    stop: watch::Sender<bool>,
}

impl Candidates {
    fn new(count: usize) -> Self {
        let (server, stop) = (Server::default(), watch::Sender::new(false));
        let one = |number: usize| {
            let term_now: Arc<Mutex<Arc<Term>>> = Arc::default();
            let (server, stop, shows) = (server.clone(), stop.subscribe(), Arc::clone(&term_now));
            tokio::spawn(async move {
                for life in 0.. {
                    let term = Arc::<Term>::default();
                    *shows.lock().unwrap() = Arc::clone(&term);
                    let api = server.clone();
                    let candidacy = Candidacy {
                        lines: Lines::new(move || Ok(api.line(number))).unwrap(),
                        namespace: "millrace-system".into(),
                        lease: "operator".into(),
                        name: format!("replica-{number}_{life}"),
                        term,
                        stop: stop.clone(),
                    };
                    if run(candidacy).await == End::Stopped {
                        return;
                    }
                    time::sleep(Duration::from_millis(500)).await;
                }
            });
            term_now
        };
        let terms = (0..count).map(one).collect();
        Self { server, terms, stop }
    }

    /// Who leads: never two.
    fn leader(&self) -> Option<usize> {
        let leads = |shown: &Arc<Mutex<Arc<Term>>>| shown.lock().unwrap().leads();
        let all: Vec<usize> = (0..self.terms.len()).filter(|it| leads(&self.terms[*it])).collect();
        assert!(all.len() <= 1, "{all:?} lead at one time");
        all.first().copied()
    }

    /// Requests of a candidate, from now on.
    fn fates(&self, candidate: usize, fates: &[Fate]) {
        self.server.kept().fates[candidate] = fates.iter().rev().copied().collect();
    }

    /// For so many milliseconds; how many of them somebody led, and who did, one after the other.
    async fn pass(&self, millis: usize) -> (usize, Vec<usize>) {
        let (mut led, mut leaders) = (0, Vec::new());
        for _ in 0..millis / STEP {
            time::sleep(Duration::from_millis(STEP as u64)).await;
            led += if self.leader().is_some() { STEP } else { 0 };
            leaders.extend(self.leader());
            leaders.dedup();
        }
        (led, leaders)
    }
}

fn in_virtual_time<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(what)
}

#[test]
fn one_leads_all_the_time_and_needs_no_second_connection() {
    in_virtual_time(async {
        let all = Candidates::new(3);
        all.pass(4000).await;
        let (led, leaders) = all.pass(6000).await;
        assert_eq!((led, leaders.len(), all.server.kept().lines), (6000, 1, 3));
    });
}

/// A leader alone, so that it is its requests that go wrong: how long it led of four seconds.
fn alone(fates: &[Fate]) -> usize {
    in_virtual_time(async {
        let all = Candidates::new(1);
        all.pass(2500).await;
        all.fates(0, fates);
        let (led, _) = all.pass(4000).await;
        let _ = all.stop.send(true);
        led
    })
}

#[test]
fn a_leader_leads_on_whatever_becomes_of_one_request_or_two() {
    let all = [
        Fate::SlowThere(900),
        Fate::SlowBack(900),
        Fate::LostThere,
        Fate::LostBack,
        Fate::Late(300),
        Fate::Late(700),
        Fate::Fails,
        Fate::FailsAfterwards,
        Fate::LineDies,
    ];
    for first in all {
        assert_eq!(alone(&[first]), 4000, "{first:?}");
        for second in all {
            assert_eq!(alone(&[first, second]), 4000, "{first:?}, {second:?}");
        }
    }
    assert_eq!(alone(&[Fate::Fine, Fate::Fine, Fate::LineDies, Fate::Fine, Fate::LostBack]), 4000);
}

#[test]
fn a_leader_that_no_connection_reaches_ends_before_others_may_lead() {
    assert!(alone(&[Fate::LostThere; 12]) < 2500);
}

#[test]
fn an_answer_that_comes_late_counts_from_when_it_was_asked_for() {
    for late in [300, 700, 1100, 1250] {
        in_virtual_time(async {
            let all = Candidates::new(3);
            all.pass(4000).await;
            let leader = all.leader().unwrap();
            let fates = [&[Fate::SlowBack(late)][..], &[Fate::LostThere; 40]].concat();
            all.fates(leader, &fates);
            // `leader` finds two at one time.
            let (led, leaders) = all.pass(8000).await;
            assert!(leaders.len() == 2 && led > 6000, "{late}: {led} {leaders:?}");
        });
    }
}

#[test]
fn what_was_held_is_given_back() {
    in_virtual_time(async {
        let all = Candidates::new(1);
        all.pass(2500).await;
        let _ = all.stop.send(true);
        all.pass(10).await;
        assert_eq!(all.leader(), None);
        let holder = all.server.kept().lease.as_ref().map(|it| it["spec"]["holderIdentity"].clone());
        assert_eq!(holder, Some("".into()));
    });
}

/// One, or several of the same kind, as it comes.
fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        8 => Just(Fate::Fine),
        2 => (1..1500_u64).prop_map(Fate::SlowThere),
        3 => (1..1500_u64).prop_map(Fate::SlowBack),
        3 => Just(Fate::LostThere),
        1 => Just(Fate::LostBack),
        2 => (1..6000_u64).prop_map(Fate::Late),
        1 => Just(Fate::Fails),
        1 => Just(Fate::FailsAfterwards),
        1 => Just(Fate::LineDies),
    ];
    let some = (fate, 1..8_usize).prop_map(|(fate, count)| vec![fate; count]);
    proptest::collection::vec(some, 1..20).prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn never_do_two_lead_whatever_hangs_is_slow_or_fails(of in [fates(), fates(), fates()]) {
        in_virtual_time(async {
            let all = Candidates::new(3);
            all.server.kept().fates = of;
            // `leader` finds two at one time.
            all.pass(20_000).await;
            all.server.kept().fates = <_>::default();
            let (led, _) = all.pass(10_000).await;
            let _ = all.stop.send(true);
            prop_assert!(led > 5000, "when all is well again somebody leads: {}", led);
            Ok(())
        })?;
    }
}
