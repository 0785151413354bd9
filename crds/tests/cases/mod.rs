//! Objects that are right, and for each CEL rule some that break it. The tests on a real API server take them, too.

use serde_json::{Value, json};

/// An object, and what is said of it.
pub struct Case {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: Value,
    /// How the only message begins; empty where the object is right.
    pub beginning: &'static str,
}

fn stream(fields: &Value) -> Value {
    let mut spec = json!({"path": "/a.ts", "feeds": ["a"]});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

/// All of them.
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn all() -> Vec<Case> {
    let command = json!(["x"]);
    let source = json!({"command": command});
    let feed = |fields: Value| json!({"source": fields});
    let file = |path: &str| json!({"source": {"file": {"path": path}}});
    let url = |url: &str| json!({"source": {"pull": {"url": url}}});
    let grant = |grant: Value| json!({"access": {"play": grant}});
    let secret = json!({"secretRef": {"name": "s"}});
    let volume = |volume: Value| json!({"source": {"file": {"path": "/a", "volume": volume}}});
    let good = "";
    let (longest, too_long) = ("a".repeat(40), "a".repeat(41));
    // kind, name, spec, the beginning of the only message
    let cases: Vec<(&'static str, &str, Value, &'static str)> = vec![
        ("Feed", "door", feed(source.clone()), good),
        ("Feed", "d", feed(source.clone()), good),
        ("Feed", "a-1", feed(source.clone()), good),
        ("Feed", &longest, feed(source.clone()), good),
        ("Feed", &too_long, feed(source.clone()), "metadata.name must be"),
        ("Feed", "Door", feed(source.clone()), "metadata.name must be"),
        ("Feed", "1door", feed(source.clone()), "metadata.name must be"),
        ("Feed", "door-", feed(source.clone()), "metadata.name must be"),
        ("Feed", "a.b", feed(source.clone()), "metadata.name must be"),
        ("Feed", "door", json!({"source": source, "fallback": ["slate"]}), good),
        (
            "Feed",
            "door",
            json!({"source": source, "fallback": ["slate", "door"]}),
            "spec.fallback must not name",
        ),
        ("Feed", "door", feed(json!({})), "exactly one of command, template, file"),
        (
            "Feed",
            "door",
            feed(json!({"command": command, "file": {"path": "/a"}})),
            "exactly one of command, template",
        ),
        ("Feed", "door", feed(json!({"publish": {"path": "/a"}})), good),
        ("Feed", "door", feed(json!({"publish": {"path": "/a", "access": {"anyone": true}}})), good),
        ("Feed", "door", feed(json!({"publish": {"path": "/a", "access": {}}})), "either anyone: true or"),
        ("Feed", "door", feed(json!({"publish": {"path": "/a/whip"}})), "a path must not end in pic"),
        ("Feed", "door", file("clip.ts"), good),
        ("Feed", "door", file("a/..b/c...ts"), good),
        ("Feed", "door", file("/a/../b.ts"), good),
        ("Feed", "door", file(".."), "a path below the media folder"),
        ("Feed", "door", file("a/../b.ts"), "a path below the media folder"),
        (
            "Feed",
            "door",
            json!({"source": {"file": {"path": "clip.ts", "volume": {"emptyDir": {}}}}}),
            "with a volume the path must begin with /",
        ),
        ("Feed", "door", feed(json!({"pull": {}})), "exactly one of url and urlFrom"),
        ("Feed", "door", url("rtsp://door.lan/ch1"), good),
        ("Feed", "door", url("rtsp://door.lan/ch1?a=b@c"), good),
        ("Feed", "door", url("rtsp://door.lan/a@b"), good),
        ("Feed", "door", url("rtsp://u:p@door.lan/ch1"), "a URL must not hold user:password@"),
        ("Feed", "door", url("https://u@door.lan"), "a URL must not hold user:password@"),
        (
            "Feed",
            "door",
            json!({"source": {"pull": {"url": "rtsp://a", "urlFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}}}),
            "exactly one of url and urlFrom",
        ),
        ("Feed", "door", json!({"source": source, "env": [{"name": "A"}, {"name": "B", "value": ""}]}), good),
        (
            "Feed",
            "door",
            json!({"source": source, "env": [{"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            "at most one of value and valueFrom",
        ),
        ("Feed", "door", volume(json!({"nfs": {"server": "s", "path": "/p"}})), good),
        ("Feed", "door", volume(json!({})), "exactly one of persistentVolumeClaim"),
        (
            "Feed",
            "door",
            volume(json!({"emptyDir": {}, "hostPath": {"path": "/p"}})),
            "exactly one of persistentVolume",
        ),
        ("Stream", "s", stream(&json!({})), good),
        (
            "Stream",
            "s",
            stream(&json!({"command": command, "template": {"name": "t"}})),
            "at most one of command and template",
        ),
        (
            "Stream",
            "s",
            stream(&json!({"each": ["a"], "eachOf": "b", "path": "/{each}"})),
            "at most one of each and eachOf",
        ),
        ("Stream", "s", stream(&json!({"feeds": ["a", "b"]})), "two or more feeds need a command"),
        ("Stream", "s", stream(&json!({"feeds": ["a", "b"], "command": command})), good),
        ("Stream", "s", stream(&json!({"feeds": ["a", "b"], "template": {"name": "t"}})), good),
        ("Stream", "s", json!({"path": "/a"}), "a Stream needs feeds, a command or a template"),
        ("Stream", "s", json!({"path": "/a", "feeds": []}), "a Stream needs feeds, a command or a template"),
        ("Stream", "s", json!({"path": "/a", "command": command}), good),
        ("Stream", "s", stream(&json!({"gopCache": {}})), "exactly one of bytes and frames"),
        ("Stream", "s", stream(&json!({"gopCache": {"bytes": 0}})), good),
        (
            "Stream",
            "s",
            stream(&json!({"gopCache": {"bytes": "1Mi", "frames": 3}})),
            "exactly one of bytes and frames",
        ),
        ("Stream", "s", stream(&json!({"path": "/a/pic"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/pic"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/index.m3u8"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/manifest.mpd"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/whep"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/epic"})), good),
        ("Stream", "s", stream(&json!({"path": "/pic/a"})), good),
        ("Stream", "s", stream(&json!({"path": "/index-m3u8"})), good),
        ("Stream", "s", stream(&json!({"path": "/a/../b"})), "a path must not hold the parts . and .."),
        ("Stream", "s", stream(&json!({"path": "/."})), "a path must not hold the parts . and .."),
        ("Stream", "s", stream(&json!({"path": "/.../a"})), good),
        (
            "Stream",
            "s",
            stream(&json!({"access": {"play": {"anyone": true, "basic": secret}}})),
            "either anyone: true or",
        ),
        ("Cluster", "c", json!({}), good),
        ("Cluster", "c", grant(json!({"anyone": true})), good),
        ("Cluster", "c", grant(json!({"basic": secret})), good),
        ("Cluster", "c", grant(json!({"basic": secret, "certificate": secret})), good),
        ("Cluster", "c", grant(json!({})), "either anyone: true or"),
        ("Cluster", "c", grant(json!({"anyone": false})), "either anyone: true or"),
        ("Cluster", "c", grant(json!({"anyone": true, "basic": secret})), "either anyone: true or"),
        ("Cluster", "c", json!({"templates": {"t": {"command": command}}}), good),
        ("Cluster", "c", json!({"templates": {"t": {}}}), "exactly one of command and template"),
        (
            "Cluster",
            "c",
            json!({"templates": {"t": {"command": command, "template": {"name": "u"}}}}),
            "exactly one of command and template",
        ),
        ("Cluster", "c", json!({"storage": {"a": {"path": "/a"}, "b": {"s3": {"bucket": "abc"}}}}), good),
        ("Cluster", "c", json!({"storage": {"a": {}}}), "exactly one of s3 and path"),
        (
            "Cluster",
            "c",
            json!({"storage": {"a": {"path": "/a", "s3": {"bucket": "abc"}}}}),
            "exactly one of s3 and path",
        ),
        (
            "Cluster",
            "c",
            json!({"storage": {"b": {"s3": {"bucket": "abc"}, "volume": {"emptyDir": {}}}}}),
            "volume needs path",
        ),
        ("Cluster", "c", json!({"listeners": {"https": {}}}), "listeners.https and listeners.rtmps need tls"),
        ("Cluster", "c", json!({"listeners": {"rtmps": {}}}), "listeners.https and listeners.rtmps need tls"),
        ("Cluster", "c", json!({"listeners": {"https": {}}, "tls": {"secretName": "s"}}), good),
        ("Cluster", "c", json!({"listeners": {"http": {}}}), good),
        (
            "Cluster",
            "c",
            json!({"listeners": {"http": {"port": 8443}, "https": {}}, "tls": {"secretName": "s"}}),
            "http and https need ports of their own",
        ),
        (
            "Cluster",
            "c",
            json!({"statusApi": {"path": "/stat"}}),
            "statusPage.path and statusApi.path must differ",
        ),
        (
            "Cluster",
            "c",
            json!({"balancers": {"autoscale": {"min": 3, "max": 2}}}),
            "min must not be greater than max",
        ),
        (
            "Cluster",
            "c",
            json!({"balancers": {"autoscale": {"min": 11}}}),
            "min must not be greater than max",
        ),
        ("Cluster", "c", json!({"balancers": {"autoscale": {}}}), good),
        (
            "Cluster",
            "c",
            json!({"upstreams": [{"name": "eu", "url": "millrace+wss://u:p@eu:1"}]}),
            "a URL must not hold user",
        ),
        ("Room", "r", json!({}), good),
        ("Room", "R", json!({}), "metadata.name must be"),
        ("Room", "r", json!({"store": {"redis": {"url": "redis://u:p@redis"}}}), "a URL must not hold user"),
    ];
    let case = |(kind, name, spec, beginning): (&'static str, &str, Value, &'static str)| Case {
        kind,
        name: name.to_owned(),
        spec,
        beginning,
    };
    cases.into_iter().map(case).collect()
}
