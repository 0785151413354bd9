//! Who needs something to run: a count of holds, watched by whoever runs it.

use std::{future, time::Duration};

use tokio::{sync::watch, time};

/// Counts the holds on a feed or stream.
#[derive(Clone, Debug)]
pub struct Demand(watch::Sender<usize>);

impl Default for Demand {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Demand {
    /// Needs it, until the hold is dropped.
    pub fn hold(&self) -> Hold {
        self.0.send_modify(|holds| *holds += 1);
        Hold(self.0.clone())
    }

    /// Holds now.
    pub fn holds(&self) -> usize {
        *self.0.borrow()
    }

    /// Until somebody needs it.
    pub async fn wanted(&self) {
        let mut holds = self.0.subscribe();
        if holds.wait_for(|holds| *holds > 0).await.is_err() {
            future::pending::<()>().await;
        }
    }

    /// Until nobody has needed it for `linger`.
    pub async fn unwanted(&self, linger: Duration) {
        let mut holds = self.0.subscribe();
        loop {
            if holds.wait_for(|holds| *holds == 0).await.is_err() {
                return;
            }
            tokio::select! {
                () = time::sleep(linger) => return,
                wanted = holds.wait_for(|holds| *holds > 0) => if wanted.is_err() { return },
            }
        }
    }
}

/// One need, over when dropped.
#[derive(Debug)]
pub struct Hold(watch::Sender<usize>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_modify(|holds| *holds = holds.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_linger_is_measured_from_the_last_hold() {
        let demand = Demand::default();
        let first = demand.hold();
        let second = demand.hold();
        drop(first);
        assert_eq!(demand.holds(), 1);
        let began = time::Instant::now();
        let watcher = demand.clone();
        let over = tokio::spawn(async move { watcher.unwanted(Duration::from_secs(5)).await });
        time::sleep(Duration::from_secs(3)).await;
        drop(second);
        over.await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(8));
    }
}
