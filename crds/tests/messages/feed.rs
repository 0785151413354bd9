use crate::{feed_errors, table};

#[test]
fn a_feed_that_is_wrong_says_why() {
    table(
        feed_errors,
        &[
            ("  source: {file: {path: /a}}", &[]),
            ("  source: {command: [x]}\n  activation: 30", &[]),
            ("  source: {command: [x]}\n  activation: \"30\"", &[]),
            (
                "  source: {command: [x], file: {path: /a}}",
                &[
                    "f.yaml:5: Feed/a spec.source: exactly one of command, template, file, pull and publish must be given",
                ],
            ),
            (
                "  source: {}",
                &[
                    "f.yaml:5: Feed/a spec.source: exactly one of command, template, file, pull and publish must be given",
                ],
            ),
            (
                "  activation: Continuous",
                &["f.yaml:4: Feed/a spec: the field source is missing (Where the media come from)"],
            ),
            (
                "  source: {comand: [x]}",
                &[
                    "f.yaml:5: Feed/a spec.source.comand: the field comand is not known (did you mean command?)",
                ],
            ),
            (
                "  source:\n    command:\n      - x\n      - 8080\n      - no\n      - 010\n      - ~",
                &[
                    "f.yaml:8: Feed/a spec.source.command[1]: 8080 is a number; it must be a string (write \"8080\")",
                    "f.yaml:9: Feed/a spec.source.command[2]: no without quotes is false to kubectl; it must be a string (write \"no\")",
                    "f.yaml:10: Feed/a spec.source.command[3]: 010 without quotes is an octal number to kubectl; it must be a string (write \"010\")",
                    "f.yaml:11: Feed/a spec.source.command[4]: is empty; it must be a string",
                ],
            ),
            (
                "  source: {command: x}",
                &["f.yaml:5: Feed/a spec.source.command: x is a string; it must be a list"],
            ),
            (
                "  source: {command: []}",
                &["f.yaml:5: Feed/a spec.source.command: has 0 elements (at least 1)"],
            ),
            (
                "  source: {command: [x, \"{input}\"]}",
                &[
                    "f.yaml:5: Feed/a spec.source.command[1]: {input} is not known here (a Feed has no input: it is where media begin)",
                ],
            ),
            (
                "  source: {command: [x]}\n  activation: always",
                &[
                    "f.yaml:6: Feed/a spec.activation: always is not OnDemand, Continuous or a number of seconds to stay alive unused",
                ],
            ),
            (
                "  source: {command: [x]}\n  activation: 0",
                &["f.yaml:6: Feed/a spec.activation: 0 is out of range (1 to 604800)"],
            ),
            (
                "  source: {command: [x]}\n  activation: true",
                &[
                    "f.yaml:6: Feed/a spec.activation: true is true or false; it must be OnDemand, Continuous or a number of seconds to stay alive unused",
                ],
            ),
            (
                "  source: {command: [x]}\n  silence: 7d",
                &["f.yaml:6: Feed/a spec.silence: 7d is not a duration, such as 10s, 1h30m or 200ms"],
            ),
            (
                "  source: {command: [x]}\n  silence: 10",
                &["f.yaml:6: Feed/a spec.silence: 10 is a number; it must be a string (write \"10\")"],
            ),
            (
                "  source: {command: [x]}\n  resurrect: nope",
                &["f.yaml:6: Feed/a spec.resurrect: nope is a string; it must be true or false"],
            ),
            (
                "  source: {file: {path: a/../../b.ts}}",
                &[
                    "f.yaml:5: Feed/a spec.source.file.path: a path below the media folder must not hold the part ..",
                ],
            ),
            (
                "  source: {pull: {url: \"ftp://a\"}}",
                &[
                    "f.yaml:5: Feed/a spec.source.pull.url: ftp://a is not a URL of rtsp, rtsps, rtmp, rtmps, srt, http, https, udp or millrace, such as rtsp://door.lan/ch1",
                ],
            ),
            (
                "  source: {pull: {url: \"rtsp://u:p@a/b\"}}",
                &[
                    "f.yaml:5: Feed/a spec.source.pull.url: a URL must not hold user:password@: put them into a Secret and name it in credentials.secretRef",
                ],
            ),
            (
                "  source: {command: [x]}\n  fallback: [a]",
                &["f.yaml:6: Feed/a spec.fallback: spec.fallback must not name the Feed itself"],
            ),
            (
                "  source: {command: [x]}\n  fallback: [slate]",
                &["f.yaml:6: Feed/a spec.fallback[0]: there is no Feed slate (known: a)"],
            ),
            (
                "  source: {command: [x]}\n  env: [{name: A}, {name: A}]",
                &["f.yaml:6: Feed/a spec.env[1]: \"A\" is there twice, first as element 0 (each once)"],
            ),
            (
                "  source: {command: [x]}\n  env: [{name: 1A}]",
                &[
                    "f.yaml:6: Feed/a spec.env[0].name: 1A is not the name of a variable: letters, digits and _",
                ],
            ),
        ],
    );
}
