//! Owners as Kubernetes shows them, and what is written into their Leases by others.

use millrace_e2e_kubernetes::{await_condition, kubectl, name, uid, with_temp_namespace};
use serde_json::json;

use super::{FEEDS, Scene, claimed, epoch, sealed, text};

#[test]
fn kubectl_shows_the_part_of_each_pod_and_the_owner_of_each_feed() {
    with_temp_namespace("owners", |space| {
        let scene = Scene::four(space, &json!({}));
        let said = space.kubectl("get pods -L millrace.dev/role --no-headers").ok();
        let parts: Vec<_> = said.lines().filter_map(|line| line.split_whitespace().last()).collect();
        assert_eq!(parts.iter().filter(|part| **part == "balancer").count(), 2, "{said}");
        assert_eq!(parts.iter().filter(|part| **part == "server").count(), 4, "{said}");
        let leases = space.kubectl("get leases --no-headers").ok();
        assert_eq!(leases.lines().count(), 4, "{leases}");
        println!("{said}{leases}");
        for feed in FEEDS {
            let (lease, pod) = space.owner(feed);
            let holder = text(&lease, "/spec/holderIdentity");
            assert!(leases.contains(holder), "{leases}");
            assert_eq!(text(&lease, "/metadata/annotations/millrace.dev~1pod"), name(&pod));
            let feed = space.get("Feed", feed);
            let owner = &lease["metadata"]["ownerReferences"][0];
            assert_eq!((owner["kind"].as_str(), owner["uid"].as_str()), (Some("Feed"), Some(uid(&feed))));
            assert_eq!(feed["status"]["epoch"].as_i64(), Some(epoch(&lease)));
            assert!(epoch(&lease) >= 1, "{lease}");
        }
        // Owned by the Feed, it goes with it.
        space.delete("Stream", "d");
        space.delete("Feed", "d");
        await_condition("the Lease of a deleted Feed is gone", || space.lease("d").is_none().then_some(()));
        drop(scene);
    });
}

#[test]
fn a_lease_that_is_deleted_is_made_anew_and_nobody_notices() {
    with_temp_namespace("lease", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(20);
        for _ in 0..3 {
            let (lease, _) = space.owner("a");
            space.delete("Lease", name(&lease));
            await_condition("it is made anew", || {
                space.lease("a").filter(|next| uid(next) != uid(&lease)).map(drop)
            });
            sealed(space, "a", &lease);
            crowd.all_see(10);
        }
        println!("the longest gap while Leases were deleted: {:.2?}", crowd.longest_gap(None));
        crowd.unharmed();
    });
}

#[test]
fn a_claim_that_the_operator_did_not_sign_counts_for_nothing() {
    with_temp_namespace("claim", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(20);
        let (other, _) = space.owner("b");
        let claimant = text(&other, "/spec/holderIdentity").to_owned();
        for _ in 0..3 {
            let (lease, _) = space.owner("a");
            space.patch("Lease", name(&lease), &claimed(&lease, &claimant));
            let next = sealed(space, "a", &lease);
            assert_ne!(text(&next, "/spec/holderIdentity"), claimant, "{next}");
            crowd.all_see(10);
        }
        // Nor does another's grant, which is a right one, serve for this Feed.
        let (lease, _) = space.owner("a");
        let mut stolen = claimed(&lease, &claimant);
        let grant = text(&other, "/metadata/annotations/millrace.dev~1grant");
        stolen["metadata"] = json!({"annotations": {"millrace.dev/grant": grant}});
        space.patch("Lease", name(&lease), &stolen);
        let next = sealed(space, "a", &lease);
        assert_ne!(text(&next, "/spec/holderIdentity"), claimant, "{next}");
        crowd.all_see(10);
        assert!(crowd.run("/a").starts_with(name(&space.owner("a").1)), "{}", crowd.run("/a"));
        println!("the longest gap beside false claims: {:.2?}", crowd.longest_gap(None));
        crowd.unharmed();
        let said = kubectl(&format!("-n {} get leases", space.name())).ok();
        println!("{said}");
    });
}
