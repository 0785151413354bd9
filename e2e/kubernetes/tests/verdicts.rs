//! The API server and `media-pod check` have one verdict on every object, right or wrong.

#[path = "../../../crds/tests/cases/mod.rs"]
mod cases;
mod mutants;
mod samples;

use std::{collections::BTreeSet, fs};

use cases::Case;
use millrace_crds::{check, crd, rules};
use millrace_e2e::{binary, run};
use millrace_e2e_kubernetes::{Space, object, with_bare_namespace};
use serde_json::{Value, json};

/// What the API server says against an object.
fn by_server(space: &Space, object: &Value) -> Option<String> {
    space.try_dry(object).err().map(|error| error.to_string())
}

/// What we say against it. What it names need not be there: the API server does not look for that either.
fn by_us(object: &Value) -> Option<String> {
    let mut errors = check("object.yaml", &object.to_string()).errors;
    let of_others = ["there is no ", "the Cluster has no "];
    errors.retain(|error| !of_others.iter().any(|beginning| error.message.starts_with(beginning)));
    (!errors.is_empty()).then(|| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn every_rule_between_fields_is_kept_by_the_api_server_in_our_words() {
    with_bare_namespace("rules", |space| {
        for Case { kind, name, spec, beginning } in cases::all() {
            let object = object(kind, &name, &spec);
            let said = by_server(space, &object);
            let right = match &said {
                None => beginning.is_empty(),
                Some(said) => !beginning.is_empty() && (said.contains(beginning) || is_refused_before(said)),
            };
            assert!(right, "{object}: {said:?}, wanted {beginning:?}");
        }
    });
}

/// Whether Kubernetes refuses the name of any object whatever, in its own words.
fn is_refused_before(said: &str) -> bool {
    said.contains("metadata.name: Invalid value") && said.contains("RFC 1123")
}

#[test]
fn the_cluster_of_an_object_cannot_be_changed() {
    with_bare_namespace("immutable", |space| {
        // No such Clusters are there, so nothing comes of them.
        for (kind, spec) in [
            ("Feed", json!({"source": {"command": ["x"]}})),
            ("Stream", json!({"path": "/a", "command": ["x"]})),
            ("Room", json!({})),
        ] {
            let on = |cluster: &str| {
                let mut spec = spec.clone();
                spec["clusterRef"] = json!({"name": cluster});
                object(kind, "a", &spec)
            };
            space.apply(&on("one"));
            let said = by_server(space, &on("two")).unwrap_or_default();
            assert!(said.contains("clusterRef cannot be changed"), "{kind}: {said}");
        }
    });
}

#[test]
fn every_bound_of_every_field_is_kept_by_the_api_server_and_by_us() {
    with_bare_namespace("bounds", |space| {
        let mut met = BTreeSet::new();
        for sample in samples::all() {
            assert_eq!(by_us(&sample), None, "{sample}");
            assert_eq!(by_server(space, &sample), None, "{sample}");
            for mutant in mutants::of(&sample) {
                // Told once for each bound: lists of samples would meet it again and again.
                if !met.insert((sample["kind"].to_string(), mutant.bound.clone())) {
                    continue;
                }
                let server = by_server(space, &mutant.object);
                let us = by_us(&mutant.object);
                assert!(
                    server.is_some() && us.is_some(),
                    "{}: the API server: {server:?}, we: {us:?}\n{}",
                    mutant.bound,
                    mutant.object
                );
                let server = server.unwrap_or_default();
                assert!(server.contains(&mutant.field), "{}: {server}", mutant.bound);
            }
        }
        let known: BTreeSet<_> = crd::definitions()
            .iter()
            .flat_map(|one| {
                mutants::bounds(one.schema()).into_iter().map(|b| (json!(one.kind).to_string(), b))
            })
            .collect();
        let unmet: Vec<_> = known.difference(&met).collect();
        assert!(unmet.is_empty(), "no sample has a field with these bounds: {unmet:#?}");
        println!("{} bounds", met.len());
    });
}

#[test]
fn the_program_says_what_the_library_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.yaml");
    let path = file.display().to_string();
    for Case { kind, name, spec, beginning } in cases::all().into_iter().step_by(5) {
        fs::write(&file, object(kind, &name, &spec).to_string()).unwrap();
        let said = run(binary(), &["check", "-f", &path], 30);
        let ours: Vec<&str> =
            rules::ALL.iter().map(|rule| rule.message).filter(|m| said.err.contains(m)).collect();
        assert_eq!(ours.is_empty(), beginning.is_empty(), "{kind} {spec}: {said:?}");
    }
}
