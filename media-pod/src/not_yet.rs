//! What the resources can say and this version does not carry out: said aloud instead of silently left out. Pure.

use millrace_crds::{
    FinalFeed, FinalSource, FinalStream, Resolved,
    kinds::{PlayProtocol, PublishProtocol},
    shared::Grant,
};

/// One sentence for each field that has no effect.
pub fn without_effect(resolved: &Resolved) -> Vec<String> {
    let mut said = Vec::new();
    let mut say = |object: &str, name: &str, field: &str, what: &str| {
        said.push(format!("{object}/{name} spec.{field}: {what}"));
    };
    let cluster = &resolved.cluster;
    let listeners = [
        ("rtmp", cluster.rtmp),
        ("rtmps", cluster.rtmps),
        ("rtsp", cluster.rtsp),
        ("srt", cluster.srt),
        ("webrtc", cluster.webrtc),
    ];
    for (name, _) in listeners.iter().filter(|(_, listener)| listener.is_some()) {
        say(
            "Cluster",
            &cluster.name,
            &format!("listeners.{name}"),
            "not listened for yet; http and https are",
        );
    }
    if needs_more(&cluster.access.play) {
        say("Cluster", &cluster.name, "access.play", ONLY_BASIC);
    }
    if needs_more(&cluster.access.publish) {
        say("Cluster", &cluster.name, "access.publish", ONLY_BASIC);
    }
    if cluster.access.operate.as_ref().is_some_and(needs_more) {
        say("Cluster", &cluster.name, "access.operate", ONLY_BASIC);
    }
    for feed in resolved.feeds.values() {
        of_feed(feed, &mut say);
    }
    for stream in resolved.streams.values() {
        of_stream(stream, &mut say);
    }
    for room in resolved.rooms.keys() {
        say("Room", room, "id", "rooms are not opened yet");
    }
    said
}

const ONLY_BASIC: &str =
    "tokens and certificates are not accepted yet, so nobody is let in by them; `basic` and `anyone` work";

type Say<'a> = &'a mut dyn FnMut(&str, &str, &str, &str);

fn of_feed(feed: &FinalFeed, say: Say<'_>) {
    let FinalSource::Publish { protocols, access, .. } = &feed.source else { return };
    for protocol in protocols.iter().filter(|it| **it != PublishProtocol::Http) {
        let what = format!("{protocol:?} is not listened for yet; Http and `media-pod publish` work");
        say("Feed", &feed.name, "source.publish.protocols", &what);
    }
    if access.as_ref().is_some_and(needs_more) {
        say("Feed", &feed.name, "source.publish.access", ONLY_BASIC);
    }
}

fn of_stream(stream: &FinalStream, say: Say<'_>) {
    let others =
        |protocols: &Vec<PlayProtocol>| protocols.iter().any(|protocol| *protocol != PlayProtocol::Http);
    if stream.protocols.as_ref().is_some_and(others) {
        say("Stream", &stream.name, "protocols", "only Http is served yet");
    }
    if !stream.renditions.is_empty() {
        say("Stream", &stream.name, "renditions", "not made yet; write one Stream for each");
    }
    if stream.record.is_some() {
        say("Stream", &stream.name, "record", "nothing is recorded yet");
    }
    if !stream.push.is_empty() {
        say("Stream", &stream.name, "push", "nothing is pushed yet");
    }
    if stream.access.as_ref().and_then(|access| access.play.as_ref()).is_some_and(needs_more) {
        say("Stream", &stream.name, "access.play", ONLY_BASIC);
    }
}

fn needs_more(grant: &Grant) -> bool {
    !grant.anyone && (grant.token.is_some() || grant.certificate.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(spec: &str) -> Vec<String> {
        let yaml = format!(
            "apiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {{name: f}}\nspec: {{source: {{command: [x]}}}}\n---\n\
             apiVersion: millrace.dev/v1alpha1\nkind: Stream\nmetadata: {{name: s}}\nspec: {{path: /s, feeds: [f]{spec}}}\n"
        );
        without_effect(&millrace_crds::load("test.yaml", &yaml).unwrap_or_else(|wrong| panic!("{wrong:?}")))
    }

    #[test]
    fn what_is_carried_out_is_not_mentioned() {
        assert_eq!(said(", protocols: [Http]"), Vec::<String>::new());
    }

    #[test]
    fn each_protocol_that_nobody_can_publish_by_is_named() {
        let yaml = "apiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {name: f}\n\
                    spec: {source: {publish: {path: /p, protocols: [Http, Rtmp, Whip]}}}\n";
        let said = without_effect(
            &millrace_crds::load("test.yaml", yaml).unwrap_or_else(|wrong| panic!("{wrong:?}")),
        );
        let of = |name: &str| {
            format!(
                "Feed/f spec.source.publish.protocols: {name} is not listened for yet; Http and `media-pod publish` work"
            )
        };
        assert_eq!(said, [of("Rtmp"), of("Whip")]);
    }

    #[test]
    fn what_has_no_effect_is_named() {
        let renditions = said(", renditions: [{name: low, height: 360, bitrate: 600k}]");
        assert_eq!(renditions, ["Stream/s spec.renditions: not made yet; write one Stream for each"]);
        assert_eq!(said(", protocols: [Http, Hls]"), ["Stream/s spec.protocols: only Http is served yet"]);
    }
}
