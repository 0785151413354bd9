//! Those who send, and what.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use millrace_e2e::{Pod, binary, eventually, live, resource, stream, words};
use serde_json::{Value, json};

/// A feed at `/live/door`, watched at `/door.ts`; `more` are fields of its spec, `publish` of its source.
pub fn door(publish: &Value, more: &Value) -> String {
    let publish = millrace_e2e::merged(json!({"path": "/live/door"}), publish);
    let spec = millrace_e2e::merged(json!({"source": {"publish": publish}}), more);
    resource("Feed", "door", &spec) + &stream("door", &json!({"path": "/door.ts", "feeds": ["door"]}))
}

/// A Secret with the name and password that may publish.
pub fn login() -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "ann", "password": "secret"}
    });
    format!("---\n{secret}\n")
}

/// A few seconds of MPEG-TS in `folder`, less than what a viewer may fall behind.
pub fn clip(folder: &Path) -> (PathBuf, Vec<u8>) {
    let file = folder.join("clip.ts");
    let argv = words(
        "-nostdin -hide_banner -loglevel error -f lavfi -i testsrc2=size=160x120:rate=25 -t 4 -c:v libx264 -g 25 -f mpegts",
    );
    let made = Command::new("ffmpeg").args(argv).arg(&file).status().unwrap();
    assert!(made.success());
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.len() > 50_000 && bytes.len() < 500_000, "{}", bytes.len());
    (file, bytes)
}

/// A sender whose output goes to a file. Dropping it kills it.
pub struct Sender {
    child: Child,
    folder: tempfile::TempDir,
}

impl Sender {
    pub fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        // Of a pipeline all have to end.
        let command = command.process_group(0);
        let child = command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Self { child, folder }
    }

    /// Of a shell's pipeline.
    pub fn shell(script: &str) -> Self {
        Self::start(Command::new("bash").args(["-c", &format!("exec 2>&1; set -o pipefail; {script}")]))
    }

    /// A camera that never ends, sent by `curl`, with `more` arguments; what it sends is in the file `sent`.
    pub fn camera(pod: &Pod, colour: &str, more: &str) -> Self {
        let filter = format!("color={colour}:size=160x120:rate=25");
        let argv = live(&filter, 10, "-b:v 400k -minrate 400k -maxrate 400k -bufsize 100k -nal-hrd cbr -an");
        let argv: Vec<&str> =
            argv.iter().map(|word| if word == "{output}" { "-" } else { word.as_str() }).collect();
        let to = pod.url("/live/door");
        Self::shell(&format!("{} | curl -sS -w '%{{http_code}}' {more} -T - {to}", argv.join(" ")))
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        read("out") + &read("err")
    }

    /// Whether it is still there.
    pub fn sends(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end: whether that was good, and what it said.
    pub fn end(&mut self) -> (bool, String) {
        let status = eventually("the sender ends", || self.child.try_wait().unwrap());
        (status.success(), self.said())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).output();
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// `media-pod publish` of what `input` writes.
pub fn linked(pod: &Pod, input: &str, login: &str) -> Sender {
    let to = format!("millrace://{login}{}/live/door", pod.address());
    Sender::shell(&format!("{input} | {} publish {to}", binary().display()))
}

/// A request whose body ends with the connection: what is answered.
pub fn until_end(pod: &Pod, head: &str, body: &[u8]) -> String {
    let mut socket = TcpStream::connect(pod.address()).unwrap();
    socket.write_all(format!("{head}\r\n\r\n").as_bytes()).unwrap();
    let mut writer = socket.try_clone().unwrap();
    let body = body.to_vec();
    let writing = thread::spawn(move || {
        let _ = writer.write_all(&body);
        let _ = writer.shutdown(Shutdown::Write);
    });
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer);
    writing.join().unwrap();
    answer
}
