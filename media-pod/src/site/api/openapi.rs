//! The `OpenAPI` 3.1 description of the resources.

use serde_json::{Value, json};

use super::page::{MOST, USUAL};

/// All of it.
pub(super) fn description() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Millrace media pod",
            "version": "1",
            "description": "What one media pod runs, and who is connected to it. To be read by whoever may read its status.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"basic": []}],
        "paths": {
            "/api/v1/sessions": get("sessions", "Who gets streams", "Sessions", true),
            "/api/v1/cluster": get("cluster", "This media pod, and the streams of the Cluster as it knows them", "Cluster", true),
            "/api/v1/members": get("members", "Other members that it is linked with, or was told of", "Members", false),
            "/api/v1/openapi.json": {"get": {
                "operationId": "description",
                "summary": "This description",
                "responses": {"200": {
                    "description": "OpenAPI 3.1",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                }},
            }},
        },
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": schemas(),
        },
    })
}

fn get(name: &str, summary: &str, schema: &str, paged: bool) -> Value {
    let parameters = json!([
        {
            "name": "limit", "in": "query", "description": "Entries of the answer at most",
            "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
        },
        {
            "name": "after", "in": "query", "description": "The entries after this one: what `next` said",
            "schema": {"type": "string"},
        },
    ]);
    let text =
        |why: &str| json!({"description": why, "content": {"text/plain": {"schema": {"type": "string"}}}});
    json!({"get": {
        "operationId": name,
        "summary": summary,
        "parameters": if paged { parameters } else { json!([]) },
        "responses": {
            "200": {
                "description": summary,
                "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}},
            },
            "400": text("A parameter that cannot be"),
            "401": text("A name and a password are needed, or others"),
            "403": text("Not with any password"),
        },
    }})
}

fn schemas() -> Value {
    json!({
        "Sessions": object(&[
            ("total", integer("How many there are")),
            ("next", maybe("string", "What to ask for next, with `after`; null after the last page")),
            ("sessions", list("Session", "This page, in the order of their ids")),
        ]),
        "Session": object(&[
            ("id", string("Unique in this media pod, never used twice")),
            ("path", string("Path of the stream")),
            ("client", maybe("string", "Address and port of the other end; null where the Cluster does not show viewers")),
            ("role", one_of(&["Client", "Server", "Balancer", "Upstream"], "What the other end is")),
            ("protocol", string("As http/1.1 or millrace")),
            ("state", one_of(&["Streaming", "Waiting"], "Waiting while nothing came yet")),
            ("bytes", integer("Bytes by now")),
            ("packets", maybe("integer", "Packets by now; null where there is no such thing")),
            ("lost", maybe("integer", "Packets that were lost; null where they cannot be counted")),
            ("jitterMs", maybe("number", "How much the way of packets varies, in milliseconds; null where it cannot be known")),
            ("lagBytes", maybe("integer", "How far behind the live edge, in bytes")),
            ("skips", maybe("integer", "How often it was too slow and was moved on")),
            ("started", time("Since when")),
        ]),
        "Cluster": object(&[
            ("name", string("Name of the Cluster")),
            ("pod", string("Name of this media pod, or of its machine")),
            ("role", one_of(&["Server", "Balancer"], "What it is")),
            ("version", string("Of the program")),
            ("revision", string("Of the configuration that runs")),
            ("started", time("Since when it runs")),
            ("draining", json!({"type": "boolean", "description": "Whether it takes nothing new"})),
            ("sessions", integer("Viewers now")),
            ("bitsPerSecond", integer("What is sent to them, in bits per second")),
            ("links", integer("Links to other members now")),
            ("mode", one_of(&["Relay", "Redirect"], "How balancers serve")),
            ("maxConnections", integer("The most connections of one media pod")),
            ("upstreams", list("Upstream", "Clusters that streams are pulled from, in the order in which they are asked")),
            ("loopsRefused", integer("Requests of other Clusters that went round or too far, refused here")),
            ("total", integer("How many streams it knows")),
            ("next", maybe("string", "What to ask for next, with `after`; null after the last page")),
            ("streams", list("Stream", "This page, by path")),
        ]),
        "Upstream": object(&[
            ("name", string("As the Cluster calls it")),
            ("url", string("Where it is")),
            ("state", one_of(&["Linked", "Dialling", "Away"], "Whether there is a link; Dialling: for the first time")),
            ("reason", maybe("string", "Why it is away")),
            ("sessions", integer("Streams that are pulled from it")),
            ("sessionsTotal", integer("Sessions that were begun so far")),
            ("failures", integer("Sessions that could not be begun")),
            ("bytesReceived", integer("Bytes of content that came from it")),
            ("loopsRefused", integer("Requests that it refused because they went round or too far")),
        ]),
        "Stream": object(&[
            ("path", string("Where it is")),
            ("feed", maybe("string", "UID of its feed; null where that is not known")),
            ("owner", maybe("string", "POD-UID_BOOT-ID of who has it; null where that is not known")),
            ("epoch", maybe("integer", "The owner's epoch")),
            ("state", one_of(&["Here", "Live", "Orphaned", "Beyond"], "In this media pod; in another one; nobody has it; pulled from another Cluster")),
        ]),
        "Members": object(&[
            ("total", integer("How many there are")),
            ("members", list("Member", "All of them")),
        ]),
        "Member": object(&[
            ("name", string("POD-UID_BOOT-ID of a server pod; key or pod of a balancer; name of an upstream")),
            ("role", one_of(&["Server", "Balancer", "Upstream"], "What it is; Upstream: of another Cluster")),
            ("address", string("Where it is")),
            ("state", one_of(&["Linked", "Open", "Closed"], "Linked with this media pod; else, as the operator says, open for viewers or not")),
            ("link", json!({"description": "Numbers of the link", "oneOf": [{"$ref": "#/components/schemas/Link"}, {"type": "null"}]})),
        ]),
        "Link": object(&[
            ("id", integer("Unique in this media pod")),
            ("started", time("Since when")),
            ("sessions", integer("Streams that flow")),
            ("silenceMs", integer("How long ago something was heard, in milliseconds")),
            ("rttMs", number("There and back, in milliseconds")),
            ("jitterMs", number("How much that varies, in milliseconds")),
            ("bytesSent", integer("Bytes sent")),
            ("bytesReceived", integer("Bytes received")),
            ("packetsSent", integer("Packets sent")),
            ("packetsReceived", integer("Packets received")),
            ("lost", integer("Packets that did not come")),
            ("replayed", integer("Packets that came twice, and were refused")),
            ("refused", integer("What this end said was wrong")),
        ]),
    })
}

