//! What a client wants of a supervisor.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::fdpass;
use crate::frame::{Decoder, MAX_FRAME};
use crate::message::{Start, WATCH};
use crate::ready::{is_ready, wait};

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client wants.
pub(crate) enum Wish {
    /// To see the agent live.
    Watch,
    Run(Request),
}

/// A command, with its descriptors.
pub(crate) struct Request {
    pub start: Start,
    pub fds: Vec<OwnedFd>,
    /// Orders that came right behind.
    pub rest: Vec<u8>,
}

/// Waits for what the client wants; none if client or agent went away before.
pub(crate) fn receive(lifeline: &OwnedFd, control: &OwnedFd) -> Result<Option<Wish>, String> {
    let deadline = Instant::now() + PATIENCE;
    let mut decoder = Decoder::new(MAX_FRAME);
    let mut fds = Vec::new();
    let mut bytes = vec![0; 64 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("no whole command came within {} s", PATIENCE.as_secs()));
        }
        let mut ready = [PollFd::new(lifeline, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
        wait(&mut ready, Some(left));
        if is_ready(ready.first()) {
            return Ok(None);
        }
        if !is_ready(ready.get(1)) {
            continue;
        }
        match fdpass::receive(control, &mut bytes, &mut fds) {
            Ok(0) => return Ok(None),
            Ok(count) => decoder.push(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.to_string()),
        }
        if let Some(frame) = decoder.next_frame().map_err(|error| error.to_string())? {
            if serde_json::from_slice::<&str>(&frame).is_ok_and(|word| word == WATCH) {
                return Ok(Some(Wish::Watch));
            }
            let start = serde_json::from_slice(&frame).map_err(|error| error.to_string())?;
            return Ok(Some(Wish::Run(Request { start, fds, rest: decoder.into_rest() })));
        }
    }
}
