//! The operator itself: who leads, how it is, and what it may do.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use millrace_e2e::repository;
use millrace_e2e_kubernetes::{
    Operator, SYSTEM, Space, await_condition, await_within, cluster, feed, is_ready, kubectl, name, object,
    steady, stream, uid, with, with_temp_namespace, with_temp_namespace_alone,
};
use serde_json::{Value, json};

#[test]
fn two_replicas_are_ready_and_one_of_them_leads() {
    with_temp_namespace("replicas", |_| {
        // A test before this one may have killed some.
        let pods = await_condition("there are two replicas, Ready", || {
            Some(Operator.pods()).filter(|pods| pods.len() == 2 && pods.iter().all(is_ready))
        });
        let leader = Operator.leader().unwrap();
        for pod in &pods {
            let part = if name(pod) == leader { "ready: leader" } else { "ready: standby" };
            assert_eq!(Operator.get(name(pod), "/readyz").trim(), part, "{}", name(pod));
            let metrics = Operator.metrics(name(pod));
            let leads = metrics.get("millrace_operator_leader").copied().unwrap_or(-1.0);
            assert_eq!(leads > 0.5, name(pod) == leader, "{leader}: {metrics:?}");
            for metric in [
                "millrace_operator_queue_depth",
                "millrace_operator_clusters",
                "millrace_operator_connected_media_pods",
            ] {
                assert!(metrics.contains_key(metric), "{metric}: {metrics:?}");
            }
            let restricted = &pod["spec"]["containers"][0]["securityContext"];
            assert_eq!(restricted["readOnlyRootFilesystem"], true);
        }
        let leads = Operator.metrics(&leader);
        for family in ["millrace_operator_reconciles_total{", "millrace_operator_api_requests_total{"] {
            assert!(leads.keys().any(|metric| metric.starts_with(family)), "{family}: {leads:?}");
        }
    });
}

#[test]
fn when_the_leader_is_killed_another_takes_over_and_finishes_the_work() {
    with_temp_namespace_alone("leader", |space| {
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        let viewer = space.address("a").watch();
        let old = space.pod_of("a");
        let mut took = Vec::new();
        for round in 0..3 {
            let leader = Operator.leader().unwrap();
            // In the middle of a rollout, with a media pod that dies at the same time in the last round.
            if round == 0 {
                space.patch("Feed", "a", &json!({"spec": {"resources": {"requests": {"cpu": "13m"}}}}));
            }
            if round == 2 {
                space.kill(name(&space.pod_of("a")));
            }
            let began = Instant::now();
            Operator::space().kill(&leader);
            await_within(Duration::from_mins(1), "another leads", || {
                Operator.leader().filter(|next| *next != leader)
            });
            took.push(began.elapsed());
            let late = format!("late{round}");
            space.apply(&stream(&late, "a"));
            space.ready("Stream", &late);
            println!("a change was carried out {:.1?} after the leader was killed", began.elapsed());
            space.address("a").watch().flows(10_000);
            Operator.ready();
        }
        println!("from the leader's end to the next one: {took:.1?}");
        assert!(took.iter().min() <= Some(&Duration::from_secs(10)), "{took:?}");
        assert_ne!(uid(&space.pod_of("a")), uid(&old));
        assert_eq!(space.pods().len(), 1, "{:?}", space.pod_uids());
        drop(viewer);
    });
}

/// Puts the CRDs back, whatever happens.
struct Crds;

impl Drop for Crds {
    fn drop(&mut self) {
        kubectl("apply --server-side --force-conflicts -R -f manifests/crds/").run();
    }
}

