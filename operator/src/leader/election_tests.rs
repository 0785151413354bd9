use proptest::prelude::*;

use super::*;

fn ms(millis: u64) -> Time {
    Duration::from_millis(millis)
}

fn record(holder: &str, version: u64) -> Record {
    let holder = Some(holder.to_owned()).filter(|it| !it.is_empty());
    Record { holder, lease: Some(TIMING.lease), transitions: 3, version: version.to_string() }
}

fn candidate() -> Election {
    Election::new("me", TIMING)
}

#[test]
fn the_first_one_makes_the_record_and_leads() {
    let mut me = candidate();
    assert_eq!(me.next(ms(0)), Step::Read);
    me.saw(ms(1), None);
    assert_eq!(me.next(ms(1)), Step::Create);
    me.saw(ms(2), Some(record("me", 1)));
    assert_eq!(me.next(ms(2)), Step::Wait(ms(2000)), "somebody may lead whose record was deleted");
    assert_eq!(me.next(ms(2002)), Step::Write { version: "1".into(), transitions: 4, takes: true });
    me.wrote(ms(2002), ms(2006), record("me", 2));
    assert!(me.leads(ms(2006)));
    assert_eq!(me.next(ms(2006)), Step::Wait(ms(396)));
    let renews = Step::Write { version: "2".into(), transitions: 3, takes: false };
    assert_eq!(me.next(ms(2402)), renews);
}

#[test]
fn who_does_not_lead_waits_from_when_it_saw_the_record_change() {
    let mut me = candidate();
    me.saw(ms(1000), Some(record("other", 1)));
    assert_eq!(me.next(ms(1000)), Step::Wait(ms(2000)));
    me.saw(ms(2900), Some(record("other", 1)));
    assert_eq!(me.next(ms(2900)), Step::Wait(ms(100)), "seen again is not changed");
    me.saw(ms(2950), Some(record("other", 2)));
    assert_eq!(me.next(ms(2950)), Step::Wait(ms(2000)));
    let takes = Step::Write { version: "2".into(), transitions: 4, takes: true };
    assert_eq!(me.next(ms(4950)), takes);
}

#[test]
fn a_leader_with_a_longer_lease_is_given_that_time() {
    let mut me = candidate();
    let record = Record { lease: Some(ms(15_000)), ..record("other", 1) };
    me.saw(ms(0), Some(record));
    assert_eq!(me.next(ms(14_000)), Step::Wait(ms(1000)));
}

#[test]
fn what_was_released_is_taken_at_once() {
    let mut me = candidate();
    me.saw(ms(7), Some(record("", 9)));
    assert_eq!(me.next(ms(7)), Step::Write { version: "9".into(), transitions: 4, takes: true });
}

#[test]
fn a_leader_that_cannot_renew_ends_at_its_deadline() {
    let mut me = candidate();
    me.saw(ms(0), None);
    me.wrote(ms(0), ms(100), record("me", 1));
    me.failed(ms(900));
    assert_eq!(me.next(ms(900)), Step::Read);
    assert!(me.leads(ms(1699)));
    assert!(!me.leads(ms(1700)));
    assert_eq!(me.next(ms(1700)), Step::Lost);
}

#[test]
fn a_leader_whose_record_another_holds_or_nobody_has_ends() {
    for seen in [Some(record("other", 2)), None] {
        let mut me = candidate();
        me.saw(ms(0), None);
        me.wrote(ms(0), ms(1), record("me", 1));
        me.unsure();
        me.saw(ms(600), seen);
        assert_eq!(me.next(ms(600)), Step::Lost);
    }
}

#[test]
fn a_renewal_whose_answer_was_lost_is_asked_for_again() {
    let mut me = candidate();
    me.saw(ms(0), None);
    me.wrote(ms(0), ms(1), record("me", 1));
    me.failed(ms(800));
    me.saw(ms(810), Some(record("me", 2)));
    assert_eq!(me.next(ms(810)), Step::Write { version: "2".into(), transitions: 3, takes: false });
    assert!(!me.leads(ms(1700)), "an answer that was not heard prolongs nothing");
}

/// What the API server keeps.
#[derive(Default)]
struct Server {
    record: Option<(String, i32)>,
    version: u64,
}

impl Server {
    fn read(&self) -> Option<Record> {
        let (holder, transitions) = self.record.clone()?;
        Some(Record { transitions, ..record(&holder, self.version) })
    }

    fn write(&mut self, who: &str, over: Option<&str>, transitions: i32) -> Option<Record> {
        let now = self.record.is_some().then(|| self.version.to_string());
        if now.as_deref() != over {
            return None;
        }
        self.version += 1;
        self.record = Some((who.to_owned(), transitions));
        self.read()
    }
}

/// A request under way.
struct Asked {
    step: Step,
    /// When it began, by the candidate's clock.
    at: Time,
    arrives: u64,
    #[expect(clippy::option_option, reason = "not answered yet, and the answer that there is none")]
    answer: Option<Option<Record>>,
    returns: u64,
    /// The answer is lost, and the candidate gives up at `returns`.
    lost: bool,
}

struct Candidate {
    election: Election,
    /// What its clock shows at the beginning.
    ahead: u64,
    asked: Option<Asked>,
    paused_until: u64,
    ended: bool,
}

