//! The pipes of a command. Our ends never wait, and none of them is ever inherited by another process: a writing end
//! that leaked would keep its pipe open for ever.

use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::spec::Spec;

/// What the pipes that we write to should hold, in bytes. The system may say no; then it is 64 KiB.
const INPUT_SIZE: usize = 256 << 10;

/// Our ends.
pub(super) struct Pipes {
    pub(super) stdin: Option<Sender>,
    pub(super) inputs: Vec<Sender>,
    pub(super) stdout: Option<Receiver>,
    pub(super) stderr: Receiver,
}

impl Pipes {
    /// Our ends, and the command's in the order in which a `Start` brings them.
    pub(super) fn make(spec: &Spec) -> io::Result<(Self, Vec<OwnedFd>)> {
        let mut theirs = Vec::with_capacity(3 + spec.extra_inputs);
        let stdin = if spec.stdin { Some(input(&mut theirs)?) } else { None };
        let stdout = if spec.stdout { Some(output(&mut theirs)?) } else { None };
        let stderr = output(&mut theirs)?;
        let inputs = (0..spec.extra_inputs).map(|_| input(&mut theirs)).collect::<io::Result<_>>()?;
        Ok((Self { stdin, inputs, stdout, stderr }, theirs))
    }
}

fn input(theirs: &mut Vec<OwnedFd>) -> io::Result<Sender> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let _ = fcntl_setpipe_size(&write, INPUT_SIZE);
    theirs.push(read);
    Sender::from_owned_fd(write)
}

fn output(theirs: &mut Vec<OwnedFd>) -> io::Result<Receiver> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    theirs.push(write);
    Receiver::from_owned_fd(read)
}
