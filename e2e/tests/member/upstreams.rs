//! What a balancer tells of its links to other Clusters.

use millrace_e2e::{Pod, resource};
use millrace_report::{message::Configuration, upstream::UpstreamLink};
use serde_json::json;

use crate::{
    fleet::{Fleet, camera},
    operator::{Files, Known, free_address},
};

/// What is known of the link to `origin`.
fn origin(known: &Known) -> Option<UpstreamLink> {
    known.beat.balancer.as_ref()?.upstreams.as_ref()?.get("origin").cloned()
}

#[test]
fn an_upstream_that_is_killed_and_comes_back_is_told_with_why() {
    let fleet = Fleet::new();
    let place = free_address().to_string();
    let spec = |upstreams| json!({"heartbeat": {"interval": "300ms"}, "upstreams": upstreams});
    let naming = json!([{"name": "origin", "url": format!("millrace://{place}")}]);
    let yaml = resource("Cluster", "default", &spec(naming));
    let files = Files::new(&fleet.operator.shown, "cams-door").with(1, &yaml, "");
    let links = fleet.link_files("edge", "members.json");
    let mut arguments: Vec<&str> = vec!["--link", "127.0.0.1:0"];
    arguments.extend(links.iter().map(String::as_str));
    let arguments = files.arguments(&[fleet.operator.address], "edge-1", &arguments);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _edge =
        Pod::balance_on(&files.path("config/millrace.yaml"), &arguments).unwrap_or_else(|e| panic!("{e:#}"));
    let tells = |what: &str, wanted: &dyn Fn(&UpstreamLink) -> bool| {
        fleet.operator.hears_of("edge-1", what, |known| origin(known).filter(|link| wanted(link)));
    };
    let refused = |link: &UpstreamLink| !link.up && link.why.to_lowercase().contains("refused");
    tells("there is nobody yet", &refused);
    let start =
        || Pod::start_with(&camera("a", "OnDemand"), &["--http", &place]).unwrap_or_else(|e| panic!("{e:#}"));
    let upstream = start();
    tells("there is a link", &|link| link.up && link.why.is_empty());
    drop(upstream);
    tells("it was lost, and nobody is there", &refused);
    let _upstream = start();
    tells("there is a link again", &|link| link.up);
    let new = Configuration {
        revision: 2,
        yaml: resource("Cluster", "default", &spec(json!([]))),
        secrets: String::new(),
        template: String::new(),
    };
    fleet.operator.push_to("edge-1", new);
    fleet.operator.hears_of("edge-1", "the Cluster names none any more", |known| {
        known.beat.balancer.as_ref()?.upstreams.as_ref()?.is_empty().then_some(())
    });
}
