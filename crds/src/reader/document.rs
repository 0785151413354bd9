use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Documents, Placed,
    kinds::{Known, known},
    schemas::Schemas,
    secret,
};
use crate::{
    check::{Checker, Finding},
    diagnostic::Diagnostic,
    resolve::{RESTART, restart_text},
    rules,
    yaml::{
        path::{FieldPath, Step},
        tree::{Content, Node, Place, Problem},
    },
};

/// The most things said of one file; one that has more wrong is no configuration.
const MAX_DIAGNOSTICS: usize = 1000;

/// Gathers the objects of a file.
pub(super) struct Reader {
    documents: Documents,
    errors: Vec<Diagnostic>,
    checker: Checker,
    schemas: Schemas,
}

impl Reader {
    pub(super) fn new(file: &str) -> Self {
        let documents = Documents { file: file.to_owned(), ..Documents::default() };
        Self { documents, errors: Vec::new(), checker: Checker::default(), schemas: Schemas::new() }
    }

    pub(super) fn finish(mut self) -> (Documents, Vec<Diagnostic>) {
        if self.errors.len() > MAX_DIAGNOSTICS {
            self.errors.truncate(MAX_DIAGNOSTICS);
        }
        self.documents.warnings.truncate(MAX_DIAGNOSTICS);
        (self.documents, self.errors)
    }

    pub(super) fn problems(&mut self, problems: Vec<Problem>) {
        for Problem { place, message, help } in problems {
            self.error(place, None, None, message, help);
        }
    }

    /// Reads one document; `inside`: it is an element of a List.
    pub(super) fn document(&mut self, mut node: Node, inside: bool) {
        if self.errors.len() > MAX_DIAGNOSTICS {
            return;
        }
        let Content::Map(_) = &node.content else {
            let help = "it begins with apiVersion, kind and metadata".to_owned();
            return self.error(node.place, None, None, "a document must be a mapping".to_owned(), Some(help));
        };
        let (Some(version), Some(kind)) = (self.word(&node, "apiVersion"), self.word(&node, "kind")) else {
            return;
        };
        match known(&version, &kind) {
            Known::Ours(kind) => self.ours(kind, node),
            Known::Secret => self.secret(node),
            Known::List if inside => {
                self.error(
                    node.place,
                    None,
                    None,
                    "a List stands in a List".to_owned(),
                    Some("one List".to_owned()),
                );
            }
            Known::List => {
                if let Content::Map(entries) = &mut node.content
                    && let Some((_, items)) = entries.iter_mut().find(|(key, _)| key.name == "items")
                    && let Content::List(items) = &mut items.content
                {
                    for item in std::mem::take(items) {
                        self.document(item, true);
                    }
                } else {
                    self.error(node.place, None, None, "the List has no items".to_owned(), None);
                }
            }
            Known::Other => {
                let message = format!("{version} {kind} is nothing that a media pod reads: left out");
                let diagnostic = self.diagnostic(node.place, None, None, message, None);
                self.documents.warnings.push(diagnostic);
            }
            Known::No(message, help) => {
                let field = if message.contains("apiVersion") { "apiVersion" } else { "kind" };
                let field = FieldPath::of(field);
                self.error(node.place_of(&field), None, Some(&field), message, Some(help));
            }
        }
    }

    fn word(&mut self, node: &Node, field: &str) -> Option<String> {
        let word = node.get(field).and_then(Node::as_str).filter(|word| !word.is_empty());
        if word.is_none() {
            let help = "such as apiVersion: millrace.dev/v1alpha1 and kind: Feed".to_owned();
            self.error(node.place, None, None, format!("the document has no {field}"), Some(help));
        }
        word.map(str::to_owned)
    }

    fn ours(&mut self, kind: &'static str, node: Node) {
        let Some((name, value)) = self.checked(kind, &node) else { return };
        self.keep(kind, name, &value, node);
    }

    /// Puts an object among the others.
    fn keep(&mut self, kind: &'static str, name: String, value: &Value, node: Node) {
        let spec = value.get("spec").cloned().unwrap_or_else(|| json!({}));
        let objects = &mut self.documents.objects;
        let annotations = value.get("metadata").and_then(|metadata| metadata.get("annotations"));
        if let Some(text) = annotations.and_then(|all| all.get(RESTART)).and_then(Value::as_str) {
            match kind {
                "Feed" => drop(objects.restarts.feeds.insert(name.clone(), restart_text(text))),
                "Stream" => drop(objects.restarts.streams.insert(name.clone(), restart_text(text))),
                _ => {}
            }
        }
        let failed = match kind {
            "Cluster" => typed(&mut objects.clusters, &name, spec),
            "Feed" => typed(&mut objects.feeds, &name, spec),
            "Stream" => typed(&mut objects.streams, &name, spec),
            _ => typed(&mut objects.rooms, &name, spec),
        };
        if let Some(error) = failed {
            let field = FieldPath::of("spec");
            let object = format!("{kind}/{name}");
            self.error(node.place_of(&field), Some(object), Some(&field), error.to_string(), None);
            self.documents.objects.broken.insert((kind.to_owned(), name.clone()));
        }
        self.documents.places.push(Placed { kind: kind.to_owned(), name, node });
    }

