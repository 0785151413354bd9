//! Many viewers at once, who note what they see: pictures, gaps, runs of the source, and how often they were cut off.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    Address,
    cluster::spawn,
    scan::{Found, Scan},
    wait::{LONG, await_within},
};

/// After such a pause a picture counts once decoding can begin again.
const PAUSE: Duration = Duration::from_millis(500);

/// What one viewer has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Where it watches.
    pub path: String,
    /// Pictures so far.
    pub pictures: u64,
    /// How often it was answered 200.
    pub answers: u32,
    /// How often a connection ended that had been answered 200.
    pub ends: u32,
    /// Packets that did not begin where they should.
    pub out_of_step: u32,
    /// Runs of the source, as they came.
    pub runs: Vec<String>,
    /// The longest time without a picture since [`Crowd::begin`].
    pub longest: Duration,
    /// When that ended.
    pub went_on: Option<Instant>,
    /// When the last picture came.
    pub last: Option<Instant>,
    /// The last answer that was not 200.
    pub refused: String,
}

impl Seen {
    fn take(&mut self, found: Found, now: Instant) {
        match found {
            Found::Run(run) => {
                if self.runs.last() != Some(&run) {
                    self.runs.push(run);
                }
            }
            Found::OutOfStep => self.out_of_step += 1,
            Found::Picture { key, .. } => {
                let pause = self.last.map(|last| now - last);
                if pause.is_none_or(|pause| pause > PAUSE) && !key {
                    return;
                }
                if pause.is_some_and(|pause| pause > self.longest) {
                    (self.longest, self.went_on) = (pause.unwrap_or_default(), Some(now));
                }
                self.pictures += 1;
                self.last = Some(now);
            }
        }
    }

    /// The longest time without a picture, the present one included.
    pub fn gap(&self) -> Duration {
        self.longest.max(self.last.map_or(Duration::ZERO, |last| last.elapsed()))
    }
}

/// Viewers over HTTP, read until this is dropped.
pub struct Crowd {
    all: Vec<Arc<Mutex<Seen>>>,
    over: Arc<AtomicBool>,
}

impl Crowd {
    /// `each` viewers of each address. They have seen pictures. Who is cut off comes again.
    pub fn watch(addresses: &[Address], each: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut all = Vec::new();
        for address in addresses.iter().cycle().take(addresses.len() * each) {
            let seen = Arc::new(Mutex::new(Seen { path: address.path.clone(), ..Seen::default() }));
            spawn(view(address.clone(), seen.clone(), over.clone()));
            all.push(seen);
        }
        let crowd = Self { all, over };
        crowd.all_see(3);
        crowd.begin();
        crowd
    }

