//! What the operator says of itself: the requests it made. Pure but for the fetch.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Requests to the API server by verb and resource, as `patch pods`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<String, u64>);

impl Requests {
    /// Of the text of `/metrics`.
    pub fn of(text: &str) -> Self {
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("millrace_operator_api_requests_total{") else { continue };
            let Some((labels, count)) = rest.rsplit_once("} ") else { continue };
            let label = |name: &str| {
                let start = format!("{name}=\"");
                let value = labels.split(',').find_map(|one| one.strip_prefix(start.as_str()));
                value.unwrap_or_default().trim_end_matches('"').to_owned()
            };
            let count = count.trim().parse::<f64>().unwrap_or_default() as u64;
            *all.entry(format!("{} {}", label("verb"), label("resource"))).or_default() += count;
        }
        Self(all)
    }

    /// What came since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let less = |(what, n): (&String, &u64)| {
            let more = n.saturating_sub(before.0.get(what).copied().unwrap_or(0));
            (more > 0).then(|| (what.clone(), more))
        };
        Self(self.0.iter().filter_map(less).collect())
    }

    /// Without those of the Lease, by which replicas choose who leads.
    #[must_use]
    pub fn but_leases(&self) -> Self {
        Self(self.only(|what| !what.ends_with(" leases")))
    }

    /// Those that change something.
    #[must_use]
    pub fn writes(&self) -> Self {
        Self(
            self.but_leases().only(|what| !["get ", "list ", "watch "].iter().any(|it| what.starts_with(it))),
        )
    }

    fn only(&self, which: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
        self.0.iter().filter(|(what, _)| which(what)).map(|(what, n)| (what.clone(), *n)).collect()
    }

    /// How many.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// All of them in one line, most first.
    pub fn text(&self) -> String {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        all.iter().map(|(what, n)| format!("{n} {what}")).collect::<Vec<_>>().join(", ")
    }
}

/// What a path of the operator's HTTP server answers: status and body.
pub async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let ask = async {
        let mut socket = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = time::timeout(PATIENCE, ask).await.context("no answer in time")??;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).context("no status")?;
    Ok((status, body.to_owned()))
}

/// The requests that the operator has made.
pub async fn requests(address: SocketAddr) -> Result<Requests> {
    let (status, text) = get(address, "/metrics").await?;
    ensure!(status == 200, "/metrics answers {status}");
    Ok(Requests::of(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_from_metrics_and_told_apart() {
        let text = "# HELP x\n\
            millrace_operator_api_requests_total{code=\"2xx\",resource=\"pods\",verb=\"patch\"} 5\n\
            millrace_operator_api_requests_total{code=\"409\",resource=\"pods\",verb=\"patch\"} 1\n\
            millrace_operator_api_requests_total{code=\"2xx\",resource=\"pods\",verb=\"watch\"} 2\n\
            millrace_operator_api_requests_total{code=\"2xx\",resource=\"leases\",verb=\"update\"} 9\n\
            millrace_operator_leader 1\n";
        let all = Requests::of(text);
        assert_eq!((all.total(), all.but_leases().total(), all.writes().total()), (17, 8, 6));
        assert_eq!(all.but_leases().text(), "6 patch pods, 2 watch pods");
        assert_eq!(all.since(&all).total(), 0);
        assert_eq!(all.since(&Requests::default()), all);
    }
}
