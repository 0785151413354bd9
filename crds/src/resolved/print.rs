use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{FinalSecret, Resolved};
use crate::kinds::API_VERSION;
use crate::resolve::RESTART;
use crate::yaml::emit;

/// The final form as YAML documents, which read back to the same final form: the Cluster, then Feeds, Streams,
/// Rooms and Secrets, each in the order of their names. The Secrets' values are in it.
pub fn to_yaml(resolved: &Resolved) -> String {
    let cluster = &resolved.cluster.name;
    let mut documents = vec![document("Cluster", cluster, &resolved.cluster.to_spec())];
    documents.extend(resolved.feeds.iter().map(|(name, feed)| {
        annotated(document("Feed", name, &feed.to_spec(cluster)), feed.restart.as_deref())
    }));
    documents.extend(
        resolved.streams.iter().map(|(name, it)| {
            annotated(document("Stream", name, &it.to_spec(cluster)), it.restart.as_deref())
        }),
    );
    documents
        .extend(resolved.rooms.iter().map(|(name, room)| document("Room", name, &room.to_spec(cluster))));
    documents.extend(resolved.secrets.values().map(secret));
    written(&documents)
}

/// Secrets as YAML documents, in the order of their names; nothing for none. Their values are in it.
pub fn secrets_to_yaml<'a>(secrets: impl IntoIterator<Item = &'a FinalSecret>) -> String {
    written(&secrets.into_iter().map(secret).collect::<Vec<_>>())
}

fn written(documents: &[Value]) -> String {
    let mut out = String::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            let _ = writeln!(out, "---");
        }
        emit::write(&mut out, document);
    }
    out
}

fn document(kind: &str, name: &str, spec: &impl serde::Serialize) -> Value {
    // Our own specs always become JSON: their map keys are strings.
    let spec = serde_json::to_value(spec).unwrap_or_default();
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn annotated(mut document: Value, restart: Option<&str>) -> Value {
    let metadata = document.get_mut("metadata").and_then(Value::as_object_mut);
    if let (Some(metadata), Some(text)) = (metadata, restart) {
        metadata.insert("annotations".to_owned(), json!({RESTART: text}));
    }
    document
}

fn secret(secret: &FinalSecret) -> Value {
    let mut text = Map::new();
    let mut data = Map::new();
    for (key, value) in &secret.data {
        match std::str::from_utf8(value) {
            Ok(value) => text.insert(key.clone(), value.into()),
            Err(_) => data.insert(key.clone(), STANDARD.encode(value).into()),
        };
    }
    let mut document =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret.name}, "type": secret.kind});
    if let Some(fields) = document.as_object_mut() {
        if !text.is_empty() {
            fields.insert("stringData".to_owned(), text.into());
        }
        if !data.is_empty() {
            fields.insert("data".to_owned(), data.into());
        }
    }
    document
}
