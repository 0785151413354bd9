//! Members that claim what is another's.

use millrace_e2e_kubernetes::{await_condition, block_on, kill_bus, local, name, uid, with_temp_namespace};
use millrace_link::{secure::MemberKey, wire::Code};
use serde_json::json;

use super::{
    Scene, epoch, newer,
    stranger::{announcement, dial, granted, key_of, links, metric, say},
    text,
};

const REFUSED: &str = "millrace_edge_announcements_refused_total";

#[test]
fn a_member_that_claims_anothers_feed_gets_no_viewer_of_it() {
    with_temp_namespace("claims", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(40);
        let (first, pod) = space.owner("a");
        let old = granted(&first);
        let mut owner = first.clone();
        if local() {
            // So that there is an older grant, which the operator did sign.
            let before = crowd.run("/a");
            kill_bus(&pod);
            crowd.another_run("/a", &before);
            newer(space, "a", epoch(&first));
            // Where another pod had it meanwhile, it goes home.
            owner = await_condition("a is in its own pod, and all see it from there", || {
                let (lease, pod) = space.owner("a");
                let home = pod["metadata"]["labels"]["millrace.dev/feed"] == "a";
                (home && crowd.run("/a").starts_with(name(&pod))).then_some(lease)
            });
        }
        crowd.all_see(10);
        let (run, feed) = (crowd.run("/a"), space.get("Feed", "a"));
        let (other, thief) = space.owner("b");
        let (key, thief) = (key_of(space, &thief), format!("{}_stolen", uid(&thief)));
        let (now, others) = (granted(&owner), granted(&other));
        let mut forged = others.0.clone();
        *forged.last_mut().unwrap() ^= 1;
        for balancer in Scene::balancers(space, 2) {
            let (door, before) = (space.door(&balancer, 9100), metric(space, &balancer, REFUSED));
            let claims = vec![
                announcement("/a", uid(&feed), now.1 + 1, &[]),
                announcement("/a", uid(&feed), now.1, &now.0),
                announcement("/a", uid(&feed), now.1 + 1, &now.0),
                announcement("/a", uid(&feed), others.1, &others.0),
            ];
            let count = claims.len() as f64;
            let codes = block_on(async {
                let link = dial(&door, &key, &thief).await;
                say(&link, claims).await
            });
            println!("to a member without a grant: {codes:?}");
            assert!(codes.iter().all(|code| !code.is_success()), "{codes:?}");
            assert_eq!(codes[0], Code::SIGN_NOT_PRESENT);
            // With its own name it may show its own grant, but not another that looks like it.
            let (holder, own) = (text(&other, "/spec/holderIdentity"), space.get("Feed", "b"));
            let wrong = vec![announcement("/stolen", uid(&own), others.1, &forged)];
            let codes = block_on(async { say(&dial(&door, &key, holder).await, wrong).await });
            assert_eq!(codes, [Code::SIGN_INCORRECT]);
            let count = count + 1.0;
            assert!((metric(space, &balancer, REFUSED) - before - count).abs() < 0.5);
            if local() {
                // The owner before comes back with what it was granted.
                let holder = text(&first, "/spec/holderIdentity");
                let late = vec![announcement("/a", uid(&feed), old.1, &old.0)];
                let key = key_of(space, &pod);
                let codes = block_on(async { say(&dial(&door, &key, holder).await, late).await });
                assert_eq!(codes, [Code::MEMBER_SECURITY_ISSUE], "epoch {} is over", old.1);
                assert!((metric(space, &balancer, REFUSED) - before - count - 1.0).abs() < 0.5);
            }
            let stranger = MemberKey::generate().unwrap();
            let refused = block_on(async {
                let link = dial(&door, &stranger.into(), &thief).await;
                link.closed().await.to_string()
            });
            assert!(refused.contains("AVRS_ERROR_SIGN_ALIEN"), "{refused}");
            links(space, &balancer, 2);
        }
        crowd.all_see(20);
        assert_eq!(crowd.run("/a"), run);
        assert_eq!(epoch(&space.owner("a").0), epoch(&owner));
        crowd.unharmed();
    });
}

#[test]
fn a_member_that_says_it_is_another_gets_no_viewer_of_it() {
    with_temp_namespace("another", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(40);
        let (run, (owner, _)) = (crowd.run("/a"), space.owner("a"));
        let key = key_of(space, &space.owner("b").1);
        for balancer in Scene::balancers(space, 2) {
            let door = space.door(&balancer, 9100);
            let refused = block_on(async {
                let link = dial(&door, &key, text(&owner, "/spec/holderIdentity")).await;
                link.closed().await.to_string()
            });
            assert!(refused.contains("AVRS_ERROR_MEMBER_SECURITY_ISSUE"), "{refused}");
            crowd.all_see(20);
            links(space, &balancer, 2);
        }
        assert_eq!(crowd.run("/a"), run);
        crowd.unharmed();
    });
}
