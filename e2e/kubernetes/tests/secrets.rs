//! Secrets reach the programs that need them, and nobody else.

use std::fmt::Write as _;

use millrace_e2e::tracks;
use millrace_e2e_kubernetes::{
    Operator, SYSTEM, Space, await_condition, cluster, curl, feed, kubectl, message, name, pattern,
    status_of, stream, uid, with, with_temp_namespace,
};
use serde_json::{Value, json};

fn login(name: &str, password: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth", "metadata": {"name": name},
        "stringData": {"username": "viewer", "password": password}})
}

/// A camera that wants a password: a Stream of the same Cluster. And a Feed that pulls it.
fn camera_and_door(space: &Space, password: &str) {
    space.apply_all(&[
        login("camera", password),
        cluster("default", &json!({})),
        feed("lens", &pattern()),
        with(stream("camera", "lens"), &json!({"access": {"play": {"basic": {"secretRef": {"name": "camera"}}}}})),
        with(
            feed("door", &Value::Null),
            &json!({"source": {"pull": {
                "url": "http://default-balancers:8080/camera", "credentials": {"secretRef": {"name": "camera"}}}}}),
        ),
        stream("door", "door"),
    ]);
}

/// All that can be read of a namespace, but for Secrets.
fn all_that_is_shown(space: &Space) -> String {
    let kinds = "clusters,feeds,streams,pods,configmaps,services,events";
    let mut shown = space.kubectl(&format!("get {kinds} -o yaml")).ok();
    shown += &space.kubectl("describe feeds,streams,pods").ok();
    for pod in space.list("Pod", "") {
        shown += &space.log(name(&pod));
    }
    for pod in Operator.pods() {
        shown += &kubectl(&format!("-n {SYSTEM} logs {} --tail=-1", name(&pod))).ok();
        let _ = writeln!(shown, "{}", Operator.get(name(&pod), "/metrics"));
    }
    let address = space.address("door");
    for path in ["/stat", "/stat.json", "/metrics"] {
        shown += &curl(&address.at(path).url(), &[]).text();
    }
    shown
}

#[test]
fn a_camera_s_password_reaches_ffmpeg_and_is_shown_nowhere_and_can_be_changed() {
    with_temp_namespace("secrets", |space| {
        let password = format!("first-{}-Zq", std::process::id());
        camera_and_door(space, &password);
        let door = space.address("door");
        let camera = space.address("camera");
        camera.answers(401);
        assert_eq!(status_of(&camera.url(), &["-u", &format!("viewer:{password}")]), 200);
        assert_eq!(tracks(&format!("{}?keyframe", door.url())), ["video h264", "audio aac"]);
        let shown = all_that_is_shown(space);
        assert!(
            shown.contains("door") && !shown.contains(&password),
            "the password is in: {}",
            around(&shown, &password)
        );

        // Changed: camera and Feed have the new one, without a new pod.
        let pods = space.pod_uids();
        let next = format!("second-{}-Zq", std::process::id());
        space.apply(&login("camera", &next));
        await_condition("the camera wants the new password", || {
            let status = |password: &str| status_of(&camera.url(), &["-u", &format!("viewer:{password}")]);
            (status(&next) == 200 && status(&password) == 401).then_some(())
        });
        await_condition("the Feed has the new password", || {
            let said = millrace_e2e::run(
                "curl",
                &["-s", "--max-time", "5", "-o", "/dev/null", "-w", "%{size_download}", &door.url()],
                20,
            );
            said.text().trim().parse::<u64>().is_ok_and(|bytes| bytes > 10_000).then_some(())
        });
        space.ready("Feed", "door");
        assert_eq!(pods, space.pod_uids());

        // A wrong one: the Feed says that the camera refused it, and not what was tried.
        let wrong = format!("wrong-{}-Zq", std::process::id());
        space.apply(&login("other", &wrong));
        space.patch("Feed", "door", &json!({"spec": {"activation": "Continuous", "source": {"pull": {"credentials": {"secretRef": {"name": "other"}}}}}}));
        space.awaits("says that it was refused", "Feed", "door", |feed| {
            feed["status"]["lastExit"]["stderr"].as_str()?.contains("401").then_some(())
        });
        let shown = all_that_is_shown_without_door(space);
        for secret in [&password, &next, &wrong] {
            assert!(!shown.contains(secret.as_str()), "the password is in: {}", around(&shown, secret));
        }
        let events = space.kubectl("get events -o yaml").ok();
        assert!(!events.contains(&wrong));
    });
}

