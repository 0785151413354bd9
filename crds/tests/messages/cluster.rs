use crate::{cluster_errors, errors, file, table};

#[test]
fn a_cluster_that_is_wrong_says_why() {
    table(
        cluster_errors,
        &[
            ("  {}", &[]),
            (
                "  templates: {a: {template: {name: a}}}",
                &[
                    "f.yaml:5: Cluster/default spec.templates.a.template.name: the template names itself: a -> a (one of them needs a command)",
                ],
            ),
            (
                "  templates:\n    a: {template: {name: b}}\n    b: {template: {name: a}}\n    c: {template: {name: a}}",
                &[
                    "f.yaml:6: Cluster/default spec.templates.a.template.name: the template names itself: a -> b -> a (one of them needs a command)",
                    "f.yaml:7: Cluster/default spec.templates.b.template.name: the template names itself: b -> a -> b (one of them needs a command)",
                ],
            ),
            (
                "  templates: {abc: {template: {name: abd}}}",
                &[
                    "f.yaml:5: Cluster/default spec.templates.abc.template.name: there is no template abd (did you mean abc?)",
                ],
            ),
            (
                "  templates: {a: {command: [x, \"{p}\"], args: {p: 1, q: 2}}}",
                &[
                    "f.yaml:5: Cluster/default spec.templates.a.args.q: the template does not use its argument q (write {q} where it belongs, or remove it)",
                ],
            ),
            (
                "  templates: {a: {command: [x, \"{input}\"], args: {input: 1}}}",
                &[
                    "f.yaml:5: Cluster/default spec.templates.a.args.input: {input} is filled by Millrace (choose another name)",
                ],
            ),
            (
                "  tls: {secretName: cert}",
                &[
                    "f.yaml:5: Cluster/default spec.tls.secretName: there is no Secret cert (add a document of kind Secret with this name)",
                ],
            ),
            (
                "  listeners: {https: {}}",
                &[
                    "f.yaml:4: Cluster/default spec: listeners.https and listeners.rtmps need tls.secretName: a Secret of type kubernetes.io/tls",
                ],
            ),
            (
                "  listeners: {http: {port: 0}}",
                &["f.yaml:5: Cluster/default spec.listeners.http.port: 0 is out of range (1 to 65535)"],
            ),
            (
                "  listeners: {http: {address: 1.2.3}}",
                &[
                    "f.yaml:5: Cluster/default spec.listeners.http.address: 1.2.3 is no IP address (such as 127.0.0.1 or ::)",
                ],
            ),
            (
                "  listeners: {http: {}, rtmp: {port: 8080}}",
                &[
                    "f.yaml:5: Cluster/default spec.listeners.rtmp.port: http has the port 8080, too (a port of its own)",
                ],
            ),
            (
                "  statusApi: {path: /stat}",
                &["f.yaml:4: Cluster/default spec: statusPage.path and statusApi.path must differ"],
            ),
        ],
    );
}

#[test]
fn an_upstream_that_is_none_says_why() {
    table(
        cluster_errors,
        &[
            (
                "  upstreams: [{name: eu, url: \"millrace://eu\"}, {name: us, url: \"millraces://us:8443/\"}]",
                &[],
            ),
            (
                "  upstreams: [{name: eu, url: \"millrace+ws://[::1]:80\"}, {name: us, url: \"millrace+wss://us\"}]",
                &[],
            ),
            (
                "  upstreams: [{name: eu, url: \"millrace://eu/a.ts\"}]",
                &[
                    "f.yaml:5: Cluster/default spec.upstreams[0].url: millrace://eu/a.ts is not the address of another Cluster, such as millrace://eu.example:8080 or millraces://eu.example:8443",
                ],
            ),
            (
                "  upstreams: [{name: eu, url: \"millrace+ws://a:b@eu\"}]",
                &[
                    "f.yaml:5: Cluster/default spec.upstreams[0].url: a URL must not hold user:password@: put them into a Secret and name it in credentials.secretRef",
                ],
            ),
            (
                "  upstreams: [{name: eu, url: \"millrace://eu\", credentials: {secretName: s}}]",
                &[
                    "f.yaml:5: Cluster/default spec.upstreams[0].credentials.secretName: there is no Secret s (add a document of kind Secret with this name)",
                ],
            ),
        ],
    );
    let secret = |data: &str| {
        errors(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {data}\n---\n{}",
            file(
                "kind: Cluster\nmetadata: {name: default}\nspec:\n  upstreams: [{name: eu, url: \"millrace://eu\", credentials: {secretName: s}}]\n"
            )
        ))
    };
    for right in ["{username: a, password: b}", "{ca.crt: x}", "{username: a, password: b, ca.crt: x}"] {
        assert_eq!(secret(right), Vec::<String>::new(), "{right}");
    }
    assert_eq!(
        secret("{username: a}"),
        [
            "f.yaml:10: Cluster/default spec.upstreams[0].credentials.secretName: the Secret s has neither username and password nor ca.crt (username and password as stringData, ca.crt in PEM, or all three)"
        ]
    );
}

#[test]
fn templates_that_are_used_wrongly_say_why() {
    fn used(template: &str) -> Vec<String> {
        errors(&file(&format!(
            "kind: Stream\nmetadata: {{name: s}}\nspec: {{path: /a, feeds: [a], template: {template}}}\n---\nkind: Feed\nmetadata: {{name: a}}\nspec: {{source: {{command: [x]}}}}\n---\nkind: Cluster\nmetadata: {{name: default}}\nspec:\n  templates:\n    h264: {{command: [x, \"{{input}}\", \"{{rate}}\", \"{{size}}\"], args: {{size: 720}}}}\n    hd: {{template: {{name: h264, args: {{rate: \"{{r}}\", size: 1080}}}}, args: {{r: 4M}}}}\n    odd: {{command: [x, \"{{feed:b}}\"]}}\n"
        )))
    }
    table(
        used,
        &[
            ("{name: h264, args: {rate: 2M}}", &[]),
            ("{name: h264, args: {rate: 2, size: 3}}", &[]),
            ("{name: hd}", &[]),
            ("{name: hd, args: {r: 1}}", &[]),
            (
                "{name: h264}",
                &[
                    "f.yaml:4: Stream/s spec.template: the argument {rate} in template h264 is not given (give it: template.args.rate, or a default in the template's args)",
                ],
            ),
            (
                "{name: h264, args: {rate: 1, bitrat: 2}}",
                &[
                    "f.yaml:4: Stream/s spec.template.args.bitrat: template h264 has no argument bitrat (it takes: rate, size)",
                ],
            ),
            (
                "{name: hd, args: {rate: 1}}",
                &[
                    "f.yaml:4: Stream/s spec.template.args.rate: template hd has no argument rate (it takes: r)",
                ],
            ),
            (
                "{name: h265}",
                &["f.yaml:4: Stream/s spec.template.name: there is no template h265 (did you mean h264?)"],
            ),
            (
                "{name: odd}",
                &[
                    "f.yaml:4: Stream/s spec.template: {feed:b} is not known here in template odd (did you mean {feed:a}?)",
                ],
            ),
            (
                "{name: h264, args: {rate: true}}",
                &[
                    "f.yaml:4: Stream/s spec.template.args.rate: true is true or false; it must be a whole number or a string (write \"true\")",
                ],
            ),
            (
                "{name: h264, args: {rate: 010}}",
                &[
                    "f.yaml:4: Stream/s spec.template.args.rate: 010 without quotes is an octal number to kubectl (8) (write \"010\" or 8)",
                ],
            ),
        ],
    );
}
