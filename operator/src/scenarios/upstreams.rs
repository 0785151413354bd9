//! Clusters that name others: what is said of the links to those.

use std::{sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use millrace_report::upstream::UpstreamLink;

use crate::{
    decide::decide,
    decision::Status,
    reason::Reason,
    simulated::{Simulated, is_empty},
};

const TWO: &str =
    "upstreams: [{name: eu, url: 'millrace://eu.example'}, {name: us, url: 'millrace://us.example'}]";
const ONE: &str = "upstreams: [{name: eu, url: 'millrace://eu.example'}]";

fn cluster(spec: &str) -> String {
    format!(
        "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: default}}\nspec: {{{spec}}}\n"
    )
}

fn with(spec: &str) -> Simulated {
    let mut all = Simulated::new(&cluster(spec));
    all.settle();
    all
}

/// Status, reason and message of the condition.
fn said(all: &Simulated) -> Option<String> {
    let status = all.view.cluster.as_ref()?.status.clone()?;
    let condition = status.conditions.into_iter().find(|it| it.type_ == "UpstreamsConnected")?;
    Some(format!("{}/{}: {}", condition.status, condition.reason, condition.message))
}

fn is(all: &Simulated, wanted: &str) {
    assert_eq!(said(all).as_deref(), Some(wanted));
}

fn balancer(all: &Simulated, place: usize) -> String {
    all.view.balancers[place].name_any()
}

/// What the balancer in this place says of a link.
fn says(all: &mut Simulated, place: usize, upstream: &str, link: UpstreamLink) {
    all.upstreams.insert((balancer(all, place), upstream.to_owned()), Some(link));
}

/// Of a link of the balancer in this place nothing has settled.
fn dials(all: &mut Simulated, place: usize, upstream: &str) {
    all.upstreams.insert((balancer(all, place), upstream.to_owned()), None);
}

fn away(why: &str) -> UpstreamLink {
    UpstreamLink::away(why)
}

const fn up() -> UpstreamLink {
    UpstreamLink::up()
}

fn events(all: &Simulated) -> Vec<Reason> {
    let about =
        |reason: &Reason| matches!(reason, Reason::Connected | Reason::UpstreamLost | Reason::NotReported);
    all.events.iter().map(|event| event.reason).filter(about).collect()
}

/// How often a status is written until there is nothing to decide.
fn writes(all: &mut Simulated) -> usize {
    all.settle().iter().map(|it| it.status.len()).sum()
}

#[test]
fn a_lost_upstream_is_named_with_how_many_lack_it_and_why_and_one_that_comes_back_is_well() {
    let mut all = with(TWO);
    is(&all, "True/Connected: all balancers have links to eu, us");
    assert!(events(&all).is_empty(), "nothing was wrong");
    says(&mut all, 0, "eu", away("connection refused"));
    assert_eq!(writes(&mut all), 1);
    is(&all, "False/UpstreamLost: eu: no link from 1 of 2 balancers: connection refused");
    says(&mut all, 1, "eu", away("connection refused"));
    says(&mut all, 1, "us", away("it does not answer in time"));
    assert_eq!(writes(&mut all), 1);
    is(
        &all,
        "False/UpstreamLost: eu: no link from 2 of 2 balancers: connection refused; \
         us: no link from 1 of 2 balancers: it does not answer in time",
    );
    assert!(all.ready("Cluster/default").starts_with("True/ServersReady"), "streams of its own go on");
    assert_eq!(events(&all), [Reason::UpstreamLost], "one for all that is lost");
    let event = all.events.last().unwrap();
    assert_eq!((event.kind, event.name.as_str()), ("Cluster", "default"));
    assert!(event.note.starts_with("eu: no link from 1 of 2"), "{}", event.note);
    for (place, upstream) in [(0, "eu"), (1, "eu"), (1, "us")] {
        says(&mut all, place, upstream, up());
    }
    assert_eq!(writes(&mut all), 1);
    is(&all, "True/Connected: all balancers have links to eu, us");
    assert_eq!(events(&all), [Reason::UpstreamLost, Reason::Connected]);
}

#[test]
fn while_nothing_changes_nothing_is_written() {
    let mut all = with(ONE);
    says(&mut all, 0, "eu", away("connection refused"));
    all.settle();
    for _ in 0..20 {
        all.pass(60);
        let decision = all.step();
        assert!(is_empty(&decision), "{:?}", decision.status);
    }
    // Two that tell different things, each as many: what was said first stays.
    says(&mut all, 1, "eu", away("a reason that sorts before"));
    all.settle();
    is(&all, "False/UpstreamLost: eu: no link from 2 of 2 balancers: a reason that sorts before");
    says(&mut all, 0, "eu", away("a first reason"));
    assert_eq!(writes(&mut all), 0);
}

#[test]
fn who_names_no_upstreams_says_nothing_of_them() {
    let mut all = with("");
    assert_eq!(said(&all), None);
    all.write(&cluster(ONE));
    all.settle();
    is(&all, "True/Connected: all balancers have links to eu");
    says(&mut all, 0, "eu", away("connection refused"));
    all.settle();
    assert!(said(&all).unwrap().starts_with("False/"));
    all.write(&cluster(""));
    all.settle();
    assert_eq!(said(&all), None);
    assert_eq!(events(&all), [Reason::UpstreamLost]);
}

#[test]
fn before_balancers_have_said_anything_it_is_unknown() {
    let mut all = Simulated::new(&cluster(ONE));
    all.kubelet = false;
    for _ in 0..3 {
        all.step();
    }
    is(&all, "Unknown/NotReported: no balancer is Ready");
    all.kubelet = true;
    all.step();
    for place in 0..2 {
        dials(&mut all, place, "eu");
    }
    all.settle();
    assert!(said(&all).unwrap().starts_with("Unknown/NotReported: 2 of 2 balancers have not said yet"));
    says(&mut all, 0, "eu", up());
    all.settle();
    assert!(said(&all).unwrap().starts_with("Unknown/NotReported: 1 of 2 balancers have not said yet"));
    says(&mut all, 1, "eu", up());
    all.settle();
    is(&all, "True/Connected: all balancers have links to eu");
    assert!(events(&all).is_empty());
}

#[test]
fn one_that_is_named_anew_is_unknown_until_something_is_known_of_it() {
    let mut all = with(ONE);
    for place in 0..2 {
        dials(&mut all, place, "us");
    }
    all.write(&cluster(TWO));
    all.settle();
    assert!(said(&all).unwrap().starts_with("Unknown/NotReported: "), "{:?}", said(&all));
    says(&mut all, 0, "us", away("connection refused"));
    all.settle();
    is(&all, "False/UpstreamLost: us: no link from 1 of 2 balancers: connection refused");
}

#[test]
fn a_balancer_that_is_new_changes_nothing_before_something_is_known_of_it() {
    let mut all = with(ONE);
    all.write(&cluster(&format!("{ONE}, balancers: {{replicas: 3}}")));
    all.kubelet = false;
    all.step();
    all.kubelet = true;
    // The third is there, and dials.
    all.step();
    dials(&mut all, 2, "eu");
    all.settle();
    is(&all, "True/Connected: all balancers have links to eu");
    says(&mut all, 2, "eu", away("no route to host"));
    all.settle();
    is(&all, "False/UpstreamLost: eu: no link from 1 of 3 balancers: no route to host");
    dials(&mut all, 2, "eu");
    assert_eq!(writes(&mut all), 0, "one that was started anew: what was wrong is wrong until it is known");
}

#[test]
fn a_balancer_that_is_too_old_to_say_or_is_not_heard_leaves_it_unknown() {
    let mut all = with(ONE);
    let old = balancer(&all, 0);
    all.old.insert(old);
    all.settle();
    assert!(said(&all).unwrap().starts_with("Unknown/NotReported: 1 of 2 balancers"), "{:?}", said(&all));
    says(&mut all, 1, "eu", away("connection refused"));
    all.settle();
    is(&all, "False/UpstreamLost: eu: no link from 1 of 2 balancers: connection refused");
    all.old.clear();
    says(&mut all, 1, "eu", up());
    all.settle();
    let silent = balancer(&all, 1);
    all.unheard.insert(silent);
    all.settle();
    assert!(said(&all).unwrap().starts_with("Unknown/NotReported: 1 of 2 balancers"), "{:?}", said(&all));
    assert_eq!(events(&all), [Reason::UpstreamLost, Reason::Connected]);
}

#[test]
fn an_operator_that_has_just_been_started_waits_until_balancers_have_found_it() {
    let mut all = with(ONE);
    let both = [balancer(&all, 0), balancer(&all, 1)];
    all.unheard.extend(both);
    all.view.listens_for = Duration::from_secs(3);
    all.step();
    let decision = all.step();
    assert!(decision.status.is_empty(), "{:?}", decision.status);
    assert_eq!(decision.again, Some(Duration::from_secs(5)), "it looks again when that is over");
    all.view.listens_for = Duration::from_secs(8);
    all.step();
    assert!(said(&all).unwrap().starts_with("Unknown/NotReported: 2 of 2 balancers"), "{:?}", said(&all));
}

#[test]
fn a_balancer_that_became_ready_a_moment_ago_has_time_to_be_heard() {
    let mut all = with(ONE);
    let mut pod = all.view.balancers[1].as_ref().clone();
    let ready = &mut pod.status.as_mut().unwrap().conditions.as_mut().unwrap()[0];
    ready.last_transition_time = Some(Time(all.view.now));
    all.view.balancers[1] = Arc::new(pod);
    let name = balancer(&all, 1);
    all.unheard.insert(name);
    all.step();
    let decision = decide(&all.view);
    assert!(
        decision.status.is_empty() && decision.again.is_some_and(|again| again <= Duration::from_secs(6))
    );
    all.pass(7);
    let decision = all.step();
    assert!(matches!(decision.status[..], [Status::Cluster { .. }]));
    assert!(said(&all).unwrap().starts_with("Unknown/"));
}
