//! Requests about the Lease. A connection may hang, and the time to renew is short: who does not answer soon is asked
//! again over a connection of its own, and whoever answers first counts.

use std::time::Duration;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use kube::Client;
use tokio::time::{self, Instant};
use tracing::info;

use super::election::Time;

/// Connections to the API server.
pub struct Lines {
    make: Box<dyn Fn() -> kube::Result<Client> + Send>,
    /// The one that answered last.
    good: Client,
}

/// An answer that decides.
pub struct Answer<T> {
    /// When it was begun to ask for it, and for no other.
    pub asked: Time,
    /// What was said: an error only where it says something about the object.
    pub said: kube::Result<T>,
}

impl Lines {
    /// Connections that `make` makes.
    ///
    /// # Errors
    /// Where it makes none.
    pub fn new(make: impl Fn() -> kube::Result<Client> + Send + 'static) -> kube::Result<Self> {
        Ok(Self { good: make()?, make: Box::new(make) })
    }

    /// The one that answered last.
    pub fn good(&self) -> Client {
        self.good.clone()
    }

    /// Asks until there is an answer, or `limit` is over; each `patience` once more. What is still asked for then is given
    /// up: it may come through all the same.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn ask<T, F: Future<Output = kube::Result<T>>>(
        &mut self,
        (limit, patience): (Duration, Duration),
        clock: impl Fn() -> Time,
        request: impl Fn(Client) -> F,
    ) -> Result<Answer<T>, String> {
        let until = Instant::now() + limit;
        let mut asked = FuturesUnordered::new();
        let mut client = self.good();
        loop {
            let (at, answers) = (clock(), request(client.clone()));
            asked.push(async move { (at, client, answers.await) });
            let next = until.min(Instant::now() + patience);
            while let Ok(Some((asked_at, line, said))) = time::timeout_at(next, asked.next()).await {
                match said {
                    // Another one may still say it.
                    Err(error) if is_vague(&error) && !asked.is_empty() => {}
                    Err(error) if is_vague(&error) => return Err(error.to_string()),
                    said => {
                        self.good = line;
                        return Ok(Answer { asked: asked_at, said });
                    }
                }
            }
            if Instant::now() >= until {
                return Err("no answer in time".to_owned());
            }
            info!(
                "the API server does not answer about the Lease: it is asked again over another connection"
            );
            client = (self.make)().map_err(|error| error.to_string())?;
        }
    }
}

/// Whether an error leaves open what has become of the request.
fn is_vague(error: &kube::Error) -> bool {
    !matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}
