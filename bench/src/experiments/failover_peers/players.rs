//! Viewers who connect again at once when they are cut off.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::outcome::{Event, What};
use super::pictures::Pictures;
use crate::viewers::h1::{H1, request};

/// Before it is asked again who did not give the stream.
const PAUSE: Duration = Duration::from_millis(50);
/// Between the first connections of two viewers: icecast2 refuses some of twenty that come at once.
const APART: Duration = Duration::from_millis(25);
/// How often a viewer who waits looks whether it is all over.
const LOOK: Duration = Duration::from_millis(100);

/// A thread for each, until this is dropped.
pub struct Players {
    stop: Arc<AtomicBool>,
    all: Vec<Player>,
}

struct Player {
    seen: Arc<Mutex<Vec<Event>>>,
    thread: JoinHandle<()>,
}

impl Players {
    /// Begins to watch.
    pub fn start(addr: SocketAddr, path: &str, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let one = |_| {
            thread::sleep(APART);
            let (seen, stop, path) = (Arc::default(), Arc::clone(&stop), path.to_owned());
            let events = Arc::clone(&seen);
            let thread = thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    watch(addr, &path, &stop, &events);
                }
            });
            Player { seen, thread }
        };
        Self { all: (0..count).map(one).collect(), stop }
    }

    /// What each has seen so far.
    pub fn seen(&self) -> Vec<Vec<Event>> {
        self.all.iter().map(|it| it.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// Waits until it is so for each; whether it became so.
    pub fn wait_all(&self, limit: Duration, so: &dyn Fn(&[Event]) -> bool) -> Result<()> {
        let until = Instant::now() + limit;
        loop {
            let seen = self.seen();
            let waiting = seen.iter().filter(|events| !so(events)).count();
            if waiting == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{waiting} of {} viewers wait for {limit:?}", seen.len());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Players {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for player in self.all.drain(..) {
            let _ = player.thread.join();
        }
    }
}

/// One connection, from its beginning to its end.
fn watch(addr: SocketAddr, path: &str, stop: &AtomicBool, seen: &Mutex<Vec<Event>>) {
    let say = |at, what| seen.lock().unwrap_or_else(PoisonError::into_inner).push((at, what));
    say(Instant::now(), What::Asks);
    let mut given = false;
    let _ = connection(addr, path, stop, &mut |found| match found {
        Found::Media => given = true,
        Found::Picture(at, number) => say(at, What::Picture(number)),
    });
    if stop.load(Ordering::Relaxed) {
        return;
    }
    say(Instant::now(), if given { What::Ended } else { What::Refused });
    if !given {
        thread::sleep(PAUSE);
    }
}

enum Found {
    Media,
    Picture(Instant, u64),
}

/// Ends when the server ends it or answers otherwise than by 200.
fn connection(addr: SocketAddr, path: &str, stop: &AtomicBool, say: &mut dyn FnMut(Found)) -> Result<()> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(LOOK))?;
    socket.write_all(&request(&addr.to_string(), path))?;
    let (mut answer, mut pictures, mut piece) = (H1::default(), Pictures::default(), vec![0; 65_536]);
    while !stop.load(Ordering::Relaxed) {
        let n = match socket.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(e) => return Err(e.into()),
        };
        let now = Instant::now();
        answer.feed(piece.get(..n).unwrap_or_default(), &mut |body| {
            say(Found::Media);
            pictures.feed(body, now, &mut |at, number| say(Found::Picture(at, number)));
        })?;
    }
    Ok(())
}
