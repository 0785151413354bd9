//! Runs transcoder commands so that no orphan can exist.
//!
//! ```no_run
//! use millrace_exec::{Agent, Spec, maybe_run_agent};
//! use tokio::io::AsyncReadExt;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     maybe_run_agent(); // first of all: this executable is its own agent
//!     let agent = Agent::spawn_local()?;
//!     tokio::runtime::Runtime::new()?.block_on(async {
//!         let spec = Spec { stdout: true, ..Spec::new(["ffmpeg", "-i", "clip.mp4", "-f", "mpegts", "pipe:1"]) };
//!         let mut process = agent.start(spec).await?;
//!         let mut media = Vec::new();
//!         if let Some(mut stdout) = process.stdout.take() {
//!             stdout.read_to_end(&mut media).await?;
//!         }
//!         println!("{}", process.wait().await); // exited with code 0 after 1.3 s
//!         Ok(())
//!     })
//! }
//! ```
//!
//! Four kinds of process take part, all of them (but the command) the same executable:
//!
//! ```text
//! client (the media pod) ── agent ── supervisor ── command ── whatever the command starts
//! ```
//!
//! - The **client** ([`Agent`], [`Process`]) makes the pipes of a command and hands their far ends over a Unix
//!   socket (`SCM_RIGHTS`). It never forks a command itself.
//! - The **agent** is a child of the client ([`Agent::spawn_local`]) or lives in another container behind a
//!   listening socket ([`Agent::connect`], `millrace-exec serve`). It parses nothing: it gives each connection
//!   to a supervisor of its own, and kills what a supervisor that died left behind.
//! - A **supervisor** runs one command. It is the child subreaper of everything below it, so a process that
//!   daemonizes or opens a session of its own is still its descendant; when it ends a command it kills until
//!   the kernel says that it has no children. It keeps the memory limit.
//! - The **command** is started through a trampoline which sets its parent-death signal.
//!
//! What holds (each line is a test):
//!
//! | dies by SIGKILL | what is left |
//! |---|---|
//! | the client | nothing: every supervisor sees the end of its control socket |
//! | the agent | nothing: every supervisor sees the end of its lifeline |
//! | client and agent | nothing, as above |
//! | a supervisor | nothing: the command dies with it, the agent inherits and kills the rest |
//! | supervisor and agent | the command dies by its parent-death signal; the rest is found by a mark in the environment and killed by the client, or by the next agent on the machine |
//!
//! Only a descendant that also emptied its own environment outlives the last case, and outside of a container
//! only: in a container the death of its first process ends all.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod agent;
mod client;
mod descendants;
mod error;
mod exit;
mod fdpass;
mod frame;
mod launch;
mod memory;
mod message;
mod ready;
mod reap;
mod request;
mod roles;
mod spec;
mod supervise;
mod supervisor_state;
mod sweep;
mod tail;

pub use agent::{ServeOptions, serve};
pub use client::{Agent, Handle, Presence, Process};
pub use error::ExecError;
pub use exit::{Exit, Reason};
pub use roles::maybe_run_agent;
pub use spec::Spec;

/// Entry for fuzzing: none of the parsers of this crate may panic on any bytes.
#[cfg(any(test, fuzzing))]
pub fn fuzz_parsers(bytes: &[u8]) {
    let mut decoder = frame::Decoder::new(frame::MAX_FRAME);
    decoder.push(bytes);
    while let Ok(Some(frame)) = decoder.next_frame() {
        let _ = serde_json::from_slice::<message::Start>(&frame).map(|start| start.check());
        let _ = serde_json::from_slice::<message::Reply>(&frame);
        let _ = serde_json::from_slice::<message::Launch>(&frame);
    }
    let _ = message::Failure::decode(bytes);
    let mut tail = tail::Tail::new(vec!["secret".to_owned()]);
    for part in bytes.chunks(7) {
        tail.push(part);
    }
    let _ = tail.lines();
    let text = String::from_utf8_lossy(bytes);
    let _ = descendants::parse_stat(&text);
    let _ = descendants::parse_pids(&text);
    let _ = memory::parse_kib(&text, "VmRSS:");
    let _ = sweep::Mark::parse(&text);
    let _ = sweep::mark_in_environment(bytes);
}

#[cfg(test)]
mod no_panic_tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            super::fuzz_parsers(&bytes);
        }

        #[test]
        fn no_flipped_bit_of_a_real_frame_makes_a_parser_panic(at in 0usize..200, bit in 0u8..8, cut in 0usize..200) {
            let start = crate::message::Start { argv: vec!["sh".into(), "-c".into(), "true".into()], ..Default::default() };
            let mut frame = crate::frame::encode(&start, crate::frame::MAX_FRAME).unwrap();
            if let Some(byte) = frame.get_mut(at) {
                *byte ^= 1 << bit;
            }
            frame.truncate(frame.len().saturating_sub(cut));
            super::fuzz_parsers(&frame);
        }
    }
}
