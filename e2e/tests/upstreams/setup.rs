//! Clusters that name each other.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use millrace_e2e::{Pod, resource};
use serde_json::{Value, json};

use crate::support::{Cluster, camera, curl, ts};

/// A Cluster that names these upstreams.
pub fn naming(name: &str, upstreams: &[(&str, &str)]) -> String {
    resource("Cluster", name, &json!({"upstreams": list(upstreams)}))
}

pub fn list(upstreams: &[(&str, &str)]) -> Vec<Value> {
    upstreams.iter().map(|(name, url)| json!({"name": name, "url": url})).collect()
}

/// Where a pod is for native clients.
pub fn at(pod: &Pod) -> String {
    format!("millrace://{}", pod.address())
}

/// A media pod by itself, with the camera `a` at `/a.ts`.
pub fn origin() -> Pod {
    Pod::start(&(camera("a", "OnDemand") + &ts("a")))
}

/// A balancer of a Cluster of its own.
pub fn edge(cluster: &Cluster, yaml: &str) -> Pod {
    cluster.balancer("edge", yaml, &[])
}

/// As `edge`, at this port.
pub fn edge_at(cluster: &Cluster, yaml: &str, port: u16) -> Pod {
    cluster.balancer("edge", yaml, &["--http", &format!("127.0.0.1:{port}")])
}

/// Ports that nobody had a moment ago.
pub fn ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

pub fn port(port: u16) -> String {
    format!("millrace://127.0.0.1:{port}")
}

/// Status and body of a request.
pub fn said(pod: &Pod, path: &str) -> (u16, String) {
    let all = String::from_utf8_lossy(&curl(&pod.url(path), &["-i"]).stdout).into_owned();
    let status = all.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, all)
}

/// What `/api/v1/cluster` says of an upstream.
pub fn upstream(pod: &Pod, name: &str) -> Value {
    let all: Value = serde_json::from_slice(&pod.curl("/api/v1/cluster", &[]).stdout).unwrap();
    let list = all["upstreams"].as_array().unwrap();
    list.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{all:#}")).clone()
}

/// Streams that are pulled from an upstream now.
pub fn pulls(pod: &Pod, name: &str) -> i64 {
    pod.metric(&format!("millrace_upstream_sessions{{upstream=\"{name}\"}}"))
}

/// Passes connections on, and can cut them.
pub struct Relay {
    pub port: u16,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    pub fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sockets = Arc::<Mutex<Vec<TcpStream>>>::default();
        let (all, to) = (sockets.clone(), address.to_owned());
        thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                let Ok(on) = TcpStream::connect(&to) else { continue };
                for (mut a, mut b) in [
                    (from.try_clone().unwrap(), on.try_clone().unwrap()),
                    (on.try_clone().unwrap(), from.try_clone().unwrap()),
                ] {
                    thread::spawn(move || {
                        let _ = io::copy(&mut a, &mut b);
                        let _ = b.shutdown(Shutdown::Both);
                    });
                }
                all.lock().unwrap().extend([from, on]);
            }
        });
        Self { port, sockets }
    }

    /// Ends all that there are; new ones are passed on.
    pub fn cut(&self) {
        for socket in self.sockets.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
