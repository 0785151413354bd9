//! Native clients: `media-pod play`, `media-pod publish`, and what anybody may ask over a link. See docs/link.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use millrace_e2e::{PATTERN, Pod, binary, decode, eventually, feed, live, resource, stream};
use millrace_link::{
    Code, Role,
    avrs::{ClusterMessage, ClusterOp, Return},
    client::{Address, Options, Player, connect},
    wire::ChannelType,
};
use serde_json::json;

/// A client whose output goes to a file. Dropping it kills it.
struct Client {
    child: Child,
    directory: tempfile::TempDir,
}

impl Client {
    fn play(address: &str, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(directory.path().join(name)).unwrap();
        let child = Command::new(binary())
            .args(["play", address])
            .args(more)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    fn out(&self) -> std::path::PathBuf {
        self.directory.path().join("out")
    }

    fn has(&self, bytes: u64) {
        eventually(&format!("{bytes} bytes were played; it says {:?}", self.said()), || {
            (fs::metadata(self.out()).unwrap().len() >= bytes).then_some(())
        });
    }

    fn said(&self) -> String {
        fs::read_to_string(self.directory.path().join("err")).unwrap()
    }

    /// Its end: exit code, and what it said.
    fn ended(&mut self) -> (i32, String) {
        let status = eventually("the client ends", || self.child.try_wait().unwrap());
        (status.code().unwrap(), self.said())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn pattern() -> String {
    feed("pattern", &live(PATTERN, 10, ""))
        + &stream("x", &json!({"path": "/cams/x.ts", "feeds": ["pattern"]}))
}

fn decodes(file: &Path) {
    let said = decode(file, 20);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}

#[test]
fn a_stream_is_played_over_tcp_and_over_a_websocket_and_decodes_from_its_first_picture_on() {
    let pod = Pod::start(&pattern());
    for scheme in ["millrace", "millrace+ws"] {
        let client = Client::play(&format!("{scheme}://{}/cams/%78.ts", pod.address()), &[]);
        client.has(200_000);
        decodes(&client.out());
        assert_eq!(client.said(), "");
    }
    pod.logged("protocol=millrace");
}

#[test]
fn a_stream_is_played_over_tls_whose_certificate_is_believed_and_not_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| directory.path().join(name));
    let made = Command::new("openssl")
        .args(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x -addext"
                .split(' '),
        )
        .args([
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&chain)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let indented = |file| fs::read_to_string(file).unwrap().replace('\n', "\n    ");
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: tls}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n    {}\n  tls.key: |\n    {}\n",
        indented(&chain),
        indented(&key)
    );
    let yaml = secret + &resource("Cluster", "default", &json!({"tls": {"secretName": "tls"}})) + &pattern();
    let pod = Pod::start_with(&yaml, &["--https", "127.0.0.1:0"]).unwrap();
    let https = pod.logged("listening https=");
    let port = https.rsplit(':').next().unwrap().trim().to_owned();
    for scheme in ["millraces", "millrace+wss"] {
        let address = format!("{scheme}://127.0.0.1:{port}/cams/%78.ts");
        let client = Client::play(&address, &["--ca", chain.to_str().unwrap()]);
        client.has(100_000);
        let (code, said) = Client::play(&address, &[]).ended();
        assert!(code != 0 && said.contains("certificate"), "{said}");
    }
}

#[test]
fn a_password_is_taken_from_the_address_and_what_is_wrong_is_said() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: few}\nstringData: {username: ann, password: 's3:cr@t'}\n";
    let access = json!({"access": {"play": {"basic": {"secretRef": {"name": "few"}}}}});
    let pod = Pod::start(&(secret.to_owned() + &resource("Cluster", "default", &access) + &pattern()));
    let client = Client::play(&format!("millrace://ann:s3%3Acr%40t@{}/cams/%78.ts", pod.address()), &[]);
    client.has(10_000);
    for wrong in ["", "ann:guess@", "bob:s3%3Acr%40t@"] {
        let address = format!("millrace://{wrong}{}/cams/%78.ts", pod.address());
        let (code, said) = Client::play(&address, &["--reconnect"]).ended();
        assert!(code != 0 && said.contains("a name and a password are needed"), "{said}");
        assert!(!said.contains("guess"), "{said}");
    }
}

#[test]
fn what_cannot_be_had_is_said_and_ends() {
    let pod = Pod::start(&pattern());
    let (code, said) = Client::play(&format!("millrace://{}/nothing.ts", pod.address()), &[]).ended();
    assert!(code != 0 && said.matches("no stream at /nothing.ts").count() == 1, "{said}");
    let published = Command::new(binary())
        .args(["publish", &format!("millrace://{}/live", pod.address())])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&published.stderr).into_owned();
    assert!(
        !published.status.success() && said.contains("nobody takes what is published at /live"),
        "{said}"
    );
    let (code, said) = Client::play("http://127.0.0.1/x", &[]).ended();
    assert!(code != 0 && said.contains("millrace://HOST/PATH"), "{said}");
    assert_eq!(pod.status("/nothing.ts"), 404, "HTTP is served as ever");
}

