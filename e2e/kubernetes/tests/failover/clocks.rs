//! Pods whose clocks are wrong.

use millrace_e2e_kubernetes::{
    OtherClock, Program, Space, annotation, kill_bus, local, name, with_temp_namespace,
};
use serde_json::{Value, json};

use super::{PATIENCE, Scene, epoch, newer};

const HOUR: i64 = 3600;

/// The date and hour that it is now, so many seconds from now: as logs have it.
fn hour(seconds: i64) -> String {
    Program::new("date", "-u -d").with(&[&format!("{seconds} seconds"), "+%F %H:"]).ok().trim().to_owned()
}

/// Its log begins with the time that it had: not this one.
fn is_off(space: &Space, pod: &Value, ahead: i64) {
    let log = space.kubectl(&format!("logs {} -c bus", name(pod))).ok();
    let first = log.lines().next().unwrap_or_default();
    // It may have begun shortly before a full hour.
    let said = [hour(ahead), hour(ahead - 300)];
    assert!(said.iter().any(|hour| first.starts_with(hour)), "{first}; {said:?}");
}

#[test]
fn clocks_of_media_pods_are_an_hour_off_and_a_killed_owner_has_a_successor() {
    for (servers, balancers) in [(HOUR, -HOUR), (-HOUR, HOUR)] {
        with_temp_namespace("clocks", |space| {
            if !local() {
                eprintln!("left out: only to the nodes of e2e/cluster/up can an image be brought");
                return;
            }
            let clock = OtherClock::ahead(servers, balancers);
            let spec = json!({"servers": {"image": clock.image()}});
            let scene = Scene::with(space, &["a", "b"], &spec, &|feed| feed);
            is_off(space, &Scene::balancers(space, 2)[0], balancers);
            is_off(space, &space.owner("a").1, servers);
            let crowd = scene.watched(20);
            let owners = ["a", "b"].map(|feed| epoch(&space.owner(feed).0));
            crowd.all_see(50);
            assert_eq!(owners, ["a", "b"].map(|feed| epoch(&space.owner(feed).0)));
            for drained in [false, true] {
                let (lease, pod) = space.owner("a");
                let before = crowd.run("/a");
                crowd.begin();
                if drained {
                    space.patch("Pod", name(&pod), &annotation("millrace.dev/drain", "true"));
                } else {
                    kill_bus(&pod);
                }
                crowd.another_run("/a", &before);
                crowd.all_see(20);
                let gap = crowd.longest_gap(None);
                println!("servers {servers} s ahead, balancers {balancers} s: the longest gap {gap:.2?}");
                crowd.unharmed();
                assert!(gap < PATIENCE, "{gap:?}");
                newer(space, "a", epoch(&lease));
            }
        });
    }
}
