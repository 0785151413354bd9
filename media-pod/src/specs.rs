//! From the final form of the configuration to what feeds and streams run. Pure.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use millrace_bus::{Container, GopCache};
use millrace_crds::{
    kinds::{ContainerKind, PublishProtocol, SnapshotFormat},
    resolved::{self, FinalFeed, FinalSource, FinalStream, Resolved},
    shared::{self, EnvVar},
};
use millrace_exec::Spec;

use crate::{
    feed::{Activation, FeedSpec, Source},
    intake::Expected,
    pull,
    runners::Command,
    snapshot::Format,
    stream::{SnapshotSpec, StreamSpec},
};

/// Everything that runs, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specs {
    /// Feeds.
    pub feeds: BTreeMap<String, Arc<FeedSpec>>,
    /// Streams.
    pub streams: BTreeMap<String, Arc<StreamSpec>>,
}

impl Specs {
    /// What `resolved` says is to run; relative paths of files begin at `media`.
    pub fn of(resolved: &Resolved, media: &Path) -> Self {
        let feed = |feed: &FinalFeed| (feed.name.clone(), Arc::new(feed_spec(feed, resolved, media)));
        let stream = |stream: &FinalStream| (stream.name.clone(), Arc::new(stream_spec(stream, resolved)));
        let streams: BTreeMap<_, _> = resolved.streams.values().map(stream).collect();
        let mut feeds: BTreeMap<_, _> = resolved.feeds.values().map(feed).collect();
        // What a stream that is passed through is said to be, its feed is.
        for stream in streams.values().filter(|stream| stream.command.is_none()) {
            if let Some(feed) = stream.feeds.first().and_then(|name| feeds.get_mut(name))
                && feed.container == Expected::Any
            {
                Arc::make_mut(feed).container = stream.container;
            }
        }
        Self { feeds, streams }
    }
}

fn feed_spec(feed: &FinalFeed, resolved: &Resolved, media: &Path) -> FeedSpec {
    let (source, description) = match &feed.source {
        FinalSource::Command { argv } => {
            let mut spec = command(argv, &feed.env, feed.memory_per_process, resolved);
            (spec.name, spec.stdout) = (feed.name.clone(), true);
            (Source::Command(Box::new(Command { spec, image: feed.image.clone() })), display(argv))
        }
        FinalSource::File { path, looped, paced, .. } => {
            (Source::File { path: media.join(path), looped: *looped, paced: *paced }, path.clone())
        }
        FinalSource::Pull { url, url_from, credentials } => {
            pull::source(feed, url.as_deref(), url_from.as_ref(), credentials.as_ref(), resolved)
        }
        FinalSource::Publish { path, protocols, .. } => {
            let may = protocols.is_empty() || protocols.contains(&PublishProtocol::Http);
            let closed = (!may).then(|| {
                format!(
                    "By HTTP nobody may publish at {path}: its protocols are {}.",
                    protocols.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ")
                )
            });
            (Source::Publish { path: path.to_string(), closed }, format!("publish at {path}"))
        }
    };
    FeedSpec {
        name: feed.name.clone(),
        restart: feed.restart.clone(),
        source,
        description,
        activation: match feed.activation {
            shared::Activation::Continuous => Activation::Continuous,
            on_demand => Activation::OnDemand(on_demand.linger().unwrap_or_default()),
        },
        resurrect: feed.resurrect,
        silence: feed.silence,
        fallback: feed.fallback.clone(),
        container: Expected::Any,
    }
}

fn stream_spec(stream: &FinalStream, resolved: &Resolved) -> StreamSpec {
    let command = stream.command.as_ref().map(|argv| {
        let mut spec = command(argv, &stream.env, stream.memory_per_process, resolved);
        (spec.name, spec.stdout) = (stream.name.clone(), true);
        spec.stdin = stream.feeds.len() == 1;
        spec.extra_inputs = if stream.feeds.len() > 1 { stream.feeds.len() } else { 0 };
        Box::new(Command { spec, image: stream.image.clone() })
    });
    StreamSpec {
        name: stream.name.clone(),
        restart: stream.restart.clone().filter(|_| command.is_some()),
        path: stream.path.to_string(),
        feeds: stream.feeds.clone(),
        description: stream.command.as_deref().map(display),
        command,
        container: stream.container.map_or(Expected::Any, container),
        flush: stream.flush.unwrap_or(Duration::ZERO),
        resurrect: stream.resurrect,
        silence: stream.silence,
        gop_cache: match stream.gop_cache {
            resolved::GopCache::Bytes(bytes) => GopCache::Bytes(bytes),
            resolved::GopCache::Frames(frames) => GopCache::Frames(frames.into()),
            resolved::GopCache::Off => GopCache::Off,
        },
        snapshot: stream.snapshot.enabled.then(|| SnapshotSpec {
            format: match stream.snapshot.format {
                SnapshotFormat::Jpeg => Format::Jpeg,
                SnapshotFormat::Png => Format::Png,
            },
            quality: stream.snapshot.quality.clamp(1, 100),
        }),
    }
}

/// A command with its environment. What comes out of a Secret must not come out again in what we show of its stderr.
pub(crate) fn command(argv: &[String], env: &[EnvVar], memory: Option<u64>, resolved: &Resolved) -> Spec {
    let mut spec = Spec::new(argv.iter().cloned());
    spec.env = resolved.environment(env);
    let secret = |variable: &&EnvVar| variable.value_from.is_some();
    let names: Vec<&str> = env.iter().filter(secret).map(|variable| variable.name.as_str()).collect();
    spec.secrets = spec
        .env
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(_, value)| value.clone())
        .collect();
    spec.memory_limit = memory;
    spec
}

/// A command line for people to read: arguments with blanks or quotes in them are quoted.
pub(crate) fn display(argv: &[String]) -> String {
    let quote = |argument: &String| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%{}[]?&".contains(c);
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    };
    argv.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn container(kind: ContainerKind) -> Expected {
    Expected::This(match kind {
        ContainerKind::MpegTs => Container::MpegTs,
        ContainerKind::Fmp4 => Container::Fmp4,
        ContainerKind::Matroska | ContainerKind::WebM => Container::Matroska,
        ContainerKind::Flv => Container::Flv,
        ContainerKind::Ogg => Container::Ogg,
        ContainerKind::Mpjpeg => Container::Mpjpeg,
        ContainerKind::Adts => Container::Adts,
        ContainerKind::Mp3 => Container::Mp3,
        ContainerKind::Raw => return Expected::Raw,
    })
}
