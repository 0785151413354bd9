//! The cluster under test, and a client of it for code that blocks.

use std::{env, future::Future, path::PathBuf, sync::OnceLock};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::runtime::{Builder, Runtime};

use crate::programs;

/// The kubeconfig: `KUBECONFIG`, else that of `e2e/cluster/up`.
pub(crate) fn kubeconfig() -> PathBuf {
    if let Some(path) = env::var_os("KUBECONFIG").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let said = millrace_e2e::run(millrace_e2e::repository("e2e/cluster/kubeconfig"), &[], 30);
    assert_eq!(said.code, Some(0), "{}\nno KUBECONFIG either: start a cluster by `make e2e-up`", said.err);
    said.text().trim().into()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// Runs a request to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Lets something run beside the test.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    runtime().spawn(future);
}

/// The one client of all tests.
pub fn client() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| connect(true)).clone()
}

/// One that gives an answer as it is: 503 is not asked for again.
pub(crate) fn client_that_asks_once() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| connect(false)).clone()
}

fn connect(again: bool) -> Client {
    let path = programs::kubeconfig();
    let read = Kubeconfig::read_from(path);
    let read = read.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    block_on(async {
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
        let mut config = config.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        config.default_retry = again;
        Client::try_from(config).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    })
}
