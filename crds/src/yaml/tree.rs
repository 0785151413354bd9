//! A file's documents as trees whose every value knows its place. Bounded in every direction.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::{Map, Value};

use super::{
    path::{FieldPath, Step},
    scalar,
};

/// The most bytes of a file: 16 MiB.
pub const MAX_BYTES: usize = 16 << 20;
/// The most levels of lists and mappings in each other.
pub const MAX_DEPTH: usize = 64;
/// The most values of a file, counting what aliases repeat.
pub const MAX_NODES: usize = 500_000;
/// The most keys of one mapping.
pub const MAX_KEYS: usize = 1024;

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// Something wrong at a place.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar {
        value: Value,
        /// As it stands in the file.
        text: String,
        /// Set when it is plain and other YAML readers than kubectl take it otherwise.
        trap: Option<&'static str>,
        /// Whether it stands without quotes.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) name: String,
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { value: Value::Null, .. })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { value: Value::String(text), .. } => Some(text),
            _ => None,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar { value, .. } => value.clone(),
            Content::List(items) => items.iter().map(Self::to_value).collect(),
            Content::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.name.clone(), node.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The place of a field, or of the nearest thing above it that stands in the file.
    pub(crate) fn place_of(&self, path: &FieldPath) -> Place {
        let mut node = self;
        let mut place = self.place;
        for step in &path.0 {
            let below = match (&node.content, step) {
                (Content::Map(entries), Step::Key(name)) => {
                    entries.iter().find(|(key, _)| key.name == *name).map(|(key, below)| (key.place, below))
                }
                (Content::List(items), Step::Index(index)) => {
                    items.get(*index).map(|below| (below.place, below))
                }
                _ => None,
            };
            match below {
                // What a merge (`<<`) brought has no key of its own here.
                Some((at, below)) => (place, node) = (if at.line == 0 { below.place } else { at }, below),
                None => break,
            }
        }
        place
    }

    fn size(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { .. } => 0,
            Content::List(items) => items.iter().map(Self::size).sum(),
            Content::Map(entries) => entries.iter().map(|(_, node)| 1 + node.size()).sum(),
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { .. } => 0,
            Content::List(items) => items.iter().map(Self::depth).max().unwrap_or_default(),
            Content::Map(entries) => entries.iter().map(|(_, node)| node.depth()).max().unwrap_or_default(),
        }
    }
}

/// The documents of a text, and what is wrong with it as YAML. A broken document is left out, the others are there.
pub(crate) fn documents(text: &str) -> (Vec<Node>, Vec<Problem>) {
    if text.len() > MAX_BYTES {
        let message = format!("the file is {} bytes long", text.len());
        let help = Some(format!("at most {} MiB", MAX_BYTES >> 20));
        return (Vec::new(), vec![Problem { place: Place { line: 1, column: 1 }, message, help }]);
    }
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    options.disallow_directives = false;
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        nodes: 0,
        problems: Vec::new(),
    };
    let mut documents = Vec::new();
    while reader.next_document(&mut documents) {}
    (documents, reader.problems)
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

/// A list or mapping that is being read.
struct Open {
    node: Node,
    anchor: usize,
    /// Of a mapping: the key whose value comes next.
    key: Option<Key>,
}

