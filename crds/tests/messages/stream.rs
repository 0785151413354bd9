use crate::{stream_errors, table};

#[test]
fn a_stream_that_is_wrong_says_why() {
    table(
        stream_errors,
        &[
            ("  path: /a\n  feeds: [a]", &[]),
            ("  path: /a\n  feeds: [a]\n  command: [x, \"{input}\", \"{feed:a}\", \"{output}\"]", &[]),
            ("  path: /a\n  feeds: [a, b]\n  command: [x, \"{feed:a}\", \"{feed:b}\"]", &[]),
            (
                "  path: /a\n  feeds: [a, b]",
                &[
                    "f.yaml:6: Stream/s spec.feeds: two or more feeds need a command (or template) to mux them, which reads each as {feed:NAME}",
                ],
            ),
            (
                "  path: /a\n  feeds: [a, b]\n  command: [x, \"{input}\"]",
                &[
                    "f.yaml:7: Stream/s spec.command[1]: {input} is not known here (with several feeds, each has its own: {feed:a}, {feed:b})",
                ],
            ),
            (
                "  path: /a\n  feeds: [a, b]\n  command: [x, \"{feed:a}\", \"{feed:c}\"]",
                &["f.yaml:7: Stream/s spec.command[2]: {feed:c} is not known here (did you mean {feed:a}?)"],
            ),
            (
                "  path: /a\n  command: [x, \"{input}\"]",
                &[
                    "f.yaml:6: Stream/s spec.command[1]: {input} is not known here (the Stream has no feeds: add one, or leave {input} out)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  command: [x, \"{zebra}\"]",
                &[
                    "f.yaml:7: Stream/s spec.command[1]: {zebra} is not known here (known: {feed:a}, {input}, {output}; write {{ and }} for braces)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  command: [x, \"{each}\"]",
                &[
                    "f.yaml:7: Stream/s spec.command[1]: {each} is not known here ({each} is there in a set, of spec.each or spec.eachOf; a template gets it as an argument)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  command: [x, \"{input\", \"}\"]",
                &[
                    "f.yaml:7: Stream/s spec.command[1]: a { without its } (write {{ and }} for braces)",
                    "f.yaml:7: Stream/s spec.command[2]: a } without its { (write {{ and }} for braces)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  command: [\"\"]",
                &[
                    "f.yaml:7: Stream/s spec.command[0]: the program is empty (the first element is the program to run, such as ffmpeg)",
                ],
            ),
            (
                "  path: /a\n  feeds: [c]",
                &["f.yaml:6: Stream/s spec.feeds[0]: there is no Feed c (did you mean a?)"],
            ),
            (
                "  path: /a\n  feeds: [door]",
                &["f.yaml:6: Stream/s spec.feeds[0]: there is no Feed door (known: a, b)"],
            ),
            (
                "  path: /a\n  feeds: [a, a]\n  command: [x]",
                &["f.yaml:6: Stream/s spec.feeds[1]: the Feed a is named twice (each Feed once)"],
            ),
            (
                "  path: /stat\n  feeds: [a]",
                &["f.yaml:5: Stream/s spec.path: /stat belongs to the status page (another path)"],
            ),
            (
                "  path: /stat.json\n  feeds: [a]",
                &[
                    "f.yaml:5: Stream/s spec.path: /stat.json belongs to the status for programs (another path)",
                ],
            ),
            (
                "  path: /metrics\n  feeds: [a]",
                &["f.yaml:5: Stream/s spec.path: /metrics belongs to the metrics (another path)"],
            ),
            (
                "  path: /healthz\n  feeds: [a]",
                &["f.yaml:5: Stream/s spec.path: /healthz belongs to the health (another path)"],
            ),
            (
                "  path: /readyz\n  feeds: [a]",
                &["f.yaml:5: Stream/s spec.path: /readyz belongs to the readiness (another path)"],
            ),
            (
                "  path: /a/pic\n  feeds: [a]",
                &[
                    "f.yaml:5: Stream/s spec.path: a path must not end in pic, index.m3u8, manifest.mpd, whep or whip: those are served below every stream",
                ],
            ),
            (
                "  path: a b\n  feeds: [a]",
                &[
                    "f.yaml:5: Stream/s spec.path: a b is not a path of letters, digits and . _ ~ @ : + = , - behind each /, such as /cams/front.ts",
                ],
            ),
            (
                "  path: \"/{each}\"\n  feeds: [a]",
                &["f.yaml:5: Stream/s spec.path: /{each} holds {each}, and this is no set (add spec.each)"],
            ),
            (
                "  path: /a\n  feeds: [\"{each}\"]",
                &[
                    "f.yaml:6: Stream/s spec.feeds[0]: {each} holds {each}, and this is no set (add spec.each)",
                    "f.yaml:6: Stream/s spec.feeds[0]: there is no Feed {each} (known: a, b)",
                ],
            ),
            (
                "  path: /a\n  each: [x, z]\n  feeds: [a]",
                &[
                    "f.yaml:5: Stream/s spec.path: the path of a set does not hold {each} (such as /cams/{each}.ts: every member needs a path of its own)",
                ],
            ),
            (
                "  path: \"/{each}\"\n  eachOf: a\n  feeds: [a]",
                &[
                    "f.yaml:6: Stream/s spec.eachOf: the Feed a is no set (give that Feed spec.each, or name a Feed that has it)",
                ],
            ),
            (
                "  path: \"/{each}\"\n  eachOf: c\n  feeds: [a]",
                &["f.yaml:6: Stream/s spec.eachOf: there is no Feed c (known: none)"],
            ),
            (
                "  path: \"/{each}\"\n  each: [x, x]\n  feeds: [a]",
                &["f.yaml:6: Stream/s spec.each[1]: \"x\" is there twice, first as element 0 (each once)"],
            ),
            (
                "  path: /a\n  feeds: [a]\n  template: {name: h264}",
                &[
                    "f.yaml:7: Stream/s spec.template.name: there is no template h264 (the Cluster has no spec.templates)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  record: {storage: archive}",
                &["f.yaml:7: Stream/s spec.record.storage: the Cluster has no storage archive (known: none)"],
            ),
            (
                "  path: /a\n  feeds: [a]\n  clusterRef: {name: big}",
                &[
                    "f.yaml:7: Stream/s spec.clusterRef.name: there is no Cluster big (add a document of kind Cluster with this name, or leave clusterRef out)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  access: {play: {basic: {secretRef: {name: v}}}}",
                &[
                    "f.yaml:7: Stream/s spec.access.play.basic.secretRef.name: there is no Secret v (add a document of kind Secret with this name)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  container: mpegts",
                &[
                    "f.yaml:7: Stream/s spec.container: mpegts is none of MpegTs, Fmp4, Matroska, WebM, Flv, Ogg, Adts, Mp3, Mpjpeg, Raw (did you mean MpegTs?)",
                ],
            ),
            (
                "  path: /a\n  feeds: [a]\n  flush: fast",
                &["f.yaml:7: Stream/s spec.flush: fast is not Now or a duration, such as 20ms"],
            ),
            (
                "  path: /a\n  feeds: [a]\n  snapshot: {quality: 101}",
                &["f.yaml:7: Stream/s spec.snapshot.quality: 101 is out of range (1 to 100)"],
            ),
            (
                "  path: /a\n  feeds: [a]\n  gopCache: {bytes: 16MB}",
                &[
                    "f.yaml:7: Stream/s spec.gopCache.bytes: 16MB is not a size: a number, alone or with k, M, G, T, Ki, Mi, Gi or Ti, such as 16Mi",
                ],
            ),
            (
                "  path: /a\n  feed: [a]",
                &[
                    "f.yaml:4: Stream/s spec: a Stream needs feeds, a command or a template: it has nothing to serve",
                    "f.yaml:6: Stream/s spec.feed: the field feed is not known (did you mean feeds?)",
                ][1..],
            ),
            (
                "  feeds: [a]",
                &[
                    "f.yaml:4: Stream/s spec: the field path is missing (Where the Stream is served: `/cams/front/hd.ts`)",
                ],
            ),
        ],
    );
}
