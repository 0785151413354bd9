//! A longer way between pods: their connections go through this process, which holds back whatever comes.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, sleep_until},
};

use crate::{address_of, block_on, name, nodes, on_node};

/// Pieces that are on their way in one direction at most.
const UNDER_WAY: usize = 1024;
/// Ports of nodes that nobody else uses: those of Services and of outgoing connections are higher.
const PORTS: u32 = 21_000;

/// New connections between pods that take longer.
pub struct Distance {
    table: String,
    nodes: Vec<String>,
    relays: Vec<AbortHandle>,
    carried: Arc<AtomicU32>,
}

impl Distance {
    /// Whatever pods say over a new connection to `port` of one of `pods` comes `way` later, and so does what is answered. When
    /// this is dropped, those connections end, and the next ones go straight again. Only on the nodes of `e2e/cluster/up`.
    pub fn to(pods: &[Value], port: u16, way: Duration) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let all: BTreeMap<String, String> =
            nodes().iter().map(|node| (name(node).to_owned(), address_of(node))).collect();
        // Given first, so that what fails half-way is put right, too.
        let mut distance = Self {
            table: format!("distance-{count}"),
            nodes: all.keys().cloned().collect(),
            relays: Vec::new(),
            carried: Arc::default(),
        };
        let here = gateway(&distance.nodes[0]);
        let (mut out, mut back) = (String::new(), BTreeMap::<&str, String>::new());
        for (place, pod) in pods.iter().enumerate() {
            let (node, address) = (&pod["spec"]["nodeName"], &pod["status"]["podIP"]);
            let (node, address) = (node.as_str().unwrap(), address.as_str().unwrap());
            let listener = block_on(TcpListener::bind((here.as_str(), 0)));
            let listener =
                listener.unwrap_or_else(|e| panic!("{here}, by which nodes reach this machine: {e}"));
            let relay = listener.local_addr().unwrap();
            let again = PORTS + 100 * (count % 50) + place as u32;
            let onward = format!("{}:{again}", all[node]);
            let carrying = carry_all(listener, onward, way, distance.carried.clone());
            distance.relays.push(block_on(async { tokio::spawn(carrying).abort_handle() }));
            let _ = write!(out, "iifname != \"eth0\" ip daddr {address} tcp dport {port} dnat to {relay}; ");
            let _ = write!(
                back.entry(node).or_default(),
                "iifname \"eth0\" ip daddr {} tcp dport {again} dnat to {address}:{port}; ",
                all[node]
            );
        }
        for node in &distance.nodes {
            let table = &distance.table;
            let rules = out.clone() + back.get(node.as_str()).map_or("", String::as_str);
            let whole = format!(
                "table ip {table} {{}}; delete table ip {table}; table ip {table} {{ chain pre {{ \
                 type nat hook prerouting priority -110; {rules} }}; }}"
            );
            on_node(node, &["nft", &whole]).ok();
        }
        distance
    }

    /// How many connections it has carried.
    pub fn carried(&self) -> u32 {
        self.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        for node in &self.nodes {
            on_node(node, &["nft", "delete", "table", "ip", &self.table]).run();
        }
        for relay in &self.relays {
            relay.abort();
        }
    }
}

/// The address of this machine for a node.
fn gateway(node: &str) -> String {
    let said = on_node(node, &["ip", "-4", "route", "show", "default"]).ok();
    let mut words = said.split_whitespace().skip_while(|word| *word != "via").skip(1);
    words.next().unwrap_or_else(|| panic!("{node} has no default route: {said}")).to_owned()
}

async fn carry_all(listener: TcpListener, onward: String, way: Duration, carried: Arc<AtomicU32>) {
    let mut all = JoinSet::new();
    loop {
        tokio::select! {
            Ok((near, _)) = listener.accept() => {
                carried.fetch_add(1, Ordering::Relaxed);
                all.spawn(carry(near, onward.clone(), way));
            }
            Some(_) = all.join_next() => {}
        }
    }
}

async fn carry(near: TcpStream, onward: String, way: Duration) -> io::Result<()> {
    sleep(way).await;
    let far = TcpStream::connect(onward).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near, far) = (near.into_split(), far.into_split());
    tokio::join!(late(near.0, far.1, way), late(far.0, near.1, way));
    Ok(())
}

/// One direction, to its end, which comes as late as the rest.
async fn late(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Duration) {
    let (underway, mut arriving) = mpsc::channel(UNDER_WAY);
    let reading = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            if underway.send((Instant::now() + way, buffer[..count].to_vec())).await.is_err() {
                return;
            }
        }
        let _ = underway.send((Instant::now() + way, Vec::new())).await;
    };
    let writing = async move {
        while let Some((at, bytes)) = arriving.recv().await {
            sleep_until(at).await;
            if bytes.is_empty() || to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut from, mut to) = socket.split();
            tokio::io::copy(&mut from, &mut to).await.unwrap();
        });
        address
    }

    #[test]
    fn what_is_said_comes_whole_and_later_in_each_direction() {
        let way = Duration::from_millis(50);
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let relay = listener.local_addr().unwrap();
            tokio::spawn(carry_all(listener, echo().await.to_string(), way, Arc::default()));
            let said: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
            let began = Instant::now();
            let mut socket = TcpStream::connect(relay).await.unwrap();
            socket.write_all(b"?").await.unwrap();
            assert_eq!(socket.read_u8().await.unwrap(), b'?');
            // Once to connect, once there, once back.
            assert!(began.elapsed() >= 3 * way, "{:?}", began.elapsed());
            let (mut from, mut to) = socket.into_split();
            let writing = async {
                to.write_all(&said).await.unwrap();
                to.shutdown().await.unwrap();
            };
            let mut heard = Vec::new();
            let ((), read) = tokio::join!(writing, from.read_to_end(&mut heard));
            read.unwrap();
            assert!(heard == said);
        });
    }
}
