//! The rules between fields: for each its CEL text, which goes into the CRD for the API server, and the same
//! in Rust, which runs without one. `tests/rules.rs` runs both over one table and wants one verdict.

use kube::core::Rule;
use serde_json::{Value, json};

use crate::shared::RESERVED_ENDS;

/// One rule, in both forms.
#[derive(Clone, Copy, Debug)]
pub struct CelRule {
    /// The rule in CEL; `self` is the value whose schema holds the rule.
    pub cel: &'static str,
    /// What is said when the rule does not hold: what would be right.
    pub message: &'static str,
    /// The field below `self` that is to blame: `metadata.name`. Empty: `self` as a whole.
    pub blames: &'static str,
    /// The rule in Rust. `None`: it compares with the object's former state, which only the API server has.
    pub holds: Option<fn(&Value) -> bool>,
}

impl CelRule {
    /// The rule as an entry of `x-kubernetes-validations`.
    pub fn to_json(self) -> Value {
        json!({"rule": self.cel, "message": self.message})
    }
}

impl From<CelRule> for Rule {
    fn from(rule: CelRule) -> Self {
        Self::new(rule.cel).message(rule.message)
    }
}

macro_rules! rules {
    ($($name:ident($blames:literal): $cel:expr, $message:expr, $holds:expr;)*) => {
        $(pub(crate) const $name: CelRule = CelRule { cel: $cel, message: $message, blames: $blames, holds: $holds };)*
        /// Every rule there is.
        pub const ALL: &[CelRule] = &[$($name),*];
    };
}

rules! {
    NAME("metadata.name"): "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",
        "metadata.name must be 1 to 40 lower-case letters, digits and -, beginning with a letter and not ending in -",
        Some(|it| is_object_name(text(it.get("metadata"), "name")));
    CLUSTER_REF(""): "self == oldSelf",
        "clusterRef cannot be changed: delete the object and create it anew on the other Cluster", None;
    ONE_SOURCE(""): "[has(self.command), has(self.template), has(self.file), has(self.pull), has(self.publish)].filter(x, x).size() == 1",
        "exactly one of command, template, file, pull and publish must be given",
        Some(|it| count(it, &["command", "template", "file", "pull", "publish"]) == 1);
    NOT_ITS_OWN_FALLBACK("spec.fallback"): "!has(self.spec.fallback) || self.spec.fallback.all(f, f != self.metadata.name)",
        "spec.fallback must not name the Feed itself", Some(not_its_own_fallback);
    PULL_URL(""): "has(self.url) != has(self.urlFrom)",
        "exactly one of url and urlFrom must be given", Some(|it| count(it, &["url", "urlFrom"]) == 1);
    FILE_PATH(""): "self.startsWith('/') || !self.matches('(^|/)[.][.](/|$)')",
        "a path below the media folder must not hold the part ..",
        Some(|it| stays_below(it.as_str().unwrap_or_default()));
    FILE_VOLUME("path"): "!has(self.volume) || self.path.startsWith('/')",
        "with a volume the path must begin with /: the volume is mounted at its directory",
        Some(|it| count(it, &["volume"]) == 0 || text(Some(it), "path").starts_with('/'));
    NO_PASSWORD(""): "!self.matches('^[a-z+]+://[^/?#]*@')",
        "a URL must not hold user:password@: put them into a Secret and name it in credentials.secretRef",
        Some(|it| !has_userinfo(it.as_str().unwrap_or_default()));
    ONE_COMMAND(""): "!(has(self.command) && has(self.template))",
        "at most one of command and template may be given", Some(|it| count(it, &["command", "template"]) <= 1);
    TEMPLATE_COMMAND(""): "has(self.command) != has(self.template)",
        "exactly one of command and template must be given", Some(|it| count(it, &["command", "template"]) == 1);
    ONE_SET(""): "!(has(self.each) && has(self.eachOf))",
        "at most one of each and eachOf may be given", Some(|it| count(it, &["each", "eachOf"]) <= 1);
    MUX("feeds"): "!has(self.feeds) || size(self.feeds) < 2 || has(self.command) || has(self.template)",
        "two or more feeds need a command (or template) to mux them, which reads each as {feed:NAME}",
        Some(|it| size(it, "feeds") < 2 || count(it, &["command", "template"]) > 0);
    SOMETHING(""): "(has(self.feeds) && size(self.feeds) > 0) || has(self.command) || has(self.template)",
        "a Stream needs feeds, a command or a template: it has nothing to serve",
        Some(|it| size(it, "feeds") > 0 || count(it, &["command", "template"]) > 0);
    GOP_CACHE(""): "has(self.bytes) != has(self.frames)",
        "exactly one of bytes and frames must be given", Some(|it| count(it, &["bytes", "frames"]) == 1);
    PATH_END(""): "!self.matches('/(pic|index[.]m3u8|manifest[.]mpd|whep|whip)$')",
        "a path must not end in pic, index.m3u8, manifest.mpd, whep or whip: those are served below every stream",
        Some(|it| !RESERVED_ENDS.contains(&it.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default()));
    PATH_DOTS(""): "!self.matches('/[.]{1,2}(/|$)')",
        "a path must not hold the parts . and ..: clients resolve them before they ask",
        Some(|it| !it.as_str().unwrap_or_default().split('/').any(|part| part == "." || part == ".."));
    ENV_VALUE(""): "!(has(self.value) && has(self.valueFrom))",
        "at most one of value and valueFrom may be given", Some(|it| count(it, &["value", "valueFrom"]) <= 1);
    ONE_VOLUME(""): "[has(self.persistentVolumeClaim), has(self.hostPath), has(self.nfs), has(self.emptyDir)].filter(x, x).size() == 1",
        "exactly one of persistentVolumeClaim, hostPath, nfs and emptyDir must be given",
        Some(|it| count(it, &["persistentVolumeClaim", "hostPath", "nfs", "emptyDir"]) == 1);
    GRANT(""): "(has(self.anyone) && self.anyone) != (has(self.basic) || has(self.token) || has(self.certificate))",
        "either anyone: true or at least one of basic, token and certificate must be given",
        Some(|it| flag(it, "anyone") != (count(it, &["basic", "token", "certificate"]) > 0));
    STORAGE(""): "has(self.s3) != has(self.path)",
        "exactly one of s3 and path must be given", Some(|it| count(it, &["s3", "path"]) == 1);
    VOLUME_PATH(""): "!has(self.volume) || has(self.path)",
        "volume needs path: where it is mounted", Some(|it| count(it, &["volume"]) == 0 || count(it, &["path"]) == 1);
    TLS(""): "!(has(self.listeners.https) || has(self.listeners.rtmps)) || has(self.tls)",
        "listeners.https and listeners.rtmps need tls.secretName: a Secret of type kubernetes.io/tls", Some(tls);
    HTTP_PORTS(""): "!has(self.http) || !has(self.https) || self.http.port != self.https.port",
        "http and https need ports of their own", Some(http_ports);
    STATUS_PATHS(""): "self.statusPage.path != self.statusApi.path",
        "statusPage.path and statusApi.path must differ",
        Some(|it| text(it.get("statusPage"), "path") != text(it.get("statusApi"), "path"));
    AUTOSCALE(""): "self.min <= self.max",
        "min must not be greater than max", Some(|it| number(it, "min") <= number(it, "max"));
}

