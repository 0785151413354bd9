//! Who may watch what another Cluster has.

use std::{fs, process::Command};

use millrace_e2e::{Pod, Watcher, eventually, resource};
use serde_json::{Value, json};

use crate::{
    setup::{at, edge, origin, said},
    support::{Cluster, camera, code, known, ts},
};

fn secret(name: &str, data: &Value) -> String {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    format!("---\n{secret}\n")
}

fn login(password: &str) -> String {
    secret("login", &json!({"username": "ann", "password": password}))
}

fn locked() -> Value {
    json!({"play": {"basic": {"secretRef": {"name": "login"}}}})
}

#[test]
fn a_wrong_password_of_the_cluster_is_said_and_the_right_one_is_taken_by_an_edit() {
    let yaml = login("secret") + &resource("Cluster", "default", &json!({"access": locked()}));
    let origin_locked = Pod::start(&(yaml + &camera("b", "OnDemand") + &ts("b")));
    let open = origin();
    let naming = |password: &str| {
        let upstreams = json!([
            {"name": "open", "url": at(&open)},
            {"name": "locked", "url": at(&origin_locked), "credentials": {"secretName": "login"}},
        ]);
        login(password) + &resource("Cluster", "leaf", &json!({"upstreams": upstreams}))
    };
    let cluster = Cluster::new();
    let leaf = edge(&cluster, &naming("wrong"));
    known(&leaf, "/a.ts");
    let viewer = Watcher::new(leaf.viewer("/a.ts"));
    viewer.flows(10_000);
    let (status, why) = said(&leaf, "/b.ts");
    assert!(status == 503 && why.contains("Retry-After: "), "{why}");
    assert!(why.contains("upstream locked: it wants a name and a password, or others"), "{why}");
    leaf.edit(&naming("secret"));
    known(&leaf, "/b.ts");
    Watcher::new(leaf.viewer("/b.ts")).flows(10_000);
    viewer.flows(10_000);
    let links = leaf.metric("millrace_upstream_lost_total{upstream=\"open\"}");
    assert_eq!(links, 0, "who stays as it is is not touched");
}

#[test]
fn who_may_watch_is_for_the_cluster_to_say_that_is_asked() {
    let origin = origin();
    let cluster = Cluster::new();
    let spec = json!({"access": locked(), "upstreams": [{"name": "origin", "url": at(&origin)}]});
    let leaf = edge(&cluster, &(login("secret") + &resource("Cluster", "leaf", &spec)));
    eventually("it can be had with the password", || {
        (code(&leaf.url("/a.ts"), &["-I", "-u", "ann:secret"]) == "200").then_some(())
    });
    for wrong in [&[][..], &["-u", "ann:wrong"]] {
        assert_eq!(code(&leaf.url("/a.ts"), wrong), "401");
        assert_eq!(code(&leaf.url("/other.ts"), wrong), "401", "nobody learns what there is");
    }
}

#[test]
fn an_upstream_over_tls_is_believed_by_the_ca_in_its_secret_only() {
    let directory = tempfile::tempdir().unwrap();
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| directory.path().join(name));
    let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x -addext \
                subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let made = Command::new("openssl")
        .args(line.split_whitespace())
        .args(["-keyout", key.to_str().unwrap(), "-out", chain.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let [chain, key] = [chain, key].map(|file| fs::read_to_string(file).unwrap());
    let yaml = secret("tls", &json!({"tls.crt": chain, "tls.key": key}))
        + &resource("Cluster", "default", &json!({"tls": {"secretName": "tls"}}));
    let yaml = yaml + &camera("a", "OnDemand") + &ts("a");
    let origin = Pod::start_with(&yaml, &["--https", "127.0.0.1:0"]).unwrap();
    let line = origin.logged("listening https=");
    let address = line.split_once("https=").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let cluster = Cluster::new();
    for scheme in ["millraces", "millrace+wss"] {
        let url = format!("{scheme}://{address}");
        let spec = |credentials: Value| {
            resource(
                "Cluster",
                "leaf",
                &json!({"upstreams": [{"name": "origin", "url": url, "credentials": credentials}]}),
            )
        };
        let believing = secret("ca", &json!({"ca.crt": chain})) + &spec(json!({"secretName": "ca"}));
        let leaf = edge(&cluster, &believing);
        known(&leaf, "/a.ts");
        Watcher::new(leaf.viewer("/a.ts")).flows(10_000);
        let not = edge(&cluster, &(login("x") + &spec(json!({"secretName": "login"}))));
        let (status, why) = said(&not, "/a.ts");
        assert!(status == 503 && why.contains("upstream origin"), "{why}");
    }
}
