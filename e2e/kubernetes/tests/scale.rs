//! As many balancers as viewers need.

mod hpa;

use std::slice::from_ref;

use millrace_e2e_kubernetes::{
    Crowd, Space, annotation, await_condition, cluster, feed, is_ready, marked, name, pod_is_gone, stream,
    uid, with_temp_namespace,
};
use serde_json::{Value, json};

const DEPLOYMENT: &str = "default-balancers";
/// Of the Deployment: since when fewer would do.
const FEWER: &str = "/metadata/annotations/millrace.dev~1fewer-since";

/// How many viewers a balancer has, by its own count.
fn viewers_of(space: &Space, balancer: &Value) -> f64 {
    let metrics = space.metrics(name(balancer), 9000);
    metrics.get("millrace_edge_viewers").copied().unwrap_or(f64::NAN)
}

fn all_ready(space: &Space, count: usize) -> Vec<Value> {
    await_condition(&format!("{count} balancers are there, all Ready"), || {
        let all = space.balancers();
        (all.len() == count && all.iter().all(is_ready)).then_some(all)
    })
}

#[test]
fn balancers_come_with_viewers_and_go_when_they_have_gone_and_who_stays_notices_nothing() {
    with_temp_namespace("scale", |space| {
        let auto = json!({"balancers": {"autoscale": {"min": 2, "max": 4, "sessions": 20}}});
        space.apply_all(&[cluster("default", &auto), feed("a", &marked()), stream("a", "a")]);
        let address = space.address("a");
        let old = all_ready(space, 2);
        let is_old = |pod: &Value| old.iter().any(|one| uid(one) == uid(pod));
        // Those who stay; then a rush, for whom two are too few.
        let stay = await_condition("both balancers have viewers", || {
            let crowd = Crowd::watch(from_ref(&address), 16);
            old.iter().all(|pod| viewers_of(space, pod) > 0.0).then_some(crowd)
        });
        let rush = Crowd::watch(from_ref(&address), 44);
        let four = all_ready(space, 4);
        // They have somebody to serve, too.
        let mut more = Vec::new();
        await_condition("those that are new have viewers", || {
            more.push(Crowd::watch(from_ref(&address), 10));
            let mut new = four.iter().filter(|pod| !is_old(pod));
            new.all(|pod| viewers_of(space, pod) > 0.0).then_some(())
        });
        more.iter().for_each(Crowd::unharmed);
        rush.unharmed();
        println!("viewers of four: {:?}", four.iter().map(|pod| viewers_of(space, pod)).collect::<Vec<_>>());
        drop((rush, more));
        for count in [3, 2] {
            // It is left as it is for five minutes of calm: those are said to have been.
            space.awaits("says since when fewer would do", "Deployment", DEPLOYMENT, |deployment| {
                deployment.pointer(FEWER).map(drop)
            });
            let before = space.balancers();
            let counts: Vec<f64> = before.iter().map(|pod| viewers_of(space, pod)).collect();
            space.patch(
                "Deployment",
                DEPLOYMENT,
                &annotation("millrace.dev/fewer-since", "2020-01-01T00:00:00Z"),
            );
            let gone = await_condition(&format!("one goes, {count} stay"), || {
                let now = space.balancers();
                let gone: Vec<&Value> =
                    before.iter().filter(|pod| !now.iter().any(|other| uid(other) == uid(pod))).collect();
                if let [gone] = gone.as_slice() { Some((*gone).clone()) } else { None }
            });
            println!("{count} are enough: of those with {counts:?} viewers goes {}", name(&gone));
            assert!(!is_old(&gone), "the emptiest goes: not one of those with viewers");
            pod_is_gone(space, &gone);
            assert_eq!(all_ready(space, count).len(), count);
        }
        stay.all_see(20);
        println!("the longest gap of those who stayed: {:.2?}", stay.longest_gap(None));
        stay.unharmed();
        assert!(all_ready(space, 2).iter().all(is_old));
        assert_eq!(stay.seen().iter().map(|seen| seen.answers).max(), Some(1));
    });
}