/// Whether an object of ours may have this name: `^[a-z]([-a-z0-9]*[a-z0-9])?$`, at most 40 bytes.
pub fn is_object_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= 40
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last() != Some(&b'-')
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

fn count(it: &Value, fields: &[&str]) -> usize {
    fields.iter().filter(|field| it.get(**field).is_some()).count()
}

fn text<'a>(it: Option<&'a Value>, field: &str) -> &'a str {
    it.and_then(|it| it.get(field)).and_then(Value::as_str).unwrap_or_default()
}

fn flag(it: &Value, field: &str) -> bool {
    it.get(field).and_then(Value::as_bool).unwrap_or_default()
}

fn number(it: &Value, field: &str) -> i64 {
    it.get(field).and_then(Value::as_i64).unwrap_or_default()
}

fn size(it: &Value, field: &str) -> usize {
    it.get(field).and_then(Value::as_array).map_or(0, Vec::len)
}

fn not_its_own_fallback(it: &Value) -> bool {
    let name = text(it.get("metadata"), "name");
    let fallback = it.get("spec").and_then(|spec| spec.get("fallback")).and_then(Value::as_array);
    fallback.is_none_or(|feeds| feeds.iter().all(|feed| feed.as_str() != Some(name)))
}

fn stays_below(path: &str) -> bool {
    path.starts_with('/') || path.split('/').all(|part| part != "..")
}

fn has_userinfo(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'+')
        && host.contains('@')
}

fn tls(it: &Value) -> bool {
    let encrypted = it.get("listeners").is_some_and(|listeners| count(listeners, &["https", "rtmps"]) > 0);
    !encrypted || it.get("tls").is_some()
}

fn http_ports(it: &Value) -> bool {
    match (it.get("http"), it.get("https")) {
        (Some(http), Some(https)) => http.get("port") != https.get("port"),
        _ => true,
    }
}