fn all_that_is_shown_without_door(space: &Space) -> String {
    let mut shown = space.kubectl("get clusters,feeds,streams,pods,configmaps,services,events -o yaml").ok();
    for pod in space.list("Pod", "") {
        shown += &space.log(name(&pod));
    }
    let camera = space.address("camera");
    for path in ["/stat", "/stat.json", "/metrics"] {
        shown += &curl(&camera.at(path).url(), &[]).text();
    }
    shown
}

fn around(text: &str, what: &str) -> String {
    let lines = text.lines().filter(|line| line.contains(what)).take(3);
    lines.map(|line| line.chars().take(300).collect::<String>()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_secret_that_is_missing_is_named_until_it_is_there() {
    with_temp_namespace("missing", |space| {
        space.apply_all(&[
            cluster("default", &json!({})),
            with(
                feed(
                    "a",
                    &json!([
                        "sh",
                        "-c",
                        "echo \"$WORD\" | grep -q '^swordfish$' && exec cat /dev/zero; exit 9"
                    ]),
                ),
                &json!({
                    "env": [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "late", "key": "word"}}}]
                }),
            ),
            stream("a", "a"),
            feed("b", &millrace_e2e_kubernetes::steady()),
            stream("b", "b"),
        ]);
        let said = space.is("Feed", "a", "SecretNotFound");
        assert!(message(&said).contains("late"), "{}", message(&said));
        space.address("b").watch().flows(10_000);
        let secret = |key: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}, "stringData": {key: "swordfish"}});
        space.apply(&secret("wrod"));
        let said = space.is("Feed", "a", "SecretInvalid");
        assert!(message(&said).contains("word"), "{}", message(&said));
        space.apply(&secret("word"));
        space.ready("Feed", "a");
        let pod = space.pod_of("a");
        let address = space.address("a");
        address.watch().flows(100_000);
        // It goes again: what runs has it, and goes on.
        space.delete("Secret", "late");
        space.is("Feed", "a", "SecretNotFound");
        address.watch().flows(100_000);
        assert_eq!(uid(&space.get("Pod", name(&pod))), uid(&pod));
    });
}

#[test]
fn a_pod_is_given_the_secrets_that_it_needs_and_no_token_of_kubernetes() {
    with_temp_namespace("least", |space| {
        let env = |secret: &str| json!({"env": [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "word"}}}]});
        let secret = |name: &str, word: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"word": word, "unused": "not-asked-for"}});
        space.apply_all(&[
            secret("one", "word-of-one"),
            secret("two", "word-of-two"),
            cluster("default", &json!({})),
            with(feed("a", &millrace_e2e_kubernetes::steady()), &env("one")),
            stream("a", "a"),
            with(feed("b", &millrace_e2e_kubernetes::steady()), &env("two")),
            stream("b", "b"),
        ]);
        for (feed, own, other) in [("a", "word-of-one", "word-of-two"), ("b", "word-of-two", "word-of-one")] {
            let pod = space.pod_of(feed);
            assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
            let slot = pod["metadata"]["labels"]["millrace.dev/slot"].as_str().unwrap_or_default().to_owned();
            let template = "-o=go-template={{index .data \"secrets.yaml\" | base64decode}}";
            let held = space.kubectl(&format!("get secret {slot}")).with(&[template]).ok();
            let encoded = |word: &str| {
                millrace_e2e::run("sh", &["-c", &format!("printf %s {word} | base64")], 5)
                    .text()
                    .trim()
                    .to_owned()
            };
            let holds = |word: &str| held.contains(word) || held.contains(&encoded(word));
            assert!(holds(own) && !holds(other), "{held}");
            let mounted =
                space.exec(name(&pod), "transcoder", &["sh", "-c", "ls /var/run/secrets /etc/millrace 2>&1"]);
            assert!(mounted.contains("No such file") && !mounted.contains("token"), "{mounted}");
        }
    });
}
