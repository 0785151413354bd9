//! Parts of the cluster itself are lost.

use std::time::{Duration, Instant};

use millrace_e2e_kubernetes::{
    Broken, Cordoned, Labelled, Opened, Operator, Space, annotation, await_condition,
    control_plane_and_workers, is_ready, kill_bus, local, name, nodes_ready, uid, with_temp_namespace_alone,
};
use serde_json::json;

use super::{FEEDS, PATIENCE, Scene, epoch, newer, node_of};

const SERVERS: &str = "millrace-e2e/servers";

/// Server pods on both workers, balancers on the control plane's node and the first worker: what the second worker takes with it
/// when it is lost is server pods alone, and maybe the operator's leader.
fn apart(space: &Space, test: impl FnOnce(&Scene, &str)) {
    let (first, workers) = control_plane_and_workers();
    let lost = workers.last().cloned().unwrap_or_default();
    let _labels = Labelled::with(SERVERS, &workers.iter().map(String::as_str).collect::<Vec<_>>());
    let _open = Opened::control_plane();
    let spec = json!({"servers": {"nodeSelector": {SERVERS: "yes"}}});
    {
        let _cordoned = Cordoned::off(&lost);
        space.apply(&millrace_e2e_kubernetes::cluster("default", &spec));
        let balancers = Scene::balancers(space, 2);
        assert!(balancers.iter().all(|pod| node_of(pod) != lost), "{first}, {lost}: {balancers:?}");
    }
    let scene = Scene::four(space, &spec);
    test(&scene, &lost);
    nodes_ready();
}

#[test]
fn an_owner_is_killed_and_then_its_node_cut_off_and_healed_and_200_viewers_stay() {
    with_temp_namespace_alone("end", |space| {
        if !local() {
            eprintln!("left out: only a node of e2e/cluster/up can be cut off");
            return;
        }
        apart(space, |scene, lost| {
            let there: Vec<&str> =
                FEEDS.into_iter().filter(|feed| node_of(&space.owner(feed).1) == lost).collect();
            assert!(!there.is_empty(), "pods are spread over the nodes");
            let (feed, path) = (there[0], format!("/{}", there[0]));
            let crowd = scene.watched(200);
            println!("{}", space.kubectl("get pods -L millrace.dev/role -o wide").ok());
            println!("{}", space.kubectl("get leases").ok());

            let (lease, pod) = space.owner(feed);
            let before = crowd.run(&path);
            kill_bus(&pod);
            crowd.another_run(&path, &before);
            crowd.all_see(20);
            println!("killed: the longest gap {:.2?}", crowd.longest_gap(None));
            assert!(crowd.longest_gap(None) < PATIENCE, "{:?}", crowd.longest_gap(None));
            crowd.unharmed();
            newer(space, feed, epoch(&lease));

            // Those that are on the node now.
            let there: Vec<&str> = await_condition("every owner is settled, one of them on the node", || {
                let theirs = FEEDS.into_iter().filter(|feed| node_of(&space.owner(feed).1) == lost);
                Some(theirs.collect::<Vec<_>>()).filter(|theirs| !theirs.is_empty())
            });
            crowd.all_see(10);
            let before: Vec<String> = there.iter().map(|feed| crowd.run(&format!("/{feed}"))).collect();
            let leases: Vec<i64> = there.iter().map(|feed| epoch(&space.owner(feed).0)).collect();
            crowd.begin();
            let cut = Broken::off(lost);
            let began = Instant::now();
            for (feed, before) in there.iter().zip(&before) {
                crowd.another_run(&format!("/{feed}"), before);
            }
            println!(
                "{} feeds of {lost} have other owners {:.1?} after it was cut off",
                there.len(),
                began.elapsed()
            );
            crowd.all_see(20);
            println!("cut off: the longest gap {:.2?}", crowd.longest_gap(None));
            crowd.unharmed();
            assert!(crowd.longest_gap(None) < 3 * PATIENCE, "{:?}", crowd.longest_gap(None));
            for (feed, epoch) in there.iter().zip(&leases) {
                newer(space, feed, *epoch);
            }
            println!("{}", space.kubectl("get leases").ok());

            crowd.begin();
            drop(cut);
            nodes_ready();
            // The old owners are heard again. What they have is older than what viewers had meanwhile.
            for feed in FEEDS {
                await_condition(&format!("{feed} has one owner, who is Ready"), || {
                    is_ready(&space.owner(feed).1).then_some(())
                });
            }
            crowd.all_see(100);
            println!("healed: the longest gap {:.2?}", crowd.longest_gap(None));
            crowd.unharmed();
        });
    });
}

