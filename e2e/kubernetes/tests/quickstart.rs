//! The README's way: one file, and then `kubectl`, `curl`, `ffprobe`.

use millrace_e2e::{Said, run, tracks};
use millrace_e2e_kubernetes::{
    Address, Program, Space, await_condition, condition, curl, name, with_temp_namespace,
};
use serde_json::Value;

const STREAMS: [(&str, &str, &str, &[&str]); 7] = [
    ("test-ts", "/test.ts", "video/mp2t", &["video h264", "audio aac"]),
    ("test-mp4", "/test.mp4", "video/mp4", &["video h264", "audio aac"]),
    ("test-mkv", "/test.mkv", "video/x-matroska", &["video h264", "audio opus"]),
    ("test-flv", "/test.flv", "video/x-flv", &["video h264", "audio aac"]),
    ("test-mjpeg", "/test.mjpeg", "multipart/x-mixed-replace", &["video mjpeg"]),
    ("radio", "/radio.ogg", "audio/ogg", &["audio opus"]),
    ("file", "/file.ts", "video/mp2t", &["video h264", "audio aac"]),
];

/// Everything of ours in a namespace.
fn ours(space: &Space) -> Vec<String> {
    let kinds = ["Pod", "Service", "ConfigMap", "Secret", "PodDisruptionBudget", "Lease", "EndpointSlice"];
    let all = kinds.iter().flat_map(|kind| {
        let labelled = space.list(kind, "app.kubernetes.io/name=millrace");
        labelled.iter().map(|one| format!("{kind}/{}", name(one))).collect::<Vec<_>>()
    });
    all.collect()
}

fn restarts(space: &Space) -> Vec<(String, Value)> {
    let count = |pod: &Value| {
        pod["status"]["containerStatuses"]
            .as_array()
            .map(|all| all.iter().map(|one| one["restartCount"].clone()).collect())
    };
    space.pods().iter().map(|pod| (name(pod).to_owned(), count(pod).unwrap_or_default())).collect()
}

fn decodes(address: &Address) -> Said {
    run(
        "ffmpeg",
        &["-v", "error", "-nostdin", "-xerror", "-i", &address.url(), "-t", "1", "-f", "null", "-"],
        90,
    )
}

#[test]
fn the_quickstart_is_served_edited_and_deleted() {
    with_temp_namespace("quickstart", |space| {
        space.kubectl("apply -f examples/quickstart.yaml").ok();
        space.kubectl("wait --for=condition=Ready feeds,streams --all --timeout=170s").ok();
        let table = space.kubectl("get feeds,streams").ok();
        let lines: Vec<&str> = table.lines().filter(|line| line.contains("millrace.dev/")).collect();
        assert!(lines.len() == 9 && lines.iter().all(|line| line.contains(" True ")), "{table}");
        space.kubectl("wait --for=condition=Ready cluster/default --timeout=60s").ok();

        let mut addresses = Vec::new();
        for (stream, path, content_type, expected) in STREAMS {
            let address = space.address(stream);
            assert_eq!(address.path, path);
            let keyframe = address.at(&format!("{path}?keyframe"));
            assert_eq!(tracks(&keyframe.url()), expected, "{path}");
            let said = decodes(&keyframe);
            assert!(said.code == Some(0) && said.err.is_empty(), "{path}: {said:?}");
            let head = curl(&address.url(), &["-I"]).text().to_lowercase();
            assert!(head.contains(&format!("content-type: {content_type}")), "{path}: {head}");
            addresses.push(address);
        }
        let picture = curl(&addresses[0].at("/test.ts/pic").url(), &[]);
        assert!(picture.out.starts_with(&[0xff, 0xd8, 0xff]), "{}", picture.err);
        assert_eq!(addresses[0].at("/radio.ogg/pic").status(), 415);
        let page = curl(&addresses[0].at("/stat").url(), &[]).text();
        assert!(page.contains("<html") || page.contains("<!doctype"), "{page}");

        an_edit_changes_one_stream_and_nothing_else(space, &addresses);

        space.kubectl("delete -f examples/quickstart.yaml --timeout=60s").ok();
        await_condition("nothing is left behind", || ours(space).is_empty().then_some(()));
    });
}

/// By `kubectl edit`, as people do.
fn an_edit_changes_one_stream_and_nothing_else(space: &Space, addresses: &[Address]) {
    let others = ["/test.ts", "/file.ts", "/radio.ogg"].map(|path| addresses[0].at(path).watch());
    let edited = addresses[0].at("/test.mjpeg").watch();
    edited.flows(1000);
    let (pods, restarted) = (space.pod_uids(), restarts(space));
    let exits = || ["test", "clip"].map(|feed| space.get("Feed", feed)["status"]["lastExit"].clone());
    let before = exits();
    let editor = "KUBE_EDITOR=sed -i s/fps=12,scale=480:-2/fps=6,scale=320:-2/";
    Program::new("env", "")
        .with(&[editor, "kubectl", "-n", space.name(), "edit", "stream", "test-mjpeg"])
        .ok();
    space.ready("Stream", "test-mjpeg");
    await_condition("the pictures are smaller", || {
        let picture =
            ["-v", "error", "-select_streams", "v", "-show_entries", "stream=width", "-of", "csv=p=0"];
        let url = addresses[0].at("/test.mjpeg").url();
        let said = run("ffprobe", &[&picture[..], &[&url]].concat(), 30);
        said.text().trim().starts_with("320").then_some(())
    });
    for other in &others {
        other.flows(2000);
    }
    assert_eq!((pods, restarted, before), (space.pod_uids(), restarts(space), exits()));
    for (stream, ..) in STREAMS {
        assert_eq!(condition(&space.get("Stream", stream), "Ready")["status"], "True", "{stream}");
    }
}
