use serde_json::Value;

use crate::shared::{Activation, Duration, Flush, Size, StreamPath};

/// What a pattern means, for people.
pub(super) fn for_pattern(schema: &Value) -> Option<&'static str> {
    let pattern = schema.get("pattern").and_then(Value::as_str)?;
    let words = [
        (Duration::PATTERN, "a duration, such as 10s, 1h30m or 200ms"),
        (Flush::PATTERN, "Now or a duration, such as 20ms"),
        (Size::PATTERN, "a size: a number, alone or with k, M, G, T, Ki, Mi, Gi or Ti, such as 16Mi"),
        (Activation::PATTERN, "OnDemand, Continuous or a number of seconds to stay alive unused"),
        (
            StreamPath::PATTERN,
            "a path of letters, digits and . _ ~ @ : + = , - behind each /, such as /cams/front.ts",
        ),
        (
            "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "a name of a-z, 0-9 and -, beginning and ending with a letter or digit",
        ),
        (r"^([-a-z0-9]|\{each\})+$", "the name of a Feed: a-z, 0-9 and -, and {each} in a set"),
        ("^[A-Za-z_][A-Za-z0-9_]*$", "the name of a variable: letters, digits and _"),
        ("^/", "an absolute path: it begins with /"),
        (
            "^(/[A-Za-z0-9._~@:+=,-]+)+$",
            "a path of letters, digits and . _ ~ @ : + = , - behind each /, such as /stat",
        ),
        ("^[0-9a-fA-F.:]+$", "an IP address, such as 127.0.0.1 or ::"),
        (
            "^(rtsps?|rtmps?|srt|https?|udp|millrace)://[^ ]+$",
            "a URL of rtsp, rtsps, rtmp, rtmps, srt, http, https, udp or millrace, such as rtsp://door.lan/ch1",
        ),
        (
            "^(rtmps?|rtsp|srt|https?|millrace)://[^ ]+$",
            "a URL of rtmp, rtmps, rtsp, srt, http, https or millrace, such as rtmp://cdn.example/live",
        ),
        (
            r"^millrace(s|\+wss?)?://[^ /?#]+/?$",
            "the address of another Cluster, such as millrace://eu.example:8080 or millraces://eu.example:8443",
        ),
        ("^rediss?://[^ ]+$", "a URL of a Redis server, such as redis://redis:6379"),
        ("^https?://[^ ]+$", "a URL, such as https://s3.example"),
        ("^[0-9]{1,15}([.][0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", "a quantity, such as 500m or 256Mi"),
    ];
    words.iter().find(|(known, _)| *known == pattern).map(|(_, words)| *words)
}
