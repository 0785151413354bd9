//! Who runs commands: an agent of this process's own, or one for each image, in containers beside it.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use millrace_exec::{Agent, ExecError, Process, Spec};
use tokio::{sync::watch, task::AbortHandle, time};

/// A command waits so long for a runner that is not there: one that is restarted mostly is back by then.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often to look for a runner that is not there.
const LOOK: Duration = Duration::from_millis(100);

/// A command, and where to run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What to run.
    pub spec: Spec,
    /// The image to run it in; `None`: the default one.
    pub image: Option<String>,
}

/// Where the runner of an image listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The image, as Feeds, Streams and the Cluster name it.
    pub image: String,
    /// Its `millrace-exec serve --socket`.
    pub socket: PathBuf,
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((image, socket)) if !image.is_empty() && socket.starts_with('/') => {
                Ok(Self { image: image.to_owned(), socket: socket.into() })
            }
            _ => Err("IMAGE=SOCKET is right, as in ffmpeg:7=/run/ffmpeg/exec.sock"),
        }
    }
}

/// Why a command does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nobody runs commands in this image.
    #[error("image {image}: this media pod has no runner for it, only for {}", .known.join(", "))]
    NoRunner {
        /// The image.
        image: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The runner is not there.
    #[error("the runner of image {image} does not answer: {why}")]
    Away {
        /// The image.
        image: String,
        /// What was tried.
        why: String,
    },
    /// The runner does not run it.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

/// See the module.
#[derive(Debug)]
pub enum Runners {
    /// A child of this process runs everything, whatever its image.
    Local(Agent),
    /// Each image has its own.
    Beside {
        /// In the order in which they were given.
        runners: Vec<Runner>,
        /// The image of what names none; the first runner's until it is said.
        default: ArcSwapOption<String>,
    },
}

/// The runner of one image.
#[derive(Debug)]
pub struct Runner {
    image: String,
    agent: Agent,
    seen: watch::Receiver<Seen>,
    watching: AbortHandle,
}

#[derive(Debug)]
struct Seen {
    here: bool,
    ever: bool,
    why: String,
}

impl Runners {
    /// Looks after the runners at `addresses` from now on: they may come, go and come back. Needs a tokio runtime.
    pub fn beside(addresses: Vec<Address>) -> Self {
        let runners = addresses.into_iter().map(Runner::new).collect();
        Self::Beside { runners, default: ArcSwapOption::empty() }
    }

    /// What names no image runs in this one from now on; `None`: in the first runner's.
    pub fn set_default(&self, image: Option<&str>) {
        if let Self::Beside { default, .. } = self {
            default.store(image.map(|image| Arc::new(image.to_owned())));
        }
    }

    /// Starts a command in its image. Waits a little for a runner that is not there.
    pub async fn start(&self, command: &Command) -> Result<Process, RunError> {
        let (runners, default) = match self {
            Self::Local(agent) => return Ok(agent.start(command.spec.clone()).await?),
            Self::Beside { runners, default } => (runners, default.load_full()),
        };
        let image = command.image.as_ref().or(default.as_deref());
        let found = match image {
            Some(image) => runners.iter().find(|runner| runner.image == *image),
            None => runners.first(),
        };
        let Some(runner) = found else {
            let known = runners.iter().map(|runner| runner.image.clone()).collect();
            return Err(RunError::NoRunner { image: image.cloned().unwrap_or_default(), known });
        };
        runner.start(&command.spec).await
    }

    /// What is wrong with runners, a sentence each; and whether all of them have been there at some time.
    pub fn absent(&self) -> (Vec<String>, bool) {
        match self {
            Self::Local(agent) => {
                let here = agent.local_pid().is_some();
                let absent = (!here).then(|| "the runner of commands is not there".to_owned());
                (absent.into_iter().collect(), here)
            }
            Self::Beside { runners, .. } => {
                let absent = runners.iter().filter_map(|runner| {
                    let seen = runner.seen.borrow();
                    (!seen.here).then(|| {
                        format!("the runner of image {} does not answer: {}", runner.image, seen.why)
                    })
                });
                (absent.collect(), runners.iter().all(|runner| runner.seen.borrow().ever))
            }
        }
    }
}

impl Runner {
    fn new(address: Address) -> Self {
        let agent = Agent::connect(&address.socket);
        let why = format!("nobody listens at {} yet", address.socket.display());
        let (to, seen) = watch::channel(Seen { here: false, ever: false, why });
        let watching = tokio::spawn(look_after(address.image.clone(), agent.clone(), to)).abort_handle();
        Self { image: address.image, agent, seen, watching }
    }

    async fn start(&self, spec: &Spec) -> Result<Process, RunError> {
        let deadline = time::Instant::now() + PATIENCE;
        let mut seen = self.seen.clone();
        loop {
            let here = time::timeout_at(deadline, seen.wait_for(|seen| seen.here)).await.is_ok();
            let error = match self.agent.start(spec.clone()).await {
                Err(error @ (ExecError::Connect { .. } | ExecError::AgentLost(_))) => error,
                done => return Ok(done?),
            };
            if !here || time::Instant::now() >= deadline {
                return Err(RunError::Away { image: self.image.clone(), why: error.to_string() });
            }
            // It is gone, and whoever watches it does not know yet.
            time::sleep(LOOK / 2).await;
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Until nobody wants to know any more.
async fn look_after(image: String, agent: Agent, to: watch::Sender<Seen>) {
    loop {
        match agent.presence().await {
            Ok(mut presence) => {
                tracing::info!(image, "the runner is there");
                to.send_replace(Seen { here: true, ever: true, why: String::new() });
                presence.gone().await;
                tracing::warn!(image, "the runner is gone; what it ran is begun anew when it is back");
                to.send_modify(|seen| (seen.here, seen.why) = (false, "it ended".to_owned()));
            }
            Err(error) => {
                to.send_modify(|seen| (seen.here, seen.why) = (false, error.to_string()));
            }
        }
        time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_image_and_a_socket() {
        let address = |text: &str| text.parse::<Address>();
        let right = Address { image: "r.lan:5000/ffmpeg:7".into(), socket: "/run/a=b/exec.sock".into() };
        assert_eq!(address("r.lan:5000/ffmpeg:7=/run/a=b/exec.sock"), Ok(right));
        for wrong in ["", "ffmpeg:7", "=/run/x", "ffmpeg:7=", "ffmpeg:7=run/x"] {
            assert!(address(wrong).unwrap_err().contains("IMAGE=SOCKET"), "{wrong}");
        }
    }

    #[tokio::test]
    async fn an_image_without_a_runner_is_named() {
        let listening = |image: &str| Address { image: image.to_owned(), socket: "/no/such/socket".into() };
        let runners = Runners::beside(vec![listening("one"), listening("two")]);
        let command = Command { spec: Spec::new(["true"]), image: Some("three".into()) };
        let error = runners.start(&command).await.unwrap_err().to_string();
        assert_eq!(error, "image three: this media pod has no runner for it, only for one, two");
        runners.set_default(Some("four"));
        let error = runners.start(&Command { image: None, ..command }).await.unwrap_err().to_string();
        assert!(error.starts_with("image four: "), "{error}");
    }

    #[tokio::test]
    async fn a_runner_that_is_not_there_is_waited_for_and_then_named() {
        let addresses = vec![Address { image: "one".into(), socket: "/no/such/socket".into() }];
        let runners = Runners::beside(addresses);
        let (absent, ever) = runners.absent();
        assert!(!ever && absent[0].contains("image one"), "{absent:?}");
        let command = Command { spec: Spec::new(["true"]), image: None };
        let error = runners.start(&command).await.unwrap_err().to_string();
        assert!(
            error.starts_with("the runner of image one does not answer: no agent at /no/such/socket"),
            "{error}"
        );
    }
}
