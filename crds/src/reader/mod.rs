//! From a file's text to its objects, each checked, with all that is wrong and where.

mod document;
mod kinds;
mod metadata;
mod schemas;
mod secret;

use crate::{
    diagnostic::Diagnostic,
    resolve::{self, Fault, Objects},
    resolved::Resolved,
    yaml::{
        path::FieldPath,
        tree::{self, Node, Place},
    },
};
use document::Reader;

/// The objects of a file, with the places of their fields.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// The objects.
    pub objects: Objects,
    /// What is doubtful but no error.
    pub warnings: Vec<Diagnostic>,
    file: String,
    places: Vec<Placed>,
}

/// Where an object stands.
#[derive(Clone, Debug)]
struct Placed {
    kind: String,
    name: String,
    node: Node,
}

/// A file in final form, and what is doubtful about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The final form.
    pub resolved: Resolved,
    /// What is doubtful but no error.
    pub warnings: Vec<Diagnostic>,
}

/// All that can be said of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The final form, when there are no errors.
    pub resolved: Option<Resolved>,
    /// What is wrong, in the order of the file.
    pub errors: Vec<Diagnostic>,
    /// What is doubtful but no error, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the objects of a file and checks each by itself.
///
/// # Errors
/// All that is wrong with them.
pub fn read(file_name: &str, text: &str) -> Result<Documents, Vec<Diagnostic>> {
    let (documents, errors) = read_all(file_name, text);
    if errors.is_empty() { Ok(documents) } else { Err(sorted(errors)) }
}

/// Reads a file and makes its final form.
///
/// # Errors
/// All that is wrong with it, each with line, field and what would be right.
pub fn load(file_name: &str, text: &str) -> Result<Resolved, Vec<Diagnostic>> {
    load_with_warnings(file_name, text).map(|loaded| loaded.resolved)
}

/// [`load`], and what is doubtful but no error.
///
/// # Errors
/// All that is wrong with it, each with line, field and what would be right.
pub fn load_with_warnings(file_name: &str, text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let Checked { resolved, errors, warnings } = check(file_name, text);
    resolved.map(|resolved| Loaded { resolved, warnings }).ok_or(errors)
}

/// Everything that can be said of a file: errors and warnings, from within documents and from between them.
pub fn check(file_name: &str, text: &str) -> Checked {
    let (documents, mut errors) = read_all(file_name, text);
    let mut warnings = documents.warnings.clone();
    let resolved = match resolve::resolve(&documents.objects) {
        Ok(resolution) => {
            warnings.extend(resolution.warnings.into_iter().map(|fault| documents.locate(fault)));
            Some(resolution.resolved)
        }
        Err(faults) => {
            errors.extend(faults.into_iter().map(|fault| documents.locate(fault)));
            None
        }
    };
    let resolved = resolved.filter(|_| errors.is_empty());
    Checked { resolved, errors: sorted(errors), warnings: sorted(warnings) }
}

impl Documents {
    /// Gives a fault its place in the file.
    pub fn locate(&self, fault: Fault) -> Diagnostic {
        let mut these =
            self.places.iter().filter(|placed| placed.kind == fault.kind && placed.name == fault.name);
        // Of two objects with one name it is the second that is too many.
        let name = FieldPath::of("metadata.name");
        let placed = if fault.field == name { these.next_back() } else { these.next() };
        let place = placed.map_or(Place { line: 1, column: 1 }, |placed| placed.node.place_of(&fault.field));
        Diagnostic {
            file: self.file.clone(),
            line: place.line,
            column: place.column,
            object: Some(format!("{}/{}", fault.kind, fault.name)),
            field: Some(fault.field.to_string()),
            message: fault.message,
            help: fault.help,
        }
    }
}

fn read_all(file_name: &str, text: &str) -> (Documents, Vec<Diagnostic>) {
    let (nodes, problems) = tree::documents(text);
    let mut reader = Reader::new(file_name);
    reader.problems(problems);
    for node in nodes {
        reader.document(node, false);
    }
    reader.finish()
}

fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|it| (it.line, it.column));
    diagnostics.dedup();
    diagnostics
}
