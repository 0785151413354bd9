//! What is in a Secret is shown to nobody.

use std::net::TcpListener;

use millrace_e2e::{Mark, Pod, eventually, merged, resource, stream};
use serde_json::json;

use crate::operator::{Files, Operator};

const USER: &str = "operator-of-doors";
const PASSWORD: &str = "gr4nite/&pebble";
const ENCODED: &str = "gr4nite%2F%26pebble";
const KEY: &str = "streaming-key-31415";

fn secret(name: &str, kind: &str, data: &serde_json::Value) -> String {
    let document = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "stringData": data
    });
    format!("---\n{document}\n")
}

fn shows(pod: &Pod, operator: &Operator) -> Vec<(&'static str, String)> {
    let get = |path: &str| String::from_utf8_lossy(&pod.curl(path, &["-i"]).stdout).into_owned();
    vec![
        ("the log", pod.log().join("\n")),
        ("/stat", get("/stat")),
        ("/stat.json", get("/stat.json")),
        ("/metrics", get("/metrics")),
        ("/pulled", get("/pulled")),
        ("/told", get("/told")),
        ("/refused", get("/refused")),
        ("the operator", format!("{:#?}", operator.pod().beat)),
    ]
}

#[test]
fn what_ffmpeg_and_others_say_of_a_password_is_masked_everywhere() {
    // Nobody answers there in RTSP: whatever it is told it closes.
    let camera = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = camera.local_addr().unwrap();
    std::thread::spawn(move || camera.incoming().for_each(drop));
    let mark = Mark::default();
    let pulled = json!({
        "source": {"pull": {"url": format!("rtsp://{address}/ch1"), "credentials": {"secretRef": {"name": "login"}}}}
    });
    let from = json!({
        "source": {"pull": {"urlFrom": {"secretKeyRef": {"name": "camera", "key": "url"}}}}
    });
    // A command that got the password by another way than `env`, and says it in every form.
    let telling = mark.shell(&format!(
        "echo key {KEY} >&2; echo '{USER}:{PASSWORD}@' >&2; echo rtsp://{USER}:{ENCODED}@door >&2; exit 1"
    ));
    let at = |path: &str, feed: &str| stream(feed, &json!({"path": path, "feeds": [feed]}));
    let activation = json!({"activation": "Continuous"});
    let yaml = resource("Cluster", "default", &json!({}))
        + &resource("Feed", "pulled", &merged(pulled, &activation))
        + &resource("Feed", "refused", &merged(from, &activation))
        + &resource("Feed", "told", &merged(json!({"source": {"command": telling}}), &activation))
        + &at("/pulled", "pulled")
        + &at("/refused", "refused")
        + &at("/told", "told");
    let url = format!("rtsp://{USER}:{ENCODED}@{address}/{KEY}");
    let secrets =
        secret("login", "kubernetes.io/basic-auth", &json!({"username": USER, "password": PASSWORD}))
            + &secret("camera", "Opaque", &json!({"url": url, "key": KEY}));
    for format in ["text", "json"] {
        let operator = Operator::new();
        let files = Files::new(&operator.shown, "cams-door").with(1, &yaml, &secrets);
        let pod = files.run(&[operator.address], &["--log-level", "debug", "--log-format", format]);
        for feed in ["pulled", "refused", "told"] {
            eventually(&format!("{feed} fails a few times"), || {
                let feeds = operator.pod().beat.feeds?;
                feeds.get(feed).filter(|feed| feed.restarts > 2 && feed.last_exit.is_some()).map(|_| ())
            });
        }
        let told = operator.pod().beat.feeds.unwrap()["told"].last_exit.clone().unwrap();
        assert_eq!(told.stderr, "key ***\n***@\nrtsp://***@door");
        // A wrong configuration, in which it stands in plain words.
        operator.push(2, &format!("{yaml}---\nkind: {KEY}\n"), &secrets);
        operator.hears("it is refused", |pod| pod.beat.refused.clone());
        let shown = shows(&pod, &operator);
        for (place, text) in &shown {
            for never in [USER, PASSWORD, ENCODED, KEY] {
                assert!(!text.contains(never), "{format}: {place} shows {never}:\n{text}");
            }
        }
        // It was there to be seen.
        for place in ["the log", "/stat", "/stat.json", "the operator"] {
            let text = &shown.iter().find(|(name, _)| *name == place).unwrap().1;
            assert!(text.contains("***"), "{format}: {place}:\n{text}");
        }
    }
}
