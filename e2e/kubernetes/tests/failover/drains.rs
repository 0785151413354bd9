//! Work that is moved before what did it goes.

use millrace_e2e_kubernetes::{
    annotation, await_condition, is_ready, name, pod_is_gone, uid, with_temp_namespace,
};
use serde_json::json;

use super::{PATIENCE, Scene, epoch, newer};

#[test]
fn a_pod_is_drained_by_hand_and_nobody_is_cut_off() {
    with_temp_namespace("drain", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(40);
        let (lease, pod) = space.owner("a");
        let before = crowd.run("/a");
        space.kubectl(&format!("annotate pod {} millrace.dev/drain=true", name(&pod))).ok();
        crowd.another_run("/a", &before);
        newer(space, "a", epoch(&lease));
        assert_ne!(uid(&space.owner("a").1), uid(&pod));
        crowd.all_see(20);
        println!("the longest gap while a pod was drained by hand: {:.2?}", crowd.longest_gap(None));
        crowd.unharmed();
        assert!(crowd.longest_gap(None) < PATIENCE, "{:?}", crowd.longest_gap(None));
        // A pod that drains takes nothing again while it is marked.
        crowd.all_see(50);
        if let Some(now) = space.find("Pod", name(&pod)).filter(|now| uid(now) == uid(&pod)) {
            assert_ne!(uid(&space.owner("a").1), uid(&now));
        }
        crowd.unharmed();
    });
}

#[test]
fn a_rolling_upgrade_moves_what_runs_and_nobody_is_cut_off() {
    with_temp_namespace("upgrade", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(40);
        let old = space.pod_uids();
        // A field of the pods' template; an image of another name would be one, too.
        let resources = json!({"spec": {"servers": {"resources": {"requests": {"cpu": "11m"}}}}});
        space.patch("Cluster", "default", &resources);
        await_condition("all server pods were replaced", || {
            let pods = space.pods();
            let new =
                pods.iter().all(|pod| is_ready(pod) && old.get(name(pod)) != Some(&uid(pod).to_owned()));
            (new && pods.len() == 2).then_some(())
        });
        crowd.all_see(20);
        println!("the longest gap in a rolling upgrade: {:.2?}", crowd.longest_gap(None));
        crowd.unharmed();
        assert!(crowd.longest_gap(None) < PATIENCE, "{:?}", crowd.longest_gap(None));
        for feed in ["a", "b"] {
            let (_, pod) = space.owner(feed);
            assert!(!old.values().any(|uid_| uid_ == uid(&pod)), "{pod}");
        }
    });
}

#[test]
fn a_pod_that_is_deleted_drains_in_its_grace() {
    with_temp_namespace("grace", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(20);
        let (lease, pod) = space.owner("a");
        let before = crowd.run("/a");
        space.delete("Pod", name(&pod));
        crowd.another_run("/a", &before);
        newer(space, "a", epoch(&lease));
        pod_is_gone(space, &pod);
        crowd.all_see(20);
        println!("the longest gap while a pod was deleted: {:.2?}", crowd.longest_gap(None));
        crowd.unharmed();
        assert!(crowd.longest_gap(None) < PATIENCE, "{:?}", crowd.longest_gap(None));
        // The mark by hand does the same to one that stays.
        let (_, pod) = space.owner("b");
        let before = crowd.run("/b");
        space.patch("Pod", name(&pod), &annotation("millrace.dev/drain", "true"));
        crowd.another_run("/b", &before);
        crowd.all_see(10);
        crowd.unharmed();
    });
}
