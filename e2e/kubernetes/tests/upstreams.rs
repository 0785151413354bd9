//! A Cluster that pulls from another one.

use std::slice::from_ref;

use millrace_e2e_kubernetes::{
    Crowd, Space, await_condition, cluster, condition, feed, is_ready, marked, stream, with_temp_namespace,
};
use serde_json::{Value, json};

const LONG_ENOUGH: u64 = 30;

/// What the Cluster says of its upstreams, once it says it with this status.
fn connected(space: &Space, status: &str) -> Value {
    space.awaits(&format!("says UpstreamsConnected {status}"), "Cluster", "default", |cluster| {
        let said = condition(cluster, "UpstreamsConnected");
        let of_now = said["observedGeneration"] == cluster["metadata"]["generation"];
        (said["status"] == status && of_now).then_some(said)
    })
}

fn scale(space: &Space, balancers: u32) {
    space.patch("Cluster", "default", &json!({"spec": {"balancers": {"replicas": balancers}}}));
}

#[test]
fn a_cluster_says_when_its_upstream_is_lost_and_when_it_is_back_and_its_viewers_go_on() {
    with_temp_namespace("upstreams", |space| {
        let source = Space::create(&format!("{}-source", space.name()));
        source.apply_all(&[cluster("default", &json!({})), feed("a", &marked()), stream("a", "a")]);
        source.address("a");

        let url = format!("millrace://default-balancers.{}.svc:8080", source.name());
        let upstreams = json!({"upstreams": [{"name": "origin", "url": url}]});
        space.apply_all(&[cluster("default", &upstreams), feed("own", &marked()), stream("own", "own")]);
        let own = space.address("own");
        let there = connected(space, "True");
        assert_eq!(there["reason"], "Connected", "{there}");
        assert!(there["message"].as_str().unwrap().contains("origin"), "{there}");
        assert!(space.events("Cluster", "default", "UpstreamLost").is_empty());

        let at_home = Crowd::watch(from_ref(&own), 4);
        let beyond = Crowd::watch(&[own.at("/a")], 4);
        scale(&source, 0);
        let lost = space.awaits("names the upstream and both balancers", "Cluster", "default", |cluster| {
            let said = condition(cluster, "UpstreamsConnected");
            let message = said["message"].as_str()?;
            (said["status"] == "False" && message.starts_with("origin: no link from 2 of 2 balancers: "))
                .then(|| cluster.clone())
        });
        assert_eq!(condition(&lost, "UpstreamsConnected")["reason"], "UpstreamLost", "{lost}");
        assert!(is_ready(&lost), "it serves what is its own: {lost}");
        let events = await_condition("an Event says so", || {
            Some(space.events("Cluster", "default", "UpstreamLost")).filter(|all| !all.is_empty())
        });
        assert_eq!((events.len(), &events[0]["type"]), (1, &json!("Warning")), "{events:?}");
        at_home.all_see(LONG_ENOUGH);

        // While it stays so nothing is written, however often it is tried; the last of its balancers may still be going.
        await_condition("it is quiet for 15 s", || {
            let version = || space.get("Cluster", "default")["metadata"]["resourceVersion"].clone();
            let before = version();
            at_home.all_see(LONG_ENOUGH * 5);
            (before == version()).then_some(())
        });

        scale(&source, 2);
        let back = connected(space, "True");
        assert_eq!(back["reason"], "Connected", "{back}");
        beyond.all_see(LONG_ENOUGH);
        at_home.unharmed();
        await_condition("an Event says that it is back", || {
            let all = space.events("Cluster", "default", "Connected");
            (!all.is_empty() && all[0]["type"] == "Normal").then_some(())
        });

        // Who names none says nothing of them.
        space.apply(&cluster("default", &json!({"upstreams": []})));
        space.awaits("says nothing of upstreams", "Cluster", "default", |cluster| {
            condition(cluster, "UpstreamsConnected").is_null().then_some(())
        });
        at_home.unharmed();
        source.end();
    });
}
