//! The command line.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;

use crate::{keys, logging};

/// Turns Feeds, Streams and Clusters into running media pods.
#[derive(Clone, Debug, Parser)]
#[command(name = "millrace-operator", version, about, max_term_width = 100)]
pub struct Cli {
    /// Work in this namespace only, with no rights beyond it; may be given more than once. Without it: in all.
    #[arg(long, value_name = "NAMESPACE", env = "NAMESPACES", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// The image of media pods, where a Cluster names none.
    #[arg(long, value_name = "IMAGE", env = "MEDIA_POD_IMAGE", default_value = concat!("millrace/media-pod:", env!("CARGO_PKG_VERSION")))]
    pub media_pod_image: String,
    /// The image that commands run in, where neither Cluster nor Feed name one.
    #[arg(long, value_name = "IMAGE", env = "TRANSCODER_IMAGE", default_value = concat!("millrace/transcoder:", env!("CARGO_PKG_VERSION")))]
    pub transcoder_image: String,
    /// When nodes pull these images; as Kubernetes does by itself if this is not said.
    #[arg(long, value_name = "POLICY", env = "IMAGE_PULL_POLICY", value_parser = ["Always", "IfNotPresent", "Never"])]
    pub image_pull_policy: Option<String>,
    /// Where media pods reach the operator: HOST:PORT of a headless Service. Default:
    /// millrace-operator-link.NAMESPACE.svc:9443.
    #[arg(long, value_name = "HOST:PORT", env = "LINK_ADDRESS")]
    pub link_address: Option<String>,
    /// Listen here for media pods.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    pub link_listen: SocketAddr,
    /// Listen here for health and metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub http: SocketAddr,
    /// How long the keys of media pods and of grants are in use (`30d`, `12h`); those before and after are believed for a
    /// tenth of it, too. At least one hour.
    #[arg(long, value_name = "TIME", env = "ROTATE_KEYS_EVERY", default_value = "30d", value_parser = period)]
    pub rotate_keys_every: Duration,
    /// The name of the Lease by which replicas choose who leads.
    #[arg(long, value_name = "NAME", default_value = "millrace-operator")]
    pub leader_lease: String,
    /// The name of this replica.
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "millrace-operator")]
    pub pod_name: String,
    /// The operator's own namespace: its Lease, and the Secret that replicas share, are there.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "millrace-system")]
    pub pod_namespace: String,
    /// The format of the log.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: logging::Format,
    /// How much to log: error, warn, info, debug or trace, or by module as in `RUST_LOG`.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
}

impl Cli {
    /// Where media pods reach the operator.
    pub fn link(&self) -> String {
        let default = || format!("millrace-operator-link.{}.svc:9443", self.pod_namespace);
        self.link_address.clone().unwrap_or_else(default)
    }
}

/// Days, hours or minutes.
fn period(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time of at least one hour; 30d, 12h or 90m would be");
    let mut digits = text.chars();
    let times = |number: u64, minutes: u64| {
        number.checked_mul(minutes).filter(|it| *it < u64::MAX / 60).map(Duration::from_mins)
    };
    let unit = digits.next_back();
    let number = digits.as_str().parse().map_err(|_| wrong())?;
    let period = match unit {
        Some('d') => times(number, 24 * 60),
        Some('h') => times(number, 60),
        Some('m') => times(number, 1),
        _ => None,
    };
    // A thousand years are enough for everybody.
    period.filter(|it| (keys::SHORTEST..=Duration::from_hours(24 * 366_000)).contains(it)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let cli = Cli::parse_from([
            "millrace-operator",
            "--pod-namespace",
            "x",
            "--namespace",
            "a,b",
            "--namespace",
            "c",
        ]);
        assert_eq!(cli.link(), "millrace-operator-link.x.svc:9443");
        assert_eq!(cli.namespace, ["a", "b", "c"]);
    }

    #[test]
    fn a_period_is_days_hours_or_minutes_and_one_hour_at_least() {
        assert_eq!(period("30d"), Ok(keys::PERIOD));
        assert_eq!(period("90m"), Ok(Duration::from_mins(90)));
        for wrong in
            ["59m", "0d", "d", "", "30", "-1d", "1s", "99999999999999999999d", "9999999999999999d", "\u{e9}"]
        {
            assert!(period(wrong).unwrap_err().contains("30d"), "{wrong}");
        }
    }
}