/// All of these, and nothing else.
fn object(properties: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn string(what: &str) -> Value {
    json!({"type": "string", "description": what})
}

fn integer(what: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": what})
}

fn number(what: &str) -> Value {
    json!({"type": "number", "minimum": 0, "description": what})
}

fn time(what: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": what})
}

fn maybe(kind: &str, what: &str) -> Value {
    json!({"type": [kind, "null"], "description": what})
}

fn one_of(words: &[&str], what: &str) -> Value {
    json!({"type": "string", "enum": words, "description": what})
}

fn list(of: &str, what: &str) -> Value {
    json!({"type": "array", "items": {"$ref": format!("#/components/schemas/{of}")}, "description": what})
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::{
        super::{
            RESOURCES,
            model::{Cluster, Link, Member, Members, Session, Sessions, Stream},
        },
        *,
    };

    /// What `value` has that `schema` does not allow. As much of JSON Schema as the description uses.
    fn wrong(all: &Value, schema: &Value, value: &Value, at: &str, to: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
            let found = all.pointer(name).unwrap_or_else(|| panic!("{name} is not there"));
            return wrong(all, found, value, at, to);
        }
        if let Some(any) = schema["oneOf"].as_array() {
            let fits = |schema: &&Value| {
                let mut none = Vec::new();
                wrong(all, schema, value, at, &mut none);
                none.is_empty()
            };
            if any.iter().filter(fits).count() != 1 {
                to.push(format!("{at}: {value} is none of {any:?}"));
            }
            return;
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let is = |said: &Value| said == kind || (said == "number" && kind == "integer");
        let kinds = &schema["type"];
        if !is(kinds) && !kinds.as_array().is_some_and(|any| any.iter().any(is)) {
            to.push(format!("{at}: {value} is no {kinds}"));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            to.push(format!("{at}: {value} is none of {words:?}"));
        }
        for one in value.as_array().into_iter().flatten() {
            wrong(all, &schema["items"], one, at, to);
        }
        let Some(object) = value.as_object() else { return };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                to.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, value) in object {
            match schema["properties"].get(name) {
                Some(schema) => wrong(all, schema, value, &format!("{at}.{name}"), to),
                None => to.push(format!("{at}: {name} is not described")),
            }
        }
    }

    fn fits(schema: &str, value: &impl Serialize) {
        let (all, mut found) = (description(), Vec::new());
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        wrong(&all, &schema, &serde_json::to_value(value).unwrap(), "", &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn what_the_handlers_say_is_what_is_described() {
        let full = Session {
            client: Some("127.0.0.1:5".into()),
            role: "Balancer",
            state: "Streaming",
            packets: Some(1),
            lost: Some(0),
            jitter_ms: Some(0.5),
            lag_bytes: Some(0),
            skips: Some(0),
            ..Session::default()
        };
        let plain = Session { role: "Client", state: "Waiting", ..Session::default() };
        fits("Sessions", &Sessions { total: 2, next: Some("x".into()), sessions: vec![full, plain] });
        let owned = Stream {
            feed: Some("f".into()),
            owner: Some("o".into()),
            epoch: Some(1),
            state: "Live",
            ..Stream::default()
        };
        let streams = vec![owned, Stream { state: "Here", ..Stream::default() }];
        fits("Cluster", &Cluster { role: "Server", mode: "Relay", streams, ..Cluster::default() });
        let member = Member {
            role: "Server",
            state: "Linked",
            link: Some(Link { rtt_ms: 0.25, ..Link::default() }),
            ..Member::default()
        };
        let told = Member { role: "Balancer", state: "Open", link: None, ..Member::default() };
        fits("Members", &Members { total: 2, members: vec![member, told] });
    }

    #[test]
    fn a_difference_is_found() {
        let (all, mut found) = (description(), Vec::new());
        let schema = json!({"$ref": "#/components/schemas/Stream"});
        let value = json!({"path": 1, "feed": null, "owner": null, "state": "Gone", "more": 1});
        wrong(&all, &schema, &value, "", &mut found);
        assert_eq!(found.len(), 4, "{found:?}");
    }

    #[test]
    fn every_resource_is_described_and_nothing_else() {
        let all = description();
        let described: Vec<&String> = all["paths"].as_object().unwrap().keys().collect();
        let mut served: Vec<&str> = RESOURCES.iter().map(|(path, _)| *path).collect();
        served.sort_unstable();
        assert_eq!(described, served);
    }
}
