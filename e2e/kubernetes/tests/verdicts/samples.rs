//! Objects that are right, and have every field between them.

use millrace_e2e_kubernetes::object;
use serde_json::{Value, json};

pub fn all() -> Vec<Value> {
    let everyone =
        json!({"play": {"anyone": true}, "operate": {"anyone": true}, "publish": {"anyone": true}});
    let open = [
        object("Cluster", "open", &json!({"access": everyone})),
        object("Stream", "open", &json!({"path": "/a", "command": ["x"], "access": everyone})),
    ];
    [feeds(), streams(), vec![cluster(), room()], open.to_vec()].concat()
}

fn key() -> Value {
    json!({"secretKeyRef": {"name": "s", "key": "k"}})
}

fn secret() -> Value {
    json!({"secretRef": {"name": "s"}})
}

fn resources() -> Value {
    json!({"requests": {"cpu": "100m", "memory": 1}, "limits": {"memory": "1Gi"}, "memoryPerProcess": "256Mi"})
}

fn env() -> Value {
    json!([{"name": "A", "value": "b"}, {"name": "B", "valueFrom": key()}])
}

fn grants() -> Value {
    json!({"play": {"anyone": true}, "operate": {"basic": secret()}, "publish": {
        "token": {"keyFrom": key(), "issuer": "i", "audience": "a"},
        "certificate": {"secretRef": {"name": "s"}, "names": ["a"]}}})
}

fn every_grant() -> Value {
    let all = json!({"basic": secret(), "token": grants()["publish"]["token"], "certificate": grants()["publish"]["certificate"]});
    json!({"play": all, "operate": all, "publish": all})
}

fn feeds() -> Vec<Value> {
    let file = |volume: Value| json!({"file": {"path": "/media/a.ts", "loop": true, "paced": true, "volume": volume}});
    let sources = [
        json!({"command": ["x"]}),
        json!({"template": {"name": "t", "args": {"a": 1}}}),
        file(json!({"persistentVolumeClaim": {"claimName": "c", "readOnly": true}})),
        file(json!({"hostPath": {"path": "/a"}})),
        file(json!({"nfs": {"server": "s", "path": "/a", "readOnly": true}})),
        file(json!({"emptyDir": {"sizeLimit": "1Gi"}})),
        json!({"pull": {"url": "rtsp://door.lan/ch1", "credentials": secret()}}),
        json!({"pull": {"urlFrom": key()}}),
        json!({"publish": {"path": "/live/door", "protocols": ["Rtmp", "Http"], "access": {"anyone": true}}}),
        json!({"publish": {"path": "/live/door", "access": every_grant()["publish"]}}),
    ];
    let one = |source: &Value| {
        object(
            "Feed",
            "door",
            &json!({
                "clusterRef": {"name": "default"}, "source": source, "fallback": ["slate"], "activation": "Continuous",
                "resurrect": true, "silence": "10s", "image": "i", "env": env(), "resources": resources(), "standby": true
            }),
        )
    };
    let set = json!({"each": ["front", "back"], "source": {"command": ["x", "{each}"]}, "activation": 10});
    sources.iter().map(one).chain([object("Feed", "doors", &set)]).collect()
}

fn streams() -> Vec<Value> {
    let full = |access: Value| {
        object(
            "Stream",
            "door",
            &json!({
                "clusterRef": {"name": "default"}, "each": ["front", "back"], "path": "/{each}/a.ts", "feeds": ["door"],
                "command": ["x"], "container": "MpegTs", "protocols": ["Http", "Hls"], "flush": "20ms",
                "gopCache": {"frames": 300}, "snapshot": {"enabled": true, "format": "Jpeg", "quality": 85},
                "hls": {"segment": "2s", "part": "200ms", "window": 6},
                "renditions": [{"name": "low", "height": 360, "bitrate": "600k"}],
                "record": {"storage": "archive", "format": "Fmp4", "segment": "60s", "keep": "168h"},
                "push": [{"url": "rtmp://cdn.example/live", "keyFrom": key()}], "access": access, "pod": "Own",
                "image": "i", "env": env(), "resources": resources(), "resurrect": true, "silence": "10s"
            }),
        )
    };
    let template = json!({"eachOf": "doors", "path": "/{each}", "feeds": ["a"], "template": {"name": "t", "args": {"a": "b"}},
        "gopCache": {"bytes": "16Mi"}});
    vec![full(grants()), full(every_grant()), object("Stream", "other", &template)]
}

fn cluster() -> Value {
    let listener = |port: u16| json!({"port": port, "address": "127.0.0.1"});
    object(
        "Cluster",
        "c",
        &json!({
            "listeners": {"http": listener(8080), "https": listener(8443), "rtmp": listener(1935), "rtmps": listener(1936),
                "rtsp": listener(8554), "srt": listener(8890), "webrtc": listener(8189)},
            "service": {"type": "NodePort", "annotations": {"a": "b"}},
            "servers": {"image": "i", "transcoderImage": "i", "resources": resources(), "nodeSelector": {"a": "b"},
                "packing": {"feedsPerPod": 2}},
            "balancers": {"replicas": 2, "mode": "Relay", "autoscale": {"min": 2, "max": 20, "sessions": 2000, "hpa": true},
                "edgeCache": {"memory": "256Mi"}},
            "templates": {"a": {"command": ["x", "{a}"], "args": {"a": 1}}, "b": {"template": {"name": "a", "args": {"a": "b"}}}},
            "statusPage": {"enabled": true, "path": "/stat", "clients": true},
            "statusApi": {"enabled": true, "path": "/stat.json"},
            "storage": {
                "archive": {"s3": {"bucket": "abc", "endpoint": "https://s3.example", "prefix": "p", "credentials": {"secretName": "s"}}},
                "claim": {"path": "/a", "volume": {"persistentVolumeClaim": {"claimName": "c", "readOnly": true}}},
                "host": {"path": "/b", "volume": {"hostPath": {"path": "/a"}}},
                "nfs": {"path": "/c", "volume": {"nfs": {"server": "s", "path": "/a", "readOnly": true}}},
                "empty": {"path": "/d", "volume": {"emptyDir": {"sizeLimit": 5}}}},
            "access": every_grant(), "tls": {"secretName": "s"},
            "upstreams": [{"name": "eu", "url": "millrace://eu.example:9000", "credentials": {"secretName": "s"}}],
            "heartbeat": {"interval": "1s", "missed": 3}, "keepalive": "3s", "limits": {"connections": 10, "bitrate": "10M"}
        }),
    )
}

fn room() -> Value {
    object(
        "Room",
        "r",
        &json!({
            "clusterRef": {"name": "default"}, "id": "42", "streamRef": {"name": "town-hall"},
            "store": {"redis": {"url": "redis://redis:6379", "credentials": secret()}},
            "keep": {"messages": 1000, "age": "24h"}, "retransmit": {"times": 5, "after": "2s"}, "chat": {"enabled": true},
            "polls": {"enabled": true}, "moderation": {"enabled": true, "words": {"deny": ["a"], "action": "Mask"},
                "rate": {"messages": 5, "per": "10s"}}
        }),
    )
}
