//! Who may send to a Feed that waits for a publisher.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by it")]

use millrace_crds::{load, to_yaml};

fn secret(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{username: {name}, password: p}}\n---\n"
    )
}

fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: millrace.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"
    )
}

fn basic(name: &str) -> String {
    format!("{{basic: {{secretRef: {{name: {name}}}}}}}")
}

/// The user that may send to the Feed; nothing, where anybody may. The same of the final form of the final form.
fn who(feed: &str, streams: &[(&str, &str)], cluster: &str) -> Option<String> {
    let mut yaml: String = ["of-feed", "of-stream", "of-cluster"].map(secret).concat();
    yaml += &document("Cluster", "default", cluster);
    yaml += &document("Feed", "f", &format!("{{source: {{publish: {{path: /p{feed}}}}}}}"));
    for (name, access) in streams {
        yaml += &document("Stream", name, &format!("{{path: /{name}, feeds: [f]{access}}}"));
    }
    let user = |yaml: &str| {
        let resolved = load("test.yaml", yaml).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let grant = resolved.publish_grant(&resolved.feeds["f"]);
        assert_eq!(grant.anyone, grant.basic.is_none());
        let user = grant.basic.as_ref().map(|basic| resolved.basic(basic).unwrap().0.to_owned());
        (user, to_yaml(&resolved))
    };
    let (first, last) = user(&yaml);
    assert_eq!(user(&last).0, first, "{last}");
    first
}

#[test]
fn the_feed_says_who_may_send_then_its_first_stream_that_does_then_the_cluster() {
    let of_feed = format!(", access: {}", basic("of-feed"));
    let of_stream = format!(", access: {{publish: {}}}", basic("of-stream"));
    let of_cluster = format!("{{access: {{publish: {}}}}}", basic("of-cluster"));
    let open = ", access: {publish: {anyone: true}}";
    assert_eq!(who("", &[("a", "")], "{}"), None);
    assert_eq!(who("", &[("a", "")], &of_cluster).as_deref(), Some("of-cluster"));
    assert_eq!(who("", &[("a", ""), ("b", &of_stream)], &of_cluster).as_deref(), Some("of-stream"));
    assert_eq!(who("", &[("a", &of_stream), ("b", open)], "{}").as_deref(), Some("of-stream"));
    assert_eq!(who(", access: {anyone: true}", &[("a", &of_stream)], &of_cluster), None);
    assert_eq!(who(&of_feed, &[("a", &of_stream)], &of_cluster).as_deref(), Some("of-feed"));
}

#[test]
fn a_secret_that_is_not_there_is_complained_of() {
    let yaml =
        document("Feed", "f", &format!("{{source: {{publish: {{path: /p, access: {}}}}}}}", basic("nobody")));
    let wrong = load("test.yaml", &yaml).unwrap_err();
    let said = format!("{wrong:?}");
    assert!(said.contains("nobody") && said.contains("publish"), "{said}");
}
