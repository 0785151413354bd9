//! The front door itself.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use millrace_bus::egress::Egress;
use tokio::{
    net::TcpListener,
    task::AbortHandle,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Certificates, Counts, HttpError, Options, Site, ViewerInfo,
    accept::accept,
    shared::{Phase, Shared},
};

/// For what is left to end after everybody was told to go.
const LAST: Duration = Duration::from_secs(5);

/// Listens, and lets viewers in. Dropping it closes the listeners; who is in stays in.
pub struct FrontDoor {
    shared: Arc<Shared>,
    http: Vec<SocketAddr>,
    https: Vec<SocketAddr>,
    acceptors: Vec<AbortHandle>,
}

impl FrontDoor {
    /// Listens on all addresses of `options`, or on none: then the error says which one and why. To be called in a
    /// tokio runtime, which serves everything that is no stream.
    pub async fn bind(options: Options, site: Arc<dyn Site>, egress: Arc<Egress>) -> Result<Self, HttpError> {
        let acceptor = options.certificates.as_deref().map(Certificates::server_config).transpose()?;
        let acceptor = acceptor.map(TlsAcceptor::from);
        if let (None, Some(address)) = (&acceptor, options.https.first()) {
            return Err(HttpError::NoCertificate { address: *address });
        }
        let http = listen(&options.http).await?;
        let https = listen(&options.https).await?;
        let shared = Shared::new(options, site, egress);
        let addresses = |listeners: &[Listening]| listeners.iter().map(|(_, address)| *address).collect();
        let mut door =
            Self { shared, http: addresses(&http), https: addresses(&https), acceptors: Vec::new() };
        let plain = http.into_iter().map(|listening| (listening, None));
        let secure = https.into_iter().map(|listening| (listening, acceptor.clone()));
        for ((listener, address), tls) in plain.chain(secure) {
            let task = tokio::spawn(accept(door.shared.clone(), listener, address, tls));
            door.acceptors.push(task.abort_handle());
        }
        tokio::spawn(Shared::summarize(Arc::downgrade(&door.shared)));
        Ok(door)
    }

    /// Where it listens for plain HTTP, in the order of the options, with the ports that port 0 became.
    pub fn http_addrs(&self) -> &[SocketAddr] {
        &self.http
    }

    /// As [`Self::http_addrs`], for HTTPS.
    pub fn https_addrs(&self) -> &[SocketAddr] {
        &self.https
    }

    /// Who is watching, in the order in which they came.
    pub fn viewers(&self) -> Vec<ViewerInfo> {
        self.shared.viewers.info()
    }

    /// Tells a viewer to go. False: there is none of this number.
    pub fn dismiss(&self, id: u64) -> bool {
        self.shared.viewers.get(id).is_some_and(|record| {
            record.leash.pull();
            true
        })
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    /// Lets nobody in any more, finishes what is under way, waits up to `grace` for viewers to leave, and then
    /// dismisses them.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.phase.send_replace(Phase::Draining);
        // Whoever comes next may listen on the same ports.
        while !self.acceptors.iter().all(AbortHandle::is_finished) {
            sleep(Duration::from_millis(1)).await;
        }
        if timeout(grace, self.shared.empty()).await.is_ok() {
            return;
        }
        self.shared.phase.send_replace(Phase::Closed);
        for record in self.shared.viewers.all() {
            record.leash.pull();
        }
        if timeout(LAST, self.shared.empty()).await.is_err() {
            tracing::warn!(open = self.counts().open, "connections did not end in time");
        }
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        for acceptor in &self.acceptors {
            acceptor.abort();
        }
    }
}

type Listening = (TcpListener, SocketAddr);

async fn listen(addresses: &[SocketAddr]) -> Result<Vec<Listening>, HttpError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let failed = |error| HttpError::listen(*address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        listeners.push((listener, bound));
    }
    Ok(listeners)
}
