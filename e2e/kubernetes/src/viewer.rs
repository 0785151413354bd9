//! Viewers outside of the cluster.

use std::{
    io::Write,
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use millrace_e2e::{Said, Watcher, run};

use crate::wait;

/// Host, port and path of a Stream, as its status says them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host and port.
    pub host: String,
    /// The path.
    pub path: String,
}

impl Address {
    /// Of an HTTP URL.
    pub fn of(url: &str) -> Self {
        let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url} is no HTTP URL"));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        Self { host, path: format!("/{path}") }
    }

    /// The same host, another path.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self { host: self.host.clone(), path: path.into() }
    }

    /// As a URL.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.host, self.path)
    }

    /// A viewer who reads whatever it is answered; nothing where it cannot connect.
    pub fn connect(&self) -> Option<Watcher> {
        let host = self.host.to_socket_addrs().ok()?.next()?;
        let mut socket = TcpStream::connect_timeout(&host, Duration::from_secs(2)).ok()?;
        write!(socket, "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", self.path, self.host).ok()?;
        Some(Watcher::new(socket))
    }

    /// A viewer who reads as it comes. It has been answered 200.
    pub fn watch(&self) -> Watcher {
        wait::await_condition(&format!("{} is answered 200", self.url()), || {
            let watcher = self.connect()?;
            let patience = Duration::from_secs(20);
            let head = || (watcher.ended() || !watcher.body().is_empty()).then_some(());
            wait::await_within(patience, &format!("{} answers", self.url()), head);
            watcher.head().starts_with("HTTP/1.1 200").then_some(watcher)
        })
    }

    /// The status of a GET, the body left unread; 0 where there was no answer.
    pub fn status(&self) -> u16 {
        status_of(&self.url(), &[])
    }

    /// Waits until a GET is answered with that status.
    pub fn answers(&self, status: u16) {
        wait::await_condition(&format!("{} is answered {status}", self.url()), || {
            (self.status() == status).then_some(())
        });
    }
}

/// `curl` to its end.
pub fn curl(url: &str, arguments: &[&str]) -> Said {
    run("curl", &[&["-sS", "--max-time", "30"], arguments, &[url]].concat(), 40)
}

/// The status of a GET whose body may have no end.
pub fn status_of(url: &str, arguments: &[&str]) -> u16 {
    let quick = ["--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}"];
    curl(url, &[&quick, arguments].concat()).text().trim().parse().unwrap_or(0)
}
