//! Why: the one table of reasons, for conditions, events and metrics. `docs/reasons.md` says what to do about each.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident: $warning:literal;)+) => {
        /// Why something is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As in conditions, events and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Whether an Event of it is a warning.
            pub const fn is_warning(self) -> bool {
                match self {
                    $(Self::$name => $warning,)+
                }
            }

            /// What it means, in a line.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The reason of this name.
            pub fn of(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// It gives media.
    Running: false;
    /// It rests because nobody uses it, and starts for the first viewer.
    Idle: false;
    /// It was started and has given nothing yet.
    Starting: false;
    /// The command is alive and gives nothing.
    Silent: true;
    /// It failed and is started again.
    Backoff: true;
    /// It ended and is not started again, because of `resurrect: false`.
    Failed: true;
    /// Another Feed of `spec.fallback` gives the media in its place.
    FallbackActive: true;
    /// It gives its own media.
    FallbackAtRest: false;
    /// A Feed of `spec.fallback` is not there, or cannot run.
    FallbackNotFound: true;
    /// A group of pictures is larger than the cache, so `?keyframe` waits for the next one.
    GopTooLong: true;
    /// Groups of pictures fit into the cache.
    GopFits: false;
    /// A Feed that it needs gives nothing.
    FeedNotReady: true;
    /// A Feed that it names is not there.
    FeedNotFound: true;
    /// A Feed that it names is there, but cannot run.
    FeedInvalid: true;
    /// The Cluster that it names is not there.
    ClusterNotFound: true;
    /// The Cluster that it names cannot run.
    ClusterInvalid: true;
    /// A template that it names is not one of the Cluster's.
    TemplateNotFound: true;
    /// A field is wrong; what ran before runs on.
    Invalid: true;
    /// The object cannot be read as what it claims to be; what ran before runs on.
    Unreadable: true;
    /// Its path is that of another, which had it first.
    PathTaken: true;
    /// A Secret that it names is not there.
    SecretNotFound: true;
    /// A Secret that it names lacks what is needed.
    SecretInvalid: true;
    /// The configuration of its media pod would be larger than a ConfigMap may be.
    TooLarge: true;
    /// It was seen and will be put into a media pod.
    Pending: false;
    /// Kubernetes finds no node for the media pod.
    Unschedulable: true;
    /// An image of the media pod cannot be pulled.
    ImagePull: true;
    /// The media pod is starting.
    PodStarting: false;
    /// A container of the media pod ends again and again.
    PodCrashing: true;
    /// The media pod refused its configuration and runs the one before.
    ConfigurationRefused: true;
    /// The media pod is Ready, but the operator does not hear it.
    PodSilent: true;
    /// The media pod does not run the newest configuration yet.
    ConfigurationPending: false;
    /// No balancer is Ready, so nobody can reach it.
    NoBalancer: false;
    /// All server pods and balancers are Ready.
    ServersReady: false;
    /// Some server pods are not Ready.
    ServersNotReady: false;
    /// Some balancers are not Ready.
    BalancersNotReady: false;
    /// All balancers are Ready.
    BalancersReady: false;
    /// It has another owner: the one before is gone, was started anew, or its Lease was lost.
    FailedOver: true;
    /// It was moved to another media pod, which was ready before the old one stopped.
    Moved: false;
    /// So many media pods fell silent at once that nothing is failed over for silence.
    FailoverPaused: true;
    /// Silence of a media pod is believed.
    FailoverWatches: false;
    /// Media pods are being emptied.
    Draining: false;
    /// What a media pod on a cordoned node has runs on there, because no other can take it.
    DrainWaits: true;
    /// No media pod is being emptied.
    NotDraining: false;
    /// The cloud has given the Service no address yet.
    AddressPending: false;
    /// Viewers can reach it.
    AddressKnown: false;
    /// All balancers have links to all Clusters of `spec.upstreams`.
    Connected: false;
    /// Balancers have no link to a Cluster of `spec.upstreams`.
    UpstreamLost: true;
    /// It is not known yet whether balancers have links to the Clusters of `spec.upstreams`.
    NotReported: false;
    /// The name of a member is that of an object that is not the set's.
    NameTaken: true;
    /// All members of the set are there.
    MembersCreated: false;
    /// All members of the set are Ready.
    MembersReady: false;
    /// Some members of the set are not Ready.
    MembersNotReady: false;
    /// This version of Millrace does not serve it yet.
    NotServed: false;
}

impl Reason {
    /// Whether it was started and gives nothing: what starts then has not recovered yet.
    pub const fn gives_nothing(self) -> bool {
        matches!(self, Self::Silent | Self::Backoff | Self::Failed)
    }
}

/// A reason, with a sentence about the case at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The reason.
    pub reason: Reason,
    /// The sentence.
    pub message: String,
}

impl Why {
    /// A reason with a sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn the_table_in_the_docs_and_the_code_are_the_same() {
        let table = include_str!("../../docs/reasons.md");
        let rows: Vec<Vec<&str>> = table
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        let shown: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
        let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(shown, known, "docs/reasons.md has another order, or others");
        for (row, reason) in rows.iter().zip(Reason::ALL) {
            assert_eq!(row.len(), 4, "{row:?}");
            assert_eq!(row[2], reason.meaning(), "{}", reason.name());
            assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
            assert_eq!(Reason::of(reason.name()), Some(*reason));
        }
    }
}