    fn each(&self) -> impl Iterator<Item = MutexGuard<'_, Seen>> {
        self.all.iter().map(|one| one.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What each has seen.
    pub fn seen(&self) -> Vec<Seen> {
        self.each().map(|seen| seen.clone()).collect()
    }

    /// Forgets the gaps so far.
    pub fn begin(&self) {
        for mut seen in self.each() {
            (seen.longest, seen.went_on) = (Duration::ZERO, None);
        }
    }

    /// Waits until every viewer has seen so many more pictures.
    pub fn all_see(&self, more: u64) {
        self.all_see_within(LONG, more);
    }

    /// As [`Self::all_see`]; also says how long it took.
    pub fn all_see_within(&self, patience: Duration, more: u64) -> Duration {
        let until: Vec<u64> = self.each().map(|seen| seen.pictures + more).collect();
        let what = format!("each of {} viewers sees {more} more pictures", self.all.len());
        let began = Instant::now();
        while !self.each().zip(&until).all(|(seen, until)| seen.pictures >= *until) {
            if began.elapsed() > patience {
                let waiting: Vec<Seen> = self
                    .seen()
                    .into_iter()
                    .zip(&until)
                    .filter(|(seen, until)| seen.pictures < **until)
                    .map(|(seen, _)| seen)
                    .collect();
                panic!("not within {patience:?}: {what}; {} wait, as: {:?}", waiting.len(), waiting.first());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        began.elapsed()
    }

    /// Waits until every viewer of a path sees another run than `before`.
    pub fn another_run(&self, path: &str, before: &str) {
        await_within(LONG, &format!("all viewers of {path} see another run than {before}"), || {
            let mut theirs = self.each().filter(|seen| seen.path == path);
            theirs.all(|seen| seen.runs.last().is_some_and(|run| run != before)).then_some(())
        });
    }

    /// The run that all viewers of a path see now.
    pub fn run(&self, path: &str) -> String {
        await_within(LONG, &format!("all viewers of {path} see one run"), || {
            let now: BTreeSet<_> =
                self.each().filter(|seen| seen.path == path).map(|seen| seen.runs.last().cloned()).collect();
            if now.len() == 1 { now.into_iter().next().flatten() } else { None }
        })
        .0
    }

    /// How often any was cut off.
    pub fn ends(&self) -> u32 {
        self.each().map(|seen| seen.ends).sum()
    }

    /// How many were cut off more than once.
    pub fn more_than_once(&self) -> usize {
        self.each().filter(|seen| seen.ends > 1).count()
    }

    /// Fails where anybody was cut off, lost the step of the packets, or went back to a run that was left.
    pub fn unharmed(&self) {
        self.in_order();
        let hurt: Vec<Seen> = self.each().filter(|seen| seen.ends > 0).map(|seen| seen.clone()).collect();
        assert!(
            hurt.is_empty(),
            "{} of {} viewers were cut off, as: {:?}",
            hurt.len(),
            self.all.len(),
            hurt[0]
        );
    }

    /// Fails where anybody lost the step of the packets, or went back to a run that was left.
    pub fn in_order(&self) {
        for seen in self.each() {
            let distinct: BTreeSet<_> = seen.runs.iter().collect();
            assert_eq!(distinct.len(), seen.runs.len(), "a run that was left came again: {:?}", *seen);
            assert_eq!(seen.out_of_step, 0, "{:?}", *seen);
        }
    }

    /// The longest time that any has gone without a picture since [`Self::begin`], of one path or of all.
    pub fn longest_gap(&self, path: Option<&str>) -> Duration {
        let theirs = self.each().filter(|seen| path.is_none_or(|path| seen.path == path));
        theirs.map(|seen| seen.gap()).max().unwrap_or_default()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

async fn view(address: Address, seen: Arc<Mutex<Seen>>, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Acquire) {
        let was = once(&address, &seen, &over).await;
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match was {
                Ok(()) => seen.ends += u32::from(!over.load(Ordering::Acquire)),
                Err(why) => seen.refused = why,
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// One connection to its end; an error where it was never answered 200.
async fn once(address: &Address, seen: &Mutex<Seen>, over: &AtomicBool) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let mut socket = timeout(Duration::from_secs(3), TcpStream::connect(&address.host))
        .await
        .map_err(|_| "no connection in 3 s".to_owned())?
        .map_err(said)?;
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", address.path, address.host);
    socket.write_all(request.as_bytes()).await.map_err(said)?;
    let (mut head, mut answered, mut scan) = (Vec::new(), false, Scan::default());
    let mut buffer = vec![0; 16 << 10];
    let locked = || seen.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let count = match timeout(Duration::from_millis(500), socket.read(&mut buffer)).await {
            Err(_) if over.load(Ordering::Acquire) => return Ok(()),
            Err(_) => continue,
            Ok(Err(error)) if !answered => return Err(error.to_string()),
            Ok(Ok(0) | Err(_)) if answered => return Ok(()),
            Ok(Ok(0) | Err(_)) => return Err(String::from_utf8_lossy(&head).into_owned()),
            Ok(Ok(count)) => count,
        };
        let now = Instant::now();
        let bytes = &buffer[..count];
        if answered {
            let mut seen = locked();
            scan.take(bytes, |found| seen.take(found, now));
        } else {
            head.extend_from_slice(bytes);
            let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            if !head.starts_with(b"HTTP/1.1 200") {
                return Err(String::from_utf8_lossy(&head[..end]).into_owned());
            }
            answered = true;
            let mut seen = locked();
            seen.answers += 1;
            scan.take(&head[end + 4..], |found| seen.take(found, now));
        }
        if over.load(Ordering::Acquire) {
            return Ok(());
        }
    }
}