#[test]
fn readyz_names_a_crd_that_is_missing_and_the_rest_goes_on() {
    with_temp_namespace_alone("crd", |space| {
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        let viewer = space.address("a").watch();
        await_condition("no Room is left, which would be lost with the CRD", || {
            space.kubectl("get rooms -A -o name").ok().is_empty().then_some(())
        });
        let back = Crds;
        space.delete("CustomResourceDefinition", "rooms.millrace.dev");
        let said = await_condition("readyz names the CRD", || {
            let pods = Operator.pods();
            let said = Operator.get(name(pods.first()?), "/readyz");
            said.contains("rooms.millrace.dev").then_some(said)
        });
        println!("{said}");
        viewer.flows(10_000);
        // What is applied to one that is still going would go with it.
        await_condition("the CRD is gone", || {
            space.find("CustomResourceDefinition", "rooms.millrace.dev").is_none().then_some(())
        });
        kubectl("apply --server-side --force-conflicts -R -f manifests/crds/").ok();
        await_condition("readyz is content", || {
            Operator
                .pods()
                .iter()
                .all(|pod| Operator.get(name(pod), "/readyz").starts_with("ready: "))
                .then_some(())
        });
        // CRDs older than the operator: without a field that it knows, what can be said goes on working.
        let mut old = space.get("CustomResourceDefinition", "feeds.millrace.dev");
        let fields =
            old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
                .as_object_mut()
                .unwrap();
        fields.remove("lastExit");
        fields.remove("source");
        let change = json!({"spec": {"versions": old["spec"]["versions"]}});
        space.patch("CustomResourceDefinition", "feeds.millrace.dev", &change);
        space.apply_all(&[
            with(feed("b", &json!(["false"])), &json!({"activation": "Continuous"})),
            stream("b", "b"),
        ]);
        space.is("Feed", "b", "Backoff");
        viewer.flows(10_000);
        kubectl("apply --server-side --force-conflicts -R -f manifests/crds/").ok();
        space.awaits("says how it ended", "Feed", "b", |feed| {
            feed["status"]["lastExit"]["code"].is_number().then_some(())
        });
        drop(back);
    });
}

/// What a rule grants: `verb group/resource`.
fn granted(rules: &Value) -> BTreeSet<String> {
    let texts = |value: &Value| {
        value
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| it.as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let mut all = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        for resource in texts(&rule["resources"]) {
            all.extend(texts(&rule["verbs"]).into_iter().map(|verb| format!("{verb} {resource}")));
        }
    }
    all
}

/// What the table in `docs/rbac.md` says, after `heading`.
fn documented(heading: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(repository("docs/rbac.md")).unwrap();
    let (_, section) = text.split_once(heading).unwrap();
    let rows = section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let mut all = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for resource in cells[2].split(", ") {
            all.extend(cells[3].split(", ").map(|verb| format!("{verb} {}", resource.trim_matches('`'))));
        }
    }
    all
}

/// What the operator's pods asked of the API server since they started.
fn asked() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for pod in Operator.pods() {
        for metric in Operator.metrics(name(&pod)).into_keys() {
            let Some(labels) = metric.strip_prefix("millrace_operator_api_requests_total{") else { continue };
            let label = |name: &str| {
                let (_, rest) = labels.split_once(&format!("{name}=\""))?;
                Some(rest.split('"').next()?.to_owned())
            };
            all.extend(
                label("verb").zip(label("resource")).map(|(verb, resource)| format!("{verb} {resource}")),
            );
        }
    }
    all
}

/// What was asked for while `work` was done: a replica that loses the Lease begins to count anew.
fn asked_while(work: impl FnOnce()) -> BTreeSet<String> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                // One that is just beginning anew does not answer.
                seen.extend(catch_unwind(asked).unwrap_or_default());
                std::thread::sleep(Duration::from_millis(500));
            }
            seen
        });
        let worked = catch_unwind(AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        let seen = looks.join().unwrap_or_default();
        worked.map_or_else(|panic| resume_unwind(panic), |()| seen)
    })
}

