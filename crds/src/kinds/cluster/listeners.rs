use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// What is listened for. Exactly the protocols that are named; with nothing named, nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::HTTP_PORTS)]
pub struct Listeners {
    /// HTTP: streams, snapshots, HLS, DASH, WHIP, WHEP, the status pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpListener>,
    /// The same over TLS; it needs the Cluster's `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<HttpsListener>,
    /// RTMP, plain and enhanced, to publish and to play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtmp: Option<RtmpListener>,
    /// RTMP over TLS; it needs the Cluster's `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtmps: Option<RtmpsListener>,
    /// RTSP, to publish and to play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtsp: Option<RtspListener>,
    /// SRT in live mode, over UDP, to publish and to play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srt: Option<SrtListener>,
    /// The media of WebRTC, over UDP; its signalling is HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webrtc: Option<WebrtcListener>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            http: Some(HttpListener::default()),
            https: None,
            rtmp: None,
            rtmps: None,
            rtsp: None,
            srt: None,
            webrtc: None,
        }
    }
}

macro_rules! listener {
    ($name:ident, $default:ident, $default_path:literal, $port:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            #[doc = concat!("The port (1 to 65535). Default: ", stringify!($port), ".")]
            #[serde(default = $default_path)]
            #[schemars(range(min = 1, max = 65535))]
            pub port: u16,
            /// The IP address to listen on, without Kubernetes: `127.0.0.1`, `::`. Default: all of them.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 2, max = 45), regex(pattern = "^[0-9a-fA-F.:]+$"))]
            pub address: Option<String>,
        }

        const fn $default() -> u16 {
            $port
        }

        impl Default for $name {
            fn default() -> Self {
                Self { port: $port, address: None }
            }
        }
    };
}

listener!(HttpListener, http_port, "http_port", 8080, "Where HTTP is listened for.");
listener!(HttpsListener, https_port, "https_port", 8443, "Where HTTPS is listened for.");
listener!(RtmpListener, rtmp_port, "rtmp_port", 1935, "Where RTMP is listened for.");
listener!(RtmpsListener, rtmps_port, "rtmps_port", 1936, "Where RTMPS is listened for.");
listener!(RtspListener, rtsp_port, "rtsp_port", 8554, "Where RTSP is listened for.");
listener!(SrtListener, srt_port, "srt_port", 8890, "Where SRT is listened for.");
listener!(WebrtcListener, webrtc_port, "webrtc_port", 8189, "Where WebRTC is listened for.");