/// One thing that may go wrong.
#[derive(Clone, Debug)]
enum Trouble {
    Fine,
    SlowThere(u64),
    SlowBack(u64),
    AnswerLost,
    Pause(u64),
    Deleted,
    Released,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        12 => Just(Trouble::Fine),
        3 => (1..4000_u64).prop_map(Trouble::SlowThere),
        3 => (1..4000_u64).prop_map(Trouble::SlowBack),
        2 => Just(Trouble::AnswerLost),
        2 => (1..6000_u64).prop_map(Trouble::Pause),
        1 => Just(Trouble::Deleted),
        1 => Just(Trouble::Released),
    ]
}

const MILLIS: u64 = 15_000;

/// Milliseconds go by; how long somebody led, and how often another did.
#[expect(clippy::too_many_lines, reason = "one loop over what may happen in a millisecond")]
fn simulate(troubles: &[Trouble], ahead: [u64; 3]) -> (u64, usize) {
    let mut server = Server::default();
    let mut all: Vec<Candidate> = (0..3)
        .map(|n| Candidate {
            election: Election::new(format!("c{n}"), TIMING),
            ahead: ahead[n],
            asked: None,
            paused_until: 0,
            ended: false,
        })
        .collect();
    let mut troubles = troubles.iter().cycle();
    let (mut led, mut last, mut leaders) = (0, String::new(), 0);
    for now in 0..MILLIS {
        for n in 0..all.len() {
            let clock = |one: &Candidate| ms(now + one.ahead);
            let one = &mut all[n];
            if let Some(asked) = one.asked.as_mut().filter(|asked| asked.arrives == now) {
                asked.answer = Some(match &asked.step {
                    Step::Create => server.write(one.election.name(), None, 0),
                    Step::Write { version, transitions, .. } => {
                        server.write(one.election.name(), Some(version), *transitions)
                    }
                    _ => server.read(),
                });
            }
            if one.ended || one.paused_until > now {
                continue;
            }
            if let Some(asked) = one.asked.take_if(|asked| asked.returns <= now) {
                let time = clock(one);
                match (asked.step, asked.answer) {
                    (_, None) => one.election.failed(time),
                    _ if asked.lost => one.election.failed(time),
                    (Step::Read, Some(record)) => one.election.saw(time, record),
                    (Step::Create, Some(Some(record))) => one.election.saw(time, Some(record)),
                    (_, Some(Some(record))) => one.election.wrote(asked.at, time, record),
                    (_, Some(None)) => one.election.unsure(),
                }
            }
            if one.asked.is_none() {
                match one.election.next(clock(one)) {
                    Step::Wait(_) => {
                        // Others' renewals are told by a watch.
                        if !one.election.leads(clock(one)) && now % 100 == n as u64 {
                            one.election.saw(clock(one), server.read());
                        }
                    }
                    // It ends, and starts again under another name.
                    Step::Lost => {
                        one.ended = true;
                        let name = format!("c{n}-{now}");
                        let next = Election::new(name, TIMING);
                        let ahead = one.ahead;
                        all.push(Candidate {
                            election: next,
                            ahead,
                            asked: None,
                            paused_until: now + 500,
                            ended: false,
                        });
                    }
                    step => {
                        let (mut to, mut from, mut missed) = (2, 2, false);
                        match troubles.next().unwrap() {
                            Trouble::Fine => {}
                            Trouble::SlowThere(more) => to += more,
                            Trouble::SlowBack(more) => from += more,
                            Trouble::AnswerLost => missed = true,
                            Trouble::Pause(long) => one.paused_until = now + long,
                            Trouble::Deleted => server.record = None,
                            Trouble::Released => {
                                if one.election.leads(clock(one)) {
                                    let holder = server.record.as_ref().map(|record| record.0.clone());
                                    if holder.as_deref() == Some(one.election.name()) {
                                        server.record = Some((String::new(), 9));
                                        server.version += 1;
                                        one.ended = true;
                                        continue;
                                    }
                                }
                            }
                        }
                        let returns = (now + to + from).min(now + 1000);
                        one.asked = Some(Asked {
                            step,
                            at: clock(one),
                            arrives: now + to,
                            answer: None,
                            returns,
                            lost: missed,
                        });
                    }
                }
            }
        }
        let leading: Vec<&Candidate> =
            all.iter().filter(|one| !one.ended && one.election.leads(ms(now + one.ahead))).collect();
        assert!(leading.len() <= 1, "{} at {now}", leading.len());
        if let Some(one) = leading.first() {
            led += 1;
            if one.election.name() != last {
                one.election.name().clone_into(&mut last);
                leaders += 1;
            }
        }
    }
    (led, leaders)
}

#[test]
fn without_trouble_one_leads_all_the_time() {
    assert_eq!(simulate(&[Trouble::Fine], [0, 5_000, 123]), (MILLIS - 2012, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn never_do_two_lead_whatever_is_slow_lost_or_paused(
        troubles in proptest::collection::vec(trouble(), 1..200),
        ahead in [0..1_000_000_u64, 0..1_000_000_u64, 0..1_000_000_u64],
    ) {
        simulate(&troubles, ahead);
    }
}