#[test]
fn a_player_ends_when_nobody_reads_it_any_more() {
    let pod = Pod::start(&pattern());
    let script = format!(
        "{} play millrace://{}/cams/%78.ts | head -c 50000 | wc -c; echo ${{PIPESTATUS[0]}}",
        binary().display(),
        pod.address()
    );
    let out = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "50000\n0\n",
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    eventually("nobody watches", || (pod.entry("streams", "x")["viewers"] == 0).then_some(()));
}

#[test]
fn only_with_reconnect_does_a_player_survive_its_server() {
    let pod = Pod::start(&pattern());
    let address = format!("millrace://{}/cams/%78.ts", pod.address());
    let (mut ends, stays) = (Client::play(&address, &[]), Client::play(&address, &["--reconnect"]));
    ends.has(20_000);
    stays.has(20_000);
    let listen = pod.address().to_owned();
    let file = fs::read(pod.file()).unwrap();
    drop(pod);
    let (code, said) = ends.ended();
    assert!(code != 0 && said.contains("ended the connection"), "{said}");
    let directory = tempfile::tempdir().unwrap();
    let yaml = directory.path().join("again.yaml");
    fs::write(&yaml, file).unwrap();
    let before = fs::metadata(stays.out()).unwrap().len();
    let _again = Pod::start_on_with(&yaml, &["--http", &listen]).unwrap();
    stays.has(before + 50_000);
}

#[test]
fn whoever_plays_over_a_link_is_among_the_sessions_as_long_as_it_plays() {
    let pod =
        Pod::start(&(pattern() + &resource("Cluster", "default", &json!({"statusPage": {"clients": true}}))));
    let sessions = || -> serde_json::Value {
        serde_json::from_slice(&pod.curl("/api/v1/sessions", &[]).stdout).unwrap()
    };
    let address = format!("millrace://{}/cams/%78.ts", pod.address());
    let (one, two) = (Client::play(&address, &[]), Client::play(&address, &[]));
    one.has(50_000);
    two.has(50_000);
    let said = sessions();
    assert_eq!(said["total"], 2, "{said:#}");
    for session in said["sessions"].as_array().unwrap() {
        assert_eq!(
            (&session["path"], &session["role"], &session["protocol"], &session["state"]),
            (&json!("/cams/x.ts"), &json!("Client"), &json!("millrace"), &json!("Streaming")),
            "{session:#}"
        );
        assert!(
            session["bytes"].as_u64() >= Some(50_000) && session["packets"].as_u64() > Some(0),
            "{session:#}"
        );
        assert!(session["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{session:#}");
        assert!(
            session["skips"] == 0 && session["lost"].is_null() && session["jitterMs"].is_null(),
            "{session:#}"
        );
        assert!(session["id"].as_str().unwrap().starts_with("guest-"), "{session:#}");
    }
    drop(one);
    eventually("one is left", || (sessions()["total"] == 1).then_some(()));
    drop(two);
    eventually("nobody is left", || (sessions()["total"] == 0).then_some(()));
}

#[test]
fn a_client_that_sends_a_cluster_command_gets_the_code_and_plays_on() {
    let pod = Pod::start(&pattern());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address: Address = format!("millrace://{}/cams/%78.ts", pod.address()).parse().unwrap();
        let mut player = Player::open(&address, &Options::default()).await.unwrap();
        player.next().await.unwrap().unwrap();
        let link = connect(&address, &Options::default()).await.unwrap();
        assert!(link.peer().unwrap().role.has(Role::SERVER));
        let returns = link.open_channel(ChannelType::RETCODE).await.unwrap();
        let cluster = link.open_channel(ChannelType::CLUSTER).await.unwrap();
        cluster.send(ClusterMessage::ListMembers.encode(1)).await.unwrap();
        cluster.send(ClusterMessage::Drain.encode(2)).await.unwrap();
        let mut unknown = ClusterMessage::Drain.encode(3).to_vec();
        unknown[0] = 99;
        cluster.send(unknown.into()).await.unwrap();
        let expected = [
            (ClusterOp::ListMembers as u8, Code::MEMBER_SECURITY_ISSUE),
            (ClusterOp::Drain as u8, Code::MEMBER_SECURITY_ISSUE),
            (99, Code::CLUSTER_WRONG_REQUEST),
        ];
        for (number, (op, code)) in (1..).zip(expected) {
            let returned = Return::decode(&returns.recv().await.unwrap()).unwrap();
            assert_eq!((returned.op, returned.code, returned.request), (op, code, number));
        }
        assert_eq!(link.close_reason(), None, "it is no hang-up");
        player.next().await.unwrap().unwrap();
    });
}
