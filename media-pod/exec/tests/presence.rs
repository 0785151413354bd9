//! Whether an agent is there, seen without a command.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use std::time::Duration;

use millrace_exec::{Agent, ExecError};
use tokio::time::timeout;

#[tokio::test]
async fn an_agent_is_there_until_it_is_killed() {
    let agent = common::agent();
    let mut presence = agent.presence().await.unwrap();
    // Being watched, it runs commands like any other.
    assert!(agent.start(common::sh("true")).await.unwrap().wait().await.success());
    assert!(timeout(Duration::from_millis(300), presence.gone()).await.is_err());
    common::kill(agent.local_pid().unwrap());
    timeout(Duration::from_secs(5), presence.gone()).await.unwrap();
    // The next one is another one, once the first has been reaped.
    let another = async {
        while agent.presence().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), another).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_an_error_at_once() {
    let error = Agent::connect("/no/such/socket").presence().await.unwrap_err();
    assert!(matches!(error, ExecError::Connect { .. }), "{error}");
}
