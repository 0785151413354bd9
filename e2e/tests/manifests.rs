//! What people install: charts, and the manifests that are rendered from them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use millrace_e2e::{Said, repository, run};
use serde_json::Value;

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else {
            found.insert(name, fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// `helm template` of the operator's chart. The first call may compile helm.
fn template(options: &[&str]) -> Said {
    let chart = repository("charts/millrace").display().to_string();
    let words =
        ["helm", "template", "millrace", &chart, "--namespace", "somewhere", "--kube-version", "1.33.0"];
    run(repository("e2e/cluster/tool"), &[&words, options].concat(), 600)
}

fn objects(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

fn rendered(options: &[&str]) -> Vec<Value> {
    let said = template(options);
    assert_eq!(said.code, Some(0), "{}", said.err);
    objects(&said.text())
}

fn operator(objects: &[Value]) -> &Value {
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    &deployment["spec"]["template"]["spec"]
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// Each verb that the operator's own rules grant: "group/resource verb".
fn granted(objects: &[Value]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let roles = objects.iter().filter(|object| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let of_people = object["metadata"]["labels"]["millrace.dev/for"] == "people";
        object.get("rules").is_some() && name.starts_with("millrace-operator") && !of_people
    });
    for rule in roles.flat_map(|role| role["rules"].as_array().unwrap()) {
        let words = |field: &str| rule[field].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        for group in words("apiGroups") {
            for resource in words("resources") {
                all.extend(words("verbs").map(|verb| format!("{group}/{resource} {verb}")));
            }
        }
    }
    all
}

#[test]
fn the_manifests_are_what_the_charts_render() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(repository("scripts/manifests"), &[&folder.path().display().to_string()], 600);
    assert_eq!(said.code, Some(0), "{}{}", said.text(), said.err);
    let (committed, now) = (files(&repository("manifests")), files(folder.path()));
    assert_eq!(committed.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>(), "make manifests");
    for (path, text) in &now {
        assert!(
            committed[path] == *text,
            "manifests/{path} differs from what the charts render: make manifests"
        );
    }
}

#[test]
fn kubectl_meets_the_namespace_and_the_crds_before_what_needs_them() {
    // It walks a folder in the order of names.
    let mut seen = BTreeSet::new();
    for (path, text) in files(&repository("manifests")) {
        for object in objects(&text) {
            let kind = object["kind"].as_str().unwrap().to_owned();
            if let Some(namespace) = object["metadata"].get("namespace") {
                assert!(seen.contains("Namespace") && namespace == "millrace-system", "{path}: {kind}");
            }
            if kind == "Deployment" {
                for before in
                    ["CustomResourceDefinition", "ServiceAccount", "ClusterRoleBinding", "RoleBinding"]
                {
                    assert!(seen.contains(before), "{path}: {kind} before {before}");
                }
            }
            seen.insert(kind);
        }
    }
    assert!(seen.contains("Deployment") && seen.contains("Service") && seen.contains("PodDisruptionBudget"));
}

#[test]
fn versions_agree() {
    let cargo = fs::read_to_string(repository("Cargo.toml")).unwrap();
    let version = cargo.lines().find_map(|line| line.strip_prefix("version = ")).unwrap().trim_matches('"');
    for chart in ["millrace", "millrace-crds"] {
        let text = fs::read_to_string(repository("charts").join(chart).join("Chart.yaml")).unwrap();
        let chart = &objects(&text)[0];
        assert_eq!([&chart["version"], &chart["appVersion"]], [version, version]);
    }
}

#[test]
fn the_chart_refuses_values_that_make_no_sense_and_names_them() {
    let wrong = [
        ("replicas=0", "/replicas"),
        ("replica=3", "'replica'"),
        ("image.registry=example.org/", "/image/registry"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("scope.namespaces={Cams}", "/scope/namespaces/0"),
        ("metrics.serviceMonitor.interval=often", "/metrics/serviceMonitor/interval"),
    ];
    for (value, named) in wrong {
        let said = template(&["--set", value]);
        assert!(said.code != Some(0) && said.err.contains(named), "{value}: {:?} {}", said.code, said.err);
    }
}

#[test]
fn a_scope_is_a_role_in_each_of_its_namespaces_and_nothing_for_the_rest() {
    let all = rendered(&["--set", "scope.namespaces={cams,radio}", "--set", "people.roles=false"]);
    assert!(of_kind(&all, "ClusterRole").is_empty() && of_kind(&all, "ClusterRoleBinding").is_empty());
    let of = |kind| {
        let found = of_kind(&all, kind);
        let namespaces = found.iter().map(|object| object["metadata"]["namespace"].as_str().unwrap());
        namespaces.collect::<BTreeSet<_>>()
    };
    assert_eq!(of("Role"), BTreeSet::from(["cams", "radio", "somewhere"]));
    assert_eq!(of("RoleBinding"), of("Role"));
    let arguments = operator(&all)["containers"][0]["args"].to_string();
    assert!(arguments.contains("--namespace=cams") && arguments.contains("--namespace=radio"), "{arguments}");
    // The same rights, but for what is no namespace's.
    let everywhere = granted(&rendered(&[]));
    let only: Vec<_> = everywhere.difference(&granted(&all)).cloned().collect();
    assert!(only.iter().all(|right| right.starts_with("/nodes ")), "{only:?}");
    assert!(granted(&all).is_subset(&everywhere));
}

#[test]
fn images_come_from_one_registry_with_one_tag() {
    let all =
        rendered(&["--set", "image.registry=example.org/mirror,image.tag=7.1.0,image.pullPolicy=Always"]);
    let container = &operator(&all)["containers"][0];
    assert_eq!(container["image"], "example.org/mirror/operator:7.1.0");
    assert_eq!(container["imagePullPolicy"], "Always");
    let arguments = container["args"].to_string();
    for argument in [
        "--media-pod-image=example.org/mirror/media-pod:7.1.0",
        "--transcoder-image=example.org/mirror/transcoder:7.1.0",
        "--image-pull-policy=Always",
    ] {
        assert!(arguments.contains(argument), "{arguments}");
    }
}

#[test]
fn the_examples_of_values_are_right() {
    for (name, _) in files(&repository("charts/millrace/examples")) {
        let path = repository("charts/millrace/examples").join(&name).display().to_string();
        assert!(!rendered(&["--values", &path]).is_empty(), "{name}");
    }
}

#[test]
fn the_documentation_has_each_right_of_the_operator_and_no_other() {
    let text = fs::read_to_string(repository("docs/rbac.md")).unwrap();
    let mut written = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 5) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let group = cells[1].trim_matches('`').replace("core", "");
        for resource in cells[2].split(", ") {
            for verb in cells[3].split(", ") {
                written.insert(format!("{group}/{} {verb}", resource.trim_matches('`')));
            }
        }
    }
    let granted = granted(&rendered(&[]));
    let missing: Vec<_> = granted.difference(&written).collect();
    let too_many: Vec<_> = written.difference(&granted).collect();
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "not in docs/rbac.md: {missing:?}\nnot granted: {too_many:?}"
    );
}
