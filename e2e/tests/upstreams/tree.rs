//! A tree of Clusters over one source.

use millrace_e2e::{Pod, Watcher, decode, documented_metrics, eventually, stream};
use serde_json::json;

use crate::{
    setup::{at, edge, naming, origin, pulls, said, upstream},
    support::{Cluster, camera, code, curl, known},
};

#[test]
fn a_tree_of_clusters_takes_one_copy_of_a_stream_from_its_source() {
    let origin = origin();
    let clusters = [Cluster::new(), Cluster::new(), Cluster::new()];
    let middle = edge(&clusters[0], &naming("middle", &[("origin", &at(&origin))]));
    let over_websocket = at(&middle).replace("millrace:", "millrace+ws:");
    let leaves = [
        edge(&clusters[1], &naming("one", &[("middle", &at(&middle))])),
        edge(&clusters[2], &naming("two", &[("middle", &over_websocket)])),
    ];
    let mut viewers = Vec::new();
    for leaf in &leaves {
        known(leaf, "/a.ts");
        viewers.extend((0..10).map(|_| Watcher::new(leaf.viewer("/a.ts"))));
    }
    for viewer in &viewers {
        viewer.flows(30_000);
    }
    assert_eq!(
        origin.entry("streams", "a")["viewers"],
        1,
        "for any number of viewers, in any number of Clusters"
    );
    assert_eq!(middle.stat()["streams"][0]["viewers"], 2, "one for each leaf");
    assert_eq!(pulls(&middle, "origin"), 1);
    for leaf in &leaves {
        assert_eq!(pulls(leaf, "middle"), 1);
        assert_eq!(leaf.metric("millrace_edge_viewers"), 10);
        assert_eq!(leaf.metric("millrace_upstream_up{upstream=\"middle\"}"), 1);
        assert_eq!(leaf.metric("millrace_upstream_sessions_total{upstream=\"middle\"}"), 1);
        let metrics = String::from_utf8(leaf.curl("/metrics", &[]).stdout).unwrap();
        for name in
            documented_metrics("millrace_upstream").into_iter().chain(documented_metrics("millrace_loops"))
        {
            assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} is not in\n{metrics}");
        }
        let told = upstream(leaf, "middle");
        assert_eq!((told["state"].as_str(), told["sessions"].as_u64()), (Some("Linked"), Some(1)));
        assert!(told["bytesReceived"].as_u64() > Some(30_000), "{told:#}");
        let links = leaf.stat()["links"].clone();
        assert!(links.as_array().unwrap().iter().any(|link| link["role"] == "Upstream"), "{links:#}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.ts");
    std::fs::write(&file, leaves[1].read("/a.ts?keyframe", 100_000).1).unwrap();
    let decoded = decode(&file, 10);
    assert!(decoded.code == Some(0) && decoded.err.is_empty(), "{}", decoded.err);
    // What nobody watches is pulled no more, all the way up.
    drop(viewers);
    origin.feed_is("a", "Idle");
    assert_eq!((pulls(&middle, "origin"), pulls(&leaves[0], "middle")), (0, 0));
}

#[test]
fn what_no_cluster_has_is_not_found_and_pictures_are_where_the_stream_is() {
    let origin = origin();
    let (middle, leaf) = (Cluster::new(), Cluster::new());
    let middle = edge(&middle, &naming("middle", &[("origin", &at(&origin))]));
    let leaf = edge(&leaf, &naming("leaf", &[("middle", &at(&middle))]));
    known(&leaf, "/a.ts");
    let head = String::from_utf8(curl(&leaf.url("/none.ts"), &["-I"]).stdout).unwrap();
    assert!(!head.contains(" 200 "), "{head}");
    let why = eventually("it is not there, once all are sure", || {
        let (status, why) = said(&leaf, "/none.ts");
        (status == 404).then_some(why)
    });
    assert!(why.contains("upstream middle: ") && why.contains("/none.ts"), "{why}");
    let (status, why) = said(&leaf, "/a.ts/pic");
    assert!(status == 404 && why.contains("another Cluster"), "{why}");
    for ours in ["/stat", "/metrics", "/healthz"] {
        assert_eq!(code(&leaf.url(ours), &[]), "200", "{ours}");
    }
    assert_eq!(code(&leaf.url("/a.ts"), &["-X", "POST"]), "405");
}

#[test]
fn more_streams_than_one_link_carries_take_another_link_and_give_it_back() {
    let paths: Vec<String> = (0..60).map(|n| format!("/s{n}.ts")).collect();
    let streams = paths.iter().enumerate();
    let streams = streams.map(|(n, path)| stream(&format!("s{n}"), &json!({"path": path, "feeds": ["a"]})));
    let origin = Pod::start(&(camera("a", "OnDemand") + &streams.collect::<String>()));
    let cluster = Cluster::new();
    let leaf = edge(&cluster, &naming("leaf", &[("origin", &at(&origin))]));
    known(&leaf, "/s0.ts");
    let viewers: Vec<Watcher> = paths.iter().map(|path| Watcher::new(leaf.viewer(path))).collect();
    for viewer in &viewers {
        viewer.flows(5000);
    }
    let links = || leaf.metric("millrace_links{role=\"Upstream\"}");
    assert_eq!((pulls(&leaf, "origin"), links()), (60, 2));
    drop(viewers);
    eventually("what is not needed is closed", || {
        (pulls(&leaf, "origin") == 0 && links() == 1).then_some(())
    });
}