fn exercise(space: &Space) {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}});
    let env = json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}], "each": ["x", "y"]});
    space.apply_all(&[
        secret,
        cluster("default", &json!({})),
        with(feed("a", &steady()), &env),
        object("Stream", "a", &json!({"eachOf": "a", "path": "/{each}", "feeds": ["a-{each}"]})),
        with(feed("bad", &json!(["false"])), &json!({"activation": "Continuous"})),
        object("Room", "r", &json!({})),
    ]);
    space.ready("Stream", "a");
    space.is("Feed", "bad", "Backoff");
    space.patch("Feed", "a", &json!({"spec": {"each": ["x"]}}));
    space.patch("Stream", "a", &json!({"spec": {"path": "/other/{each}"}}));
    space.ready("Stream", "a-x");
    // Slots that nobody is in any more are deleted by the operator, what is left with the Cluster by Kubernetes.
    space.delete("Feed", "bad");
    await_condition("the slot of a Feed that is gone is gone", || (space.pods().len() == 1).then_some(()));
    // Without a listener that has a port no Service is needed, and without a media pod no budget.
    space.patch(
        "Cluster",
        "default",
        &json!({"spec": {"listeners": {"http": null, "rtmp": {"port": 1935}}}}),
    );
    let is_gone = |kind: &str, name: &str| {
        await_condition(&format!("{kind} {name} is gone"), || space.find(kind, name).is_none().then_some(()));
    };
    is_gone("Service", "default-balancers");
    space.delete("Stream", "a");
    space.delete("Feed", "a");
    is_gone("PodDisruptionBudget", "default-servers");
    space.delete("Cluster", "default");
}

#[test]
fn every_right_that_it_has_is_documented_and_used_and_it_has_no_other() {
    with_temp_namespace_alone("rights", |space| {
        let role = space.get("ClusterRole", "millrace-operator-manager");
        assert_eq!(granted(&role["rules"]), documented("In all namespaces"));
        let own = Operator::space().get("Role", "millrace-operator");
        assert_eq!(granted(&own["rules"]), documented("In its own namespace"));
        // What Kubernetes says it may do in a namespace is that and what every account may.
        let who = format!("--as=system:serviceaccount:{SYSTEM}:millrace-operator");
        let said = space.kubectl(&format!("auth can-i --list {who}")).ok();
        let named = granted(&role["rules"]);
        for line in said.lines().skip(1) {
            let resource = line.split_whitespace().next().unwrap_or_default();
            if resource.starts_with('[') || resource.starts_with("selfsubject") {
                continue; // URLs that all may read, and questions about oneself
            }
            let verbs =
                line.rsplit_once('[').map(|(_, verbs)| verbs.trim_end_matches(']')).unwrap_or_default();
            let short = resource.split_once('.').map_or(resource, |(before, _)| before).to_owned();
            let sub = resource.split_once('/').map(|(_, sub)| format!("/{sub}")).unwrap_or_default();
            let resource = if short.contains('/') { short } else { format!("{short}{sub}") };
            for verb in verbs.split_whitespace() {
                assert!(
                    named.contains(&format!("{verb} {resource}")),
                    "{verb} {resource} is granted and not in the role: {line}"
                );
            }
        }
        for no in [
            "create daemonsets",
            "create pods --subresource=exec",
            "update nodes",
            "list namespaces",
            "patch clusters",
            "impersonate users",
            "bind clusterroles",
        ] {
            let said = space.kubectl(&format!("auth can-i {no} {who}")).run().text();
            assert_eq!(said.trim(), "no", "{no}");
        }

        // Every right is used. Owner references with blockOwnerDeletion need `finalizers` on some clusters only; the
        // Lease and the Secret of the operator are made once in its life.
        kubectl(&format!("-n {SYSTEM} delete secret millrace-operator --ignore-not-found")).ok();
        kubectl(&format!("-n {SYSTEM} delete lease millrace-operator --ignore-not-found")).ok();
        kubectl(&format!("-n {SYSTEM} rollout restart deployment/millrace-operator")).ok();
        Operator.ready();
        let seen = asked_while(|| exercise(space));
        let mut unused: BTreeSet<_> =
            granted(&role["rules"]).union(&granted(&own["rules"])).cloned().collect();
        // These only where somebody else writes to the same object at the same time.
        let seldom = ["get feeds", "get leases"];
        unused.retain(|right| !right.ends_with("/finalizers") && !seldom.contains(&right.as_str()));
        let began = Instant::now();
        loop {
            let asked: BTreeSet<String> = asked().union(&seen).cloned().collect();
            // An apply of what is not there yet is a patch that needs the right to create, too.
            let applied = |right: &str| {
                right.strip_prefix("create ").is_some_and(|it| asked.contains(&format!("patch {it}")))
            };
            unused.retain(|right| !asked.contains(right) && !applied(right) && right != "create leases");
            if unused.is_empty() {
                break;
            }
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "granted and never used: {unused:?}; used: {asked:?}"
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    });
}
