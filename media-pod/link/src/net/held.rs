//! A session that is closed in any case.

use std::{ops::Deref, sync::Arc};

use tokio::runtime::Handle;

use super::session_client::{Session, SessionError};

/// A [`Session`] that is closed on `S` when this is dropped, too: in a task of its own, where there is a tokio runtime;
/// elsewhere the end of its channel has to say it. `T` is kept until that is done, as a place that the session takes.
pub struct HeldSession<T: Send + Sync + 'static = ()> {
    held: Arc<(Session, T)>,
    closed: bool,
}

impl<T: Send + Sync + 'static> HeldSession<T> {
    /// Holds `session`, and keeps `kept` for as long.
    pub fn new(session: Session, kept: T) -> Self {
        Self { held: Arc::new((session, kept)), closed: false }
    }

    /// What is kept with it.
    pub fn kept(&self) -> &T {
        &self.held.1
    }

    /// As [`Session::close`]. Where that is not waited for, the session is closed all the same.
    pub async fn close(mut self) -> Result<(), SessionError> {
        let outcome = self.held.0.end().await;
        self.closed = true;
        outcome
    }
}

impl<T: Send + Sync + 'static> Deref for HeldSession<T> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.held.0
    }
}

impl From<Session> for HeldSession {
    fn from(session: Session) -> Self {
        Self::new(session, ())
    }
}

impl<T: Send + Sync + 'static> Drop for HeldSession<T> {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.closed, Handle::try_current()) {
            let held = self.held.clone();
            runtime.spawn(async move {
                // If it cannot be said, the end of its channel says it.
                let _ = held.0.end().await;
            });
        }
    }
}