#[test]
fn the_leader_is_killed_in_the_middle_of_a_failover() {
    with_temp_namespace_alone("mid", |space| {
        if !local() {
            return;
        }
        let scene = Scene::four(space, &json!({}));
        let crowd = scene.watched(100);
        // At different moments of it.
        for (round, pause) in [0, 150, 400].into_iter().enumerate() {
            Operator.ready();
            let leader = Operator.leader().unwrap();
            let (lease, pod) = space.owner("a");
            let before = crowd.run("/a");
            crowd.begin();
            kill_bus(&pod);
            // The moment is the point of it: nothing outside shows how far a failover is.
            std::thread::sleep(Duration::from_millis(pause));
            Operator::space().kill(&leader);
            crowd.another_run("/a", &before);
            crowd.all_see(20);
            println!(
                "round {round}: the longest gap with the leader killed {pause} ms later: {:.2?}",
                crowd.longest_gap(None)
            );
            crowd.unharmed();
            assert!(crowd.longest_gap(None) < 3 * PATIENCE, "{:?}", crowd.longest_gap(None));
            newer(space, "a", epoch(&lease));
        }
        Operator.ready();
    });
}

#[test]
fn packets_are_lost_between_pods_and_nobody_is_cut_off() {
    with_temp_namespace_alone("loss", |space| {
        if !local() {
            return;
        }
        let scene = Scene::four(space, &json!({}));
        let crowd = scene.watched(40);
        for percent in [1, 5, 10] {
            // What was moved by the failover before goes home by itself.
            await_condition("a is in its own pod", || {
                (space.owner("a").1["metadata"]["labels"]["millrace.dev/feed"] == "a").then_some(())
            });
            crowd.begin();
            let owners = FEEDS.map(|feed| epoch(&space.owner(feed).0));
            let broken = Broken::loses(percent);
            crowd.all_see(100);
            let gap = crowd.longest_gap(None);
            let now = FEEDS.map(|feed| epoch(&space.owner(feed).0));
            println!("{percent} % lost: the longest gap {gap:.2?}; epochs {owners:?}, then {now:?}");
            crowd.unharmed();
            assert!(gap < PATIENCE, "{gap:?}");
            assert_eq!(owners, now, "losing {percent} % of the packets moves no feed");
            // And a failover succeeds.
            let (_, pod) = space.owner("a");
            let before = crowd.run("/a");
            kill_bus(&pod);
            crowd.another_run("/a", &before);
            crowd.all_see(20);
            println!("{percent} % lost: the longest gap of a failover {:.2?}", crowd.longest_gap(Some("/a")));
            drop(broken);
            crowd.all_see(10);
            crowd.unharmed();
        }
    });
}

#[test]
fn a_node_is_drained_by_kubectl_and_nobody_is_cut_off() {
    with_temp_namespace_alone("node-drain", |space| {
        if !local() {
            return;
        }
        apart(space, |scene, node| {
            let there: Vec<&str> =
                FEEDS.into_iter().filter(|feed| node_of(&space.owner(feed).1) == node).collect();
            assert!(!there.is_empty(), "pods are spread over the nodes");
            let crowd = scene.watched(100);
            let cordoned = Cordoned::drained(node);
            for feed in FEEDS {
                let (_, pod) = space.owner(feed);
                assert_ne!(node_of(&pod), node, "{feed} is at {}", name(&pod));
            }
            crowd.all_see(20);
            println!("{} feeds moved: the longest gap {:.2?}", there.len(), crowd.longest_gap(None));
            crowd.unharmed();
            assert!(crowd.longest_gap(None) < PATIENCE, "{:?}", crowd.longest_gap(None));
            drop(cordoned);
            Operator.ready();
        });
    });
}

#[test]
fn all_servers_fall_silent_and_nothing_is_moved_until_somebody_says_go_on_or_they_are_back() {
    with_temp_namespace_alone("silent", |space| {
        if !local() {
            return;
        }
        // Both workers at once, with all server pods of the Cluster and the balancers, as far as the operator hears.
        let scene = Scene::four(space, &json!({}));
        let owners = FEEDS.map(|feed| (epoch(&space.owner(feed).0), uid(&space.owner(feed).1).to_owned()));
        let (_, workers) = control_plane_and_workers();
        let broken: Vec<Broken> = workers.iter().map(|node| Broken::off(node)).collect();
        std::thread::sleep(Duration::from_secs(15));
        drop(broken);
        nodes_ready();
        Operator.ready();
        let crowd = scene.watched(8);
        crowd.all_see(10);
        let now = FEEDS.map(|feed| (epoch(&space.owner(feed).0), uid(&space.owner(feed).1).to_owned()));
        assert_eq!(owners, now, "15 s without any network are no reason to move anything");
        space.patch("Cluster", "default", &annotation("millrace.dev/failover", "resume"));
        crowd.all_see(10);
        crowd.unharmed();
    });
}
