//! Sets: one object stands for one member per piece.

use millrace_e2e_kubernetes::{
    Space, await_condition, cluster, condition, feed, name, object, steady, with, with_temp_namespace,
};
use serde_json::{Value, json};

fn doors(pieces: &Value) -> Value {
    with(feed("door", &steady()), &json!({"each": pieces, "env": [{"name": "DOOR", "value": "{each}"}]}))
}

fn members(space: &Space, kind: &str, set: &str) -> Vec<String> {
    let all = space.list(kind, &format!("millrace.dev/set={set}"));
    all.iter().map(|member| name(member).to_owned()).collect()
}

#[test]
fn members_are_objects_of_their_own_that_come_and_go_with_their_pieces() {
    with_temp_namespace("sets", |space| {
        space.apply_all(&[
            cluster("default", &json!({"servers": {"packing": {"feedsPerPod": 4}}})),
            doors(&json!(["front", "back"])),
            object(
                "Stream",
                "door",
                &json!({"eachOf": "door", "path": "/doors/{each}", "feeds": ["door-{each}"]}),
            ),
        ]);
        for (kind, list) in [("Feed", "feeds"), ("Stream", "streams")] {
            let set = space.ready(kind, "door");
            assert_eq!((&set["status"]["members"], &set["status"]["ready"]), (&json!(2), &json!(2)), "{set}");
            let said = space.kubectl(&format!("get {list} -l millrace.dev/set=door -o name")).ok();
            assert_eq!(said.lines().count(), 2, "{said}");
            assert_eq!(members(space, kind, "door"), ["door-back", "door-front"]);
        }
        let member = space.get("Feed", "door-front");
        assert_eq!(member["spec"]["env"][0]["value"], "front");
        let owner = &member["metadata"]["ownerReferences"][0];
        assert_eq!(
            (&owner["kind"], &owner["name"], &owner["controller"]),
            (&json!("Feed"), &json!("door"), &json!(true))
        );
        space.kubectl("wait feed/door-front --for=condition=Ready --timeout=60s").ok();
        let viewer = space.address("door-front").watch();
        space.address("door-back").watch().flows(50_000);

        // One more, and one less: the others stay as they are.
        let before = space.pod_uids();
        space.apply(&doors(&json!(["front", "side"])));
        await_condition("the members are front and side", || {
            let right = |kind| members(space, kind, "door") == ["door-front", "door-side"];
            (right("Feed") && right("Stream")).then_some(())
        });
        space.address("door-side").watch().flows(50_000);
        let set = space.ready("Feed", "door");
        assert_eq!(set["status"]["members"], 2);
        viewer.flows(100_000);
        assert_eq!(before, space.pod_uids());

        // A member edited by hand is put right.
        space.patch("Feed", "door-side", &json!({"spec": {"activation": "Continuous"}}));
        space.awaits("is as its set says", "Feed", "door-side", |feed| {
            (feed["spec"]["activation"] == "OnDemand").then_some(())
        });
        space.delete("Feed", "door-front");
        await_condition("a member that was deleted is back", || {
            members(space, "Feed", "door").contains(&"door-front".to_owned()).then_some(())
        });

        space.delete("Stream", "door");
        space.delete("Feed", "door");
        await_condition("no member is left", || {
            (members(space, "Feed", "door").is_empty() && members(space, "Stream", "door").is_empty())
                .then_some(())
        });
    });
}

#[test]
fn a_name_that_is_taken_is_left_alone_and_the_others_are_made() {
    with_temp_namespace("taken", |space| {
        space.apply_all(&[
            cluster("default", &json!({})),
            with(feed("door-front", &steady()), &json!({"activation": 7})),
        ]);
        space.ready("Feed", "door-front");
        space.apply(&doors(&json!(["front", "back"])));
        let set = space.awaits("says that a name is taken", "Feed", "door", |set| {
            (condition(set, "MembersReady")["reason"] == "NameTaken").then(|| set.clone())
        });
        let said = condition(&set, "MembersReady");
        assert_eq!(said["status"], "False");
        assert!(said["message"].as_str().unwrap_or_default().contains("door-front"), "{said}");
        space.ready("Feed", "door-back");
        let other = space.get("Feed", "door-front");
        assert_eq!(other["spec"]["activation"], 7);
        assert!(other["metadata"].get("ownerReferences").is_none(), "{other}");
        // Once it is free, the set takes it.
        space.delete("Feed", "door-front");
        let set = space.ready("Feed", "door");
        assert_eq!(set["status"]["members"], 2, "{set}");
    });
}
