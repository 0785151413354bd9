//! The `HorizontalPodAutoscaler` that `docs/kubernetes.md` shows, in a cluster that has metrics.

use std::{collections::BTreeMap, slice::from_ref, time::Duration};

use millrace_e2e::repository;
use millrace_e2e_kubernetes::{
    Address, Crowd, Metrics, Space, await_condition, cluster, feed, kubectl, marked, name, pod_is_gone,
    stream, uid, with_temp_namespace,
};
use serde_json::{Value, json};

use super::{all_ready, viewers_of};

const HPA: &str = "default-balancers";
/// So many come at a time, at most so often.
const RUSH: (usize, usize) = (40, 14);

/// What the documentation says, with what this machine reaches: `target` thousandths of a CPU.
fn documented(target: u64) -> String {
    let text = std::fs::read_to_string(repository("docs/kubernetes.md")).unwrap();
    let blocks = text.split("```yaml\n").filter_map(|rest| rest.split_once("```"));
    let mut all = blocks.map(|(block, _)| block).filter(|block| block.contains("HorizontalPodAutoscaler"));
    let (Some(block), None) = (all.next(), all.next()) else { panic!("docs/kubernetes.md shows one") };
    let changes = [
        ("maxReplicas: 20", "maxReplicas: 4".to_owned()),
        ("averageValue: 500m", format!("averageValue: {target}m")),
    ];
    let mut hpa = block.to_owned();
    for (there, instead) in changes {
        assert_eq!(hpa.matches(there).count(), 1, "{there}: {block}");
        hpa = hpa.replace(there, &instead);
    }
    // Five minutes without this.
    hpa + "  behavior: {scaleDown: {stabilizationWindowSeconds: 15}}\n"
}

/// Thousandths of a CPU that all balancers use together, once that was measured after now: the first figures are those of their start.
fn used(space: &Space) -> u64 {
    let mut seen: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods", space.name());
    let latest = await_condition("there are new metrics of each balancer", || {
        std::thread::sleep(Duration::from_secs(1));
        let said =
            kubectl("get --raw").with(&[&format!("{path}?labelSelector=millrace.dev/role%3Dbalancer")]).run();
        let list: Value = serde_json::from_str(&said.text()).ok()?;
        for pod in list["items"].as_array()? {
            let cpu = pod["containers"][0]["usage"]["cpu"].as_str()?;
            let (number, unit) = cpu.split_at(cpu.trim_end_matches(char::is_alphabetic).len());
            let parts = BTreeMap::from([("n", 1_000_000), ("u", 1000), ("m", 1)]).get(unit).copied();
            let thousandths = number.parse::<u64>().ok()? / parts.unwrap_or(1);
            let of = seen.entry(name(pod).to_owned()).or_default();
            of.insert(pod["timestamp"].as_str()?.to_owned(), thousandths);
        }
        // Each is of the time since the one before: of the first two that may have begun before now.
        let there = seen.len() == space.balancers().len() && seen.values().all(|of| of.len() >= 3);
        there.then(|| {
            seen.values().filter_map(|of| of.last_key_value()).map(|(_, used)| *used).collect::<Vec<_>>()
        })
    });
    println!("balancers use {latest:?} thousandths of a CPU");
    latest.iter().sum()
}

/// How many the autoscaler wants, by what it wrote into the Cluster.
fn wanted(space: &Space) -> u64 {
    space.get("Cluster", "default")["spec"]["balancers"]["replicas"].as_u64().unwrap_or_default()
}

fn print(space: &Space, when: &str) {
    let viewers: Vec<f64> = space.balancers().iter().map(|pod| viewers_of(space, pod)).collect();
    println!("{when}: viewers {viewers:?}\n{}", space.kubectl("get hpa").ok());
}

/// As many as it takes for four balancers.
fn rush(space: &Space, address: &Address) -> Vec<Crowd> {
    let mut all = Vec::new();
    await_condition("the autoscaler wants four", || {
        if all.len() < RUSH.1 {
            all.push(Crowd::watch(from_ref(address), RUSH.0));
        }
        std::thread::sleep(Duration::from_secs(3));
        (wanted(space) == 4).then_some(())
    });
    all
}

#[test]
fn the_autoscaler_of_the_documentation_sizes_balancers_by_cpu_and_who_stays_notices_nothing() {
    with_temp_namespace("hpa", |space| {
        let _metrics = Metrics::start();
        let auto = json!({"balancers": {"autoscale": {"min": 2, "max": 4, "hpa": true}}});
        space.apply_all(&[cluster("default", &auto), feed("a", &marked()), stream("a", "a")]);
        let address = space.address("a");
        let old = all_ready(space, 2);
        let stay = await_condition("both balancers have viewers", || {
            let crowd = Crowd::watch(from_ref(&address), 8);
            old.iter().all(|pod| viewers_of(space, pod) > 0.0).then_some(crowd)
        });
        // So that two are enough for who stays, and four may idle at that.
        let target = used(space) + 2;
        space.kubectl("apply -f -").input(&documented(target)).ok();
        space.awaits("knows what they use", "HorizontalPodAutoscaler", HPA, |hpa| {
            let current = hpa.pointer("/status/currentMetrics/0/resource/current/averageValue")?;
            assert_eq!(hpa["status"]["desiredReplicas"], 2, "{hpa}");
            println!("the autoscaler says {current}");
            Some(())
        });
        let shown = space.kubectl("get hpa").ok();
        assert!(shown.contains("cpu: ") && !shown.contains("<unknown>"), "{shown}");
        let scale = space.kubectl("get cluster.millrace.dev default --subresource=scale -o json").ok();
        let scale: Value = serde_json::from_str(&scale).unwrap();
        assert_eq!(scale["status"]["replicas"], 2, "{scale}");

        let many = rush(space, &address);
        let four = all_ready(space, 4);
        print(space, "four are wanted");
        let is_old = |pod: &Value| old.iter().any(|one| uid(one) == uid(pod));
        assert_eq!(four.iter().filter(|pod| is_old(pod)).count(), 2);
        many.iter().for_each(Crowd::unharmed);
        stay.unharmed();
        drop(many);

        await_condition("the autoscaler wants two", || (wanted(space) == 2).then_some(()));
        print(space, "two are wanted");
        four.iter().filter(|pod| !is_old(pod)).for_each(|pod| pod_is_gone(space, pod));
        let left = all_ready(space, 2);
        assert!(left.iter().all(is_old), "the emptiest go: {:?}", left.iter().map(name).collect::<Vec<_>>());
        print(space, "they have gone");
        stay.all_see(20);
        println!("the longest gap of those who stayed: {:.2?}", stay.longest_gap(None));
        stay.unharmed();
        assert_eq!(stay.seen().iter().map(|seen| seen.answers).max(), Some(1));
    });
}