    fn secret(&mut self, node: Node) {
        let Some((name, value)) = self.checked("Secret", &node) else { return };
        match secret::decode(&name, &value) {
            Ok(secret) => self.documents.objects.secrets.push(secret),
            Err(findings) => {
                self.findings("Secret", &name, &node, findings);
                self.documents.objects.broken.insert(("Secret".to_owned(), name.clone()));
            }
        }
        self.documents.places.push(Placed { kind: "Secret".to_owned(), name, node });
    }

    /// Checks a document by its schema; its name and its value with defaults, if it can be read on.
    fn checked(&mut self, kind: &str, node: &Node) -> Option<(String, Value)> {
        let schema = self.schemas.of(kind)?;
        let mut value = node.to_value();
        self.checker.check(schema, Some(node), &mut value, &FieldPath::default());
        let errors = std::mem::take(&mut self.checker.errors);
        let warnings = std::mem::take(&mut self.checker.warnings);
        let name = node.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
        let shown = name.unwrap_or("?").to_owned();
        for Finding { field, message, help } in warnings {
            let object = Some(format!("{kind}/{shown}"));
            let diagnostic = self.diagnostic(node.place_of(&field), object, Some(&field), message, help);
            self.documents.warnings.push(diagnostic);
        }
        let usable = errors.is_empty() || mend(kind, &errors, &mut value);
        self.findings(kind, &shown, node, errors);
        match name {
            Some(name) if usable => Some((name.to_owned(), value)),
            Some(name) => {
                self.broken(kind, name, node);
                None
            }
            None => None,
        }
    }

    /// Remembers what a broken object is called, and its members, so that nothing is said of those who name it.
    fn broken(&mut self, kind: &str, name: &str, node: &Node) {
        let broken = &mut self.documents.objects.broken;
        broken.insert((kind.to_owned(), name.to_owned()));
        if let Some(Content::List(pieces)) =
            node.get("spec").and_then(|spec| spec.get("each")).map(|each| &each.content)
        {
            let members = pieces.iter().take(256).filter_map(Node::as_str);
            broken.extend(members.map(|piece| (kind.to_owned(), crate::resolve::member_name(name, piece))));
        }
    }

    fn findings(&mut self, kind: &str, name: &str, node: &Node, findings: Vec<Finding>) {
        let object = if rules::is_object_name(name) || kind == "Secret" {
            format!("{kind}/{name}")
        } else {
            kind.to_owned()
        };
        for Finding { field, message, help } in findings {
            self.error(node.place_of(&field), Some(object.clone()), Some(&field), message, help);
        }
    }

    fn error(
        &mut self,
        place: Place,
        object: Option<String>,
        field: Option<&FieldPath>,
        message: String,
        help: Option<String>,
    ) {
        let diagnostic = self.diagnostic(place, object, field, message, help);
        self.errors.push(diagnostic);
    }

    fn diagnostic(
        &self,
        place: Place,
        object: Option<String>,
        field: Option<&FieldPath>,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            file: self.documents.file.clone(),
            line: place.line,
            column: place.column,
            object,
            field: field.filter(|field| !field.0.is_empty()).map(ToString::to_string),
            message,
            help,
        }
    }
}

/// Takes out what is wrong, so that the rest of the object can be checked, too. Not when that would make the rest
/// wrong: then false.
fn mend(kind: &str, errors: &[Finding], value: &mut Value) -> bool {
    let needed: &[&str] = match kind {
        "Cluster" => &["templates", "storage", "statusPage", "statusApi"],
        "Feed" => &["source", "each"],
        "Stream" => &["path", "feeds", "command", "template", "each", "eachOf"],
        "Room" => &[],
        _ => return false,
    };
    let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else { return false };
    errors.iter().all(|error| match error.field.0.as_slice() {
        [Step::Key(top), Step::Key(field), ..] if top == "spec" && !needed.contains(&field.as_str()) => {
            spec.remove(field);
            true
        }
        _ => false,
    })
}

fn typed<Spec: DeserializeOwned>(
    into: &mut Vec<(String, Spec)>,
    name: &str,
    spec: Value,
) -> Option<serde_json::Error> {
    match serde_json::from_value(spec) {
        Ok(spec) => {
            into.push((name.to_owned(), spec));
            None
        }
        Err(error) => Some(error),
    }
}
