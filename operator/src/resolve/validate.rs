//! What only the operator can say.

use millrace_crds::{FieldPath, resolve::Fault};

use super::forms::Forms;

/// The media pods' internal port.
pub const INTERNAL: u16 = 9000;

/// Everything that Kubernetes would refuse, or that does not fit into a media pod.
pub fn check(forms: &Forms) -> Vec<Fault> {
    let mut found = Vec::new();
    if let Some(cluster) = &forms.cluster.form {
        let mut wrong =
            |field: &str, message: String, help: &str| found.push(fault("Cluster", "", field, message, help));
        let listeners = &cluster.listeners;
        for (name, port) in [
            ("http", listeners.http.as_ref().map(|it| it.port)),
            ("https", listeners.https.as_ref().map(|it| it.port)),
            ("rtmp", listeners.rtmp.as_ref().map(|it| it.port)),
            ("rtmps", listeners.rtmps.as_ref().map(|it| it.port)),
            ("rtsp", listeners.rtsp.as_ref().map(|it| it.port)),
        ] {
            if port == Some(INTERNAL) {
                let message = format!("the port {INTERNAL} is what media pods reach each other by");
                wrong(&format!("spec.listeners.{name}.port"), message, "another port");
            }
        }
        let servers = &cluster.servers;
        for (name, image) in [("image", &servers.image), ("transcoderImage", &servers.transcoder_image)] {
            if let Some(message) = image.as_deref().and_then(image_fault) {
                wrong(&format!("spec.servers.{name}"), message, "such as registry.example/ffmpeg:8");
            }
        }
    }
    for (name, one) in &forms.feeds {
        if let Some(message) = one.spec.image.as_deref().and_then(image_fault) {
            found.push(fault("Feed", name, "spec.image", message, "such as registry.example/ffmpeg:8"));
        }
        if let Some(file) = one.spec.source.file.as_ref().filter(|file| file.volume.is_some())
            && let Some(message) = directory_fault(&file.path)
        {
            found.push(fault("Feed", name, "spec.source.file.path", message, "such as /media/door.ts"));
        }
    }
    for (name, one) in &forms.streams {
        if let Some(message) = one.spec.image.as_deref().and_then(image_fault) {
            found.push(fault("Stream", name, "spec.image", message, "such as registry.example/ffmpeg:8"));
        }
    }
    found
}

fn fault(kind: &'static str, name: &str, field: &str, message: String, help: &str) -> Fault {
    Fault { kind, name: name.to_owned(), field: FieldPath::of(field), message, help: Some(help.to_owned()) }
}

fn image_fault(image: &str) -> Option<String> {
    let wrong = image.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    wrong.then(|| "an image's name holds no spaces".to_owned())
}

/// A volume is mounted at the file's directory, where nothing of ours may be.
fn directory_fault(path: &str) -> Option<String> {
    let directory = directory(path);
    let ours = ["/millrace", "/etc", "/usr", "/proc", "/sys", "/dev"];
    let hit = directory.is_empty()
        || ours.iter().any(|it| {
            directory == *it || directory.strip_prefix(it).is_some_and(|rest| rest.starts_with('/'))
        })
        || directory.contains([':', '\0'])
        || directory.split('/').any(|part| part == "..");
    hit.then(|| format!("no volume can be mounted at {}", if directory.is_empty() { "/" } else { directory }))
}

/// The directory of a file, without a `/` at its end; empty for the root.
pub fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory).trim_end_matches('/')
}