impl Reader<'_> {
    /// Reads on to the end of a document; false: the file is at its end, or beyond reading.
    fn next_document(&mut self, documents: &mut Vec<Node>) -> bool {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        loop {
            let (event, span) = match self.parser.next_event() {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    self.problems.push(problem(&error));
                    return self.problems.len() < 1000
                        && matches!(self.parser.proceed_next_document(), Ok(true));
                }
                None => return false,
            };
            let place = Place::from(&span.start);
            let step = match event {
                Event::StreamEnd => return false,
                Event::DocumentEnd => {
                    self.anchors.clear();
                    documents.extend(root.filter(|node: &Node| !node.is_null()));
                    return true;
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let node = self.scalar(place, text.into_owned(), style, tag.as_deref());
                    self.finish(node, anchor, &mut open, &mut root)
                }
                Event::Alias(id) => match self.anchors.get(&id).cloned() {
                    Some(node) if node.depth() + open.len() <= MAX_DEPTH => {
                        self.nodes += node.size();
                        self.finish(node, 0, &mut open, &mut root)
                    }
                    Some(_) => Err("an alias makes the document too deep".to_owned()),
                    None => Err("an alias stands inside of what it repeats".to_owned()),
                },
                Event::SequenceStart(_, anchor, tag) => {
                    self.tag(place, tag.as_deref());
                    let node = Node { place, content: Content::List(Vec::new()) };
                    push(&mut open, Open { node, anchor, key: None })
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.tag(place, tag.as_deref());
                    let node = Node { place, content: Content::Map(Vec::new()) };
                    push(&mut open, Open { node, anchor, key: None })
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(Open { node, anchor, .. }) => self.finish(node, anchor, &mut open, &mut root),
                    None => Ok(()),
                },
                _ => Ok(()),
            };
            if let Err(message) = step {
                self.problems.push(Problem { place, message, help: None });
                self.anchors.clear();
                return self.nodes <= MAX_NODES && matches!(self.parser.proceed_next_document(), Ok(true));
            }
        }
    }

    /// Puts a finished value where it belongs.
    fn finish(
        &mut self,
        node: Node,
        anchor: usize,
        open: &mut [Open],
        root: &mut Option<Node>,
    ) -> Result<(), String> {
        // Each value once, where it ends; an alias brings all that it repeats.
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(format!("the file has more than {MAX_NODES} values, counting what aliases repeat"));
        }
        if anchor != 0 {
            self.nodes += node.size();
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = open.last_mut() else {
            *root = Some(node);
            return Ok(());
        };
        match (&mut parent.node.content, parent.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some(_)) if entries.len() >= MAX_KEYS => {
                return Err(format!("a mapping has more than {MAX_KEYS} keys"));
            }
            (Content::Map(entries), Some(key)) if key.name == "<<" => merge(entries, node),
            (Content::Map(entries), Some(key)) => {
                if let Some(old) = entries.iter_mut().find(|(old, _)| old.name == key.name) {
                    if old.0.place.line != 0 {
                        let message = format!(
                            "the key {} is there twice, first in line {}",
                            key.name, old.0.place.line
                        );
                        self.problems.push(Problem {
                            place: key.place,
                            message,
                            help: Some("kubectl takes the last one: remove one".to_owned()),
                        });
                    }
                    *old = (key, node);
                } else {
                    entries.push((key, node));
                }
            }
            (Content::Map(_), None) => parent.key = Some(self.key(node)?),
            (Content::Scalar { .. }, _) => {}
        }
        Ok(())
    }

    fn key(&mut self, node: Node) -> Result<Key, String> {
        let Content::Scalar { value, text, trap, .. } = node.content else {
            return Err("a key is a list or a mapping".to_owned());
        };
        if let Some(what) = trap {
            self.problems.push(Problem {
                place: node.place,
                message: format!("the key {text} without quotes is {what} to kubectl"),
                help: Some(format!("write \"{text}\"")),
            });
        }
        let name = match value {
            Value::String(name) => name,
            other => other.to_string(),
        };
        Ok(Key { place: node.place, name })
    }

    fn scalar(&mut self, place: Place, text: String, style: ScalarStyle, tag: Option<&Tag>) -> Node {
        let string = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
        self.tag(place, tag);
        if style != ScalarStyle::Plain || string {
            let content =
                Content::Scalar { value: Value::String(text.clone()), text, trap: None, plain: false };
            return Node { place, content };
        }
        let scalar::Plain { value, trap } = scalar::plain(&text);
        Node { place, content: Content::Scalar { value, text, trap, plain: true } }
    }

    fn tag(&mut self, place: Place, tag: Option<&Tag>) {
        let known = ["str", "int", "bool", "float", "null", "map", "seq"];
        if let Some(tag) = tag
            && !tag.core_suffix().is_some_and(|suffix| known.contains(&suffix))
        {
            let message = format!("the tag {} is not known", tag.original());
            self.problems.push(Problem { place, message, help: Some("leave it out".to_owned()) });
        }
    }
}

fn push(open: &mut Vec<Open>, entry: Open) -> Result<(), String> {
    if open.len() >= MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} levels of lists and mappings"));
    }
    open.push(entry);
    Ok(())
}

/// `<<: *other` adds the keys that are not there. What was merged is marked by line 0: a key in its own right wins.
fn merge(entries: &mut Vec<(Key, Node)>, node: Node) {
    match node.content {
        Content::Map(others) => {
            for (key, value) in others {
                if entries.len() < MAX_KEYS && !entries.iter().any(|(old, _)| old.name == key.name) {
                    entries.push((Key { place: Place { line: 0, column: key.place.column }, ..key }, value));
                }
            }
        }
        Content::List(items) => items.into_iter().for_each(|item| merge(entries, item)),
        Content::Scalar { .. } => {}
    }
}

fn problem(error: &ScanError) -> Problem {
    let (message, help) = match error.kind() {
        ErrorKind::BlockEntryInFlowCollection | ErrorKind::PlainScalarStartsWithDashFlowIndicator => (
            "a bare - in a [list], on which YAML readers do not agree".to_owned(),
            Some("write \"-\"".to_owned()),
        ),
        kind => (format!("not YAML: {kind}"), None),
    };
    Problem { place: error.marker().into(), message, help }
}
