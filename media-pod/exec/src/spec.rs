//! What to run.

use std::path::PathBuf;

use crate::error::ExecError;
use crate::message::Start;

/// A command to run. It is never given to a shell.
///
/// It runs in a session of its own, without core dumps, with at most 4096 descriptors (soft limit), and cannot gain privileges
/// (`no_new_privs`: `sudo` does not work in it), for then it could not be killed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Spec {
    /// The program and its arguments, each one argument as it is. A program without a slash is looked for in
    /// the command's `PATH`.
    pub argv: Vec<String>,
    /// Added to (and stronger than) a small base: of the agent's environment, the command has `PATH`, `HOME`,
    /// `USER`, `LANG`, `LC_*`, `TMPDIR`, `TZ`, `LD_LIBRARY_PATH`, `XDG_RUNTIME_DIR`, `SSL_CERT_*` and what begins with `FONTCONFIG_`,
    /// `LIBVA_`, `VDPAU_`, `NVIDIA_` and `CUDA_`; nothing else.
    pub env: Vec<(String, String)>,
    /// Where it runs; by default where the agent does.
    pub cwd: Option<PathBuf>,
    /// Whether we write to its stdin. If not it reads `/dev/null`.
    pub stdin: bool,
    /// How many more pipes we write to, which it reads as descriptors 3, 4, …; at most 32.
    pub extra_inputs: usize,
    /// Whether we read its stdout. If not it writes to `/dev/null`.
    pub stdout: bool,
    /// The most memory, in bytes, that it and all that it starts may use together (resident and swapped). Past it, it is killed.
    pub memory_limit: Option<u64>,
    /// What the kernel's OOM killer adds to its badness, -1000 to 1000 (less than the agent's own needs privilege).
    pub oom_score_adj: Option<i16>,
    /// What logs call it.
    pub name: String,
    /// Texts that are replaced by `***` in the lines of stderr.
    pub secrets: Vec<String>,
}

impl Spec {
    /// A command with stderr only, called by the name of its program.
    pub fn new<T: Into<String>>(argv: impl IntoIterator<Item = T>) -> Self {
        let argv: Vec<String> = argv.into_iter().map(Into::into).collect();
        let name = argv.first().cloned().unwrap_or_default();
        Self { argv, name, ..Self::default() }
    }

    /// The message for the agent.
    pub(crate) fn to_start(&self) -> Result<Start, ExecError> {
        let problem = |problem: String| ExecError::Spec { name: self.name.clone(), problem };
        let cwd = match &self.cwd {
            None => None,
            Some(cwd) => Some(
                cwd.to_str()
                    .ok_or_else(|| problem(format!("the working directory {} is not UTF-8", cwd.display())))?
                    .to_owned(),
            ),
        };
        let start = Start {
            argv: self.argv.clone(),
            env: self.env.clone(),
            cwd,
            stdin: self.stdin,
            stdout: self.stdout,
            extra_inputs: self.extra_inputs,
            memory_limit: self.memory_limit,
            oom_score_adj: self.oom_score_adj,
        };
        start.check().map_err(problem)?;
        Ok(start)
    }
}

/// Arguments, environment and secrets stay out: they may hold keys.
impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spec")
            .field("name", &self.name)
            .field("program", &self.argv.first())
            .finish_non_exhaustive()
    }
}
