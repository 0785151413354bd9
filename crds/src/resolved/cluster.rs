use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::Serialize;

use crate::{
    kinds::{
        Balancers, ClusterSpec, Heartbeat, HttpListener, HttpsListener, Limits, Listeners, RtmpListener,
        RtmpsListener, RtspListener, Servers, Service, SrtListener, StatusApi, StatusPage, Storage, Tls,
        Upstream, WebrtcListener,
    },
    shared::{Access, Grant},
};

/// The Cluster in final form: without templates, with every default.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalCluster {
    /// Its name; `default` when the file has none.
    pub name: String,
    /// Where HTTP is listened for.
    pub http: Option<FinalListener>,
    /// Where HTTPS is listened for; then `tls_secret` is there, too.
    pub https: Option<FinalListener>,
    /// Where RTMP is listened for.
    pub rtmp: Option<FinalListener>,
    /// Where RTMPS is listened for; then `tls_secret` is there, too.
    pub rtmps: Option<FinalListener>,
    /// Where RTSP is listened for.
    pub rtsp: Option<FinalListener>,
    /// Where SRT is listened for (UDP).
    pub srt: Option<FinalListener>,
    /// Where the media of WebRTC is listened for (UDP).
    pub webrtc: Option<FinalListener>,
    /// The Secret with the certificate; it is among `Resolved::secrets`.
    pub tls_secret: Option<String>,
    /// The status page for people.
    pub status_page: StatusPage,
    /// The status for programs.
    pub status_api: StatusApi,
    /// Who may do what.
    pub access: FinalAccess,
    /// How long a connection may be quiet before it is asked whether it still lives.
    pub keepalive: Duration,
    /// How pods tell each other that they live.
    pub heartbeat: Heartbeat,
    /// What viewers may take.
    pub limits: Limits,
    /// Where recordings go, by name.
    pub storage: BTreeMap<String, Storage>,
    /// Other Clusters that streams are pulled from.
    pub upstreams: Vec<Upstream>,
    /// The Service that viewers reach; nothing without Kubernetes.
    pub service: Service,
    /// The pods that run Feeds and Streams; nothing without Kubernetes.
    pub servers: Servers,
    /// The pods that viewers connect to; nothing without Kubernetes.
    pub balancers: Balancers,
}

/// Where something is listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalListener {
    /// The port, never 0.
    pub port: u16,
    /// The address; `None`: all of them.
    pub address: Option<IpAddr>,
}

/// Who may do what, with the defaults filled in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalAccess {
    /// Who may watch streams and take snapshots.
    pub play: Grant,
    /// Who may send to feeds that wait for a publisher.
    pub publish: Grant,
    /// Who may see status pages and metrics, and act; `None`: anyone may look, nobody may act.
    pub operate: Option<Grant>,
}

macro_rules! listeners {
    ($($name:ident: $kind:ident),*) => {$(
        fn $name(listener: Option<&$kind>) -> Option<FinalListener> {
            // An address that does not parse was refused when the file was checked.
            listener.map(|it| FinalListener { port: it.port, address: it.address.as_deref().and_then(|ip| ip.parse().ok()) })
        }

        impl From<FinalListener> for $kind {
            fn from(it: FinalListener) -> Self {
                Self { port: it.port, address: it.address.map(|ip| ip.to_string()) }
            }
        }
    )*};
}

listeners!(http: HttpListener, https: HttpsListener, rtmp: RtmpListener, rtmps: RtmpsListener, rtsp: RtspListener,
    srt: SrtListener, webrtc: WebrtcListener);

impl FinalCluster {
    pub(crate) fn from_spec(name: &str, spec: &ClusterSpec) -> Self {
        let anyone = || Grant { anyone: true, ..Grant::default() };
        let access = spec.access.clone().unwrap_or_default();
        Self {
            name: name.to_owned(),
            http: http(spec.listeners.http.as_ref()),
            https: https(spec.listeners.https.as_ref()),
            rtmp: rtmp(spec.listeners.rtmp.as_ref()),
            rtmps: rtmps(spec.listeners.rtmps.as_ref()),
            rtsp: rtsp(spec.listeners.rtsp.as_ref()),
            srt: srt(spec.listeners.srt.as_ref()),
            webrtc: webrtc(spec.listeners.webrtc.as_ref()),
            tls_secret: spec.tls.as_ref().map(|tls| tls.secret_name.clone()),
            status_page: spec.status_page.clone(),
            status_api: spec.status_api.clone(),
            access: FinalAccess {
                play: access.play.unwrap_or_else(anyone),
                publish: access.publish.unwrap_or_else(anyone),
                operate: access.operate,
            },
            keepalive: spec.keepalive.into(),
            heartbeat: spec.heartbeat.clone(),
            limits: spec.limits.clone(),
            storage: spec.storage.clone(),
            upstreams: spec.upstreams.clone(),
            service: spec.service.clone(),
            servers: spec.servers.clone(),
            balancers: spec.balancers.clone(),
        }
    }

    pub(crate) fn to_spec(&self) -> ClusterSpec {
        ClusterSpec {
            listeners: Listeners {
                http: self.http.map(Into::into),
                https: self.https.map(Into::into),
                rtmp: self.rtmp.map(Into::into),
                rtmps: self.rtmps.map(Into::into),
                rtsp: self.rtsp.map(Into::into),
                srt: self.srt.map(Into::into),
                webrtc: self.webrtc.map(Into::into),
            },
            service: self.service.clone(),
            servers: self.servers.clone(),
            balancers: self.balancers.clone(),
            templates: BTreeMap::new(),
            status_page: self.status_page.clone(),
            status_api: self.status_api.clone(),
            storage: self.storage.clone(),
            access: Some(Access {
                play: Some(self.access.play.clone()),
                publish: Some(self.access.publish.clone()),
                operate: self.access.operate.clone(),
            }),
            tls: self.tls_secret.clone().map(|secret_name| Tls { secret_name }),
            upstreams: self.upstreams.clone(),
            heartbeat: self.heartbeat.clone(),
            keepalive: self.keepalive.into(),
            limits: self.limits.clone(),
        }
    }
}
