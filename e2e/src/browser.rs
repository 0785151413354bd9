//! Chromium, looking at a page that tells us what it sees.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

use crate::{children_of, wait::eventually};

/// A headless Chromium with one page open. Dropping it ends it.
pub struct Browser {
    chromium: Child,
    told: Receiver<String>,
    said: Vec<String>,
    _profile: tempfile::TempDir,
}

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

impl Browser {
    /// Opens a page whose body is `html`. Its scripts tell the test something by `tell("…")`.
    ///
    /// # Panics
    /// If there is no Chromium.
    #[allow(clippy::panic, reason = "a test ends by it")]
    pub fn open(html: &str) -> Self {
        let page = format!(
            "<!doctype html><meta charset=utf-8><script>const tell = what => fetch('/tell?' + \
             encodeURIComponent(what))</script>{html}"
        );
        let (to, told) = mpsc::channel();
        let address = serve(page, to).unwrap_or_else(|e| panic!("the page cannot be served: {e}"));
        let profile = tempfile::tempdir().unwrap_or_else(|e| panic!("no temporary directory: {e}"));
        let found = NAMES.iter().find_map(|name| start(name, profile.path(), &address).ok());
        let chromium = found.unwrap_or_else(|| panic!("there is no Chromium: apt-get install chromium"));
        Self { chromium, told, said: Vec::new(), _profile: profile }
    }

    /// Waits until the page has told something that `look` is content with.
    pub fn tells<T>(&mut self, what: &str, mut look: impl FnMut(&str) -> Option<T>) -> T {
        eventually(what, || {
            while let Ok(line) = self.told.try_recv() {
                let seen = look(&line);
                self.said.push(line);
                if seen.is_some() {
                    return seen;
                }
            }
            None
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if thread::panicking() {
            let last: Vec<_> = self.said.iter().rev().take(10).rev().collect();
            eprintln!("--- the page told last ---\n{last:#?}");
        }
        let all: Vec<String> = children_of(self.chromium.id()).iter().map(u32::to_string).collect();
        let _ = self.chromium.kill();
        let _ = Command::new("kill").arg("-9").args(all).stderr(Stdio::null()).status();
        let _ = self.chromium.wait();
    }
}

fn start(name: &str, profile: &Path, address: &str) -> std::io::Result<Child> {
    Command::new(name)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--mute-audio", "--autoplay-policy=no-user-gesture-required"])
        .args(["--remote-debugging-port=0", "--window-size=1000,800"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("http://{address}/"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Serves one page, and passes on what it tells.
fn serve(page: String, to: Sender<String>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (page, to) = (page.clone(), to.clone());
            thread::spawn(move || answer(connection, &page, &to));
        }
    });
    Ok(address)
}

fn answer(mut connection: TcpStream, page: &str, to: &Sender<String>) -> Option<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines().map_while(Result::ok);
    let request = lines.next()?;
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let path = request.split(' ').nth(1)?;
    let body = match path.strip_prefix("/tell?") {
        Some(what) => {
            let _ = to.send(unescape(what));
            ""
        }
        None => page,
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
    write!(connection, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()
}

fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let code = after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        if let (b'%', Some(code)) = (byte, code) {
            out.push(code);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
