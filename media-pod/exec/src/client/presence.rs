//! Whether an agent is there, without a command.

use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Agent, PATIENCE, Way, next_reply, send};
use crate::error::ExecError;
use crate::frame::{self, Decoder, MAX_FRAME};
use crate::message::{MAX_REPLY, Reply, WATCH};

/// What errors call it, in the place of a command's name.
const NAME: &str = "watch";

/// An agent that is there. It costs the agent one process that sleeps.
#[derive(Debug)]
pub struct Presence {
    control: UnixStream,
    decoder: Decoder,
    _way: Arc<Way>,
}

impl Agent {
    /// Asks the agent whether it is there: an error says why not. An agent that is there is watched from then on.
    ///
    /// Needs a tokio runtime. Waits ten seconds for an answer, at most.
    pub async fn presence(&self) -> Result<Presence, ExecError> {
        let lost = || ExecError::AgentLost(NAME.to_owned());
        let asking = async {
            let control = self.connection().await?;
            let mut decoder = Decoder::new(MAX_REPLY);
            let question = frame::encode(&WATCH, MAX_FRAME).map_err(|_| lost())?;
            send(&control, &question, &[]).await.map_err(|_| lost())?;
            match next_reply(&control, &mut decoder).await {
                Ok(Some(Reply::Here)) => Ok(Presence { control, decoder, _way: Arc::clone(&self.way) }),
                Ok(Some(Reply::Refused { problem })) => {
                    Err(ExecError::Refused { name: NAME.to_owned(), problem })
                }
                Ok(_) | Err(_) => Err(lost()),
            }
        };
        timeout(PATIENCE, asking).await.map_err(|_| ExecError::Timeout(NAME.to_owned()))?
    }
}

impl Presence {
    /// Done when the agent is gone. Cancel safe.
    pub async fn gone(&mut self) {
        while let Ok(Some(_)) = next_reply(&self.control, &mut self.decoder).await {}
    }
}
