use std::collections::BTreeMap;

use super::{
    Context, access, cluster,
    command::{self, Known},
    fault::{Fault, Faults},
    members::{Member, Members},
    restart::restart_text,
};
use crate::{
    kinds::{FeedSpec, Source},
    resolved::{FinalFeed, FinalSource, FinalStream},
    yaml::path::FieldPath,
};

/// Feeds that do not say who may send to them take it from the first of their Streams that does: who runs a Feed need not
/// know its Streams.
pub(crate) fn who_may_send(feeds: &mut BTreeMap<String, FinalFeed>, streams: &BTreeMap<String, FinalStream>) {
    for stream in streams.values() {
        let Some(said) = stream.access.as_ref().and_then(|access| access.publish.as_ref()) else { continue };
        for name in &stream.feeds {
            if let Some(FinalSource::Publish { access, .. }) =
                feeds.get_mut(name).map(|feed| &mut feed.source)
            {
                access.get_or_insert_with(|| said.clone());
            }
        }
    }
}

/// All Feeds in final form; of a set, only the first member that is wrong is complained of.
pub(crate) fn all(
    context: &Context<'_>,
    members: &Members,
    into: &mut Vec<Fault>,
) -> BTreeMap<String, FinalFeed> {
    let mut feeds = BTreeMap::new();
    let mut wrong: Option<&str> = None;
    for member in &members.feeds {
        if wrong == Some(&member.origin) {
            continue;
        }
        let before = into.len();
        if let Some(feed) = one(context, member, &mut Faults { kind: "Feed", name: &member.origin, into }) {
            feeds.insert(member.name.clone(), feed);
        }
        if into.len() > before {
            wrong = Some(&member.origin);
        }
    }
    feeds
}

fn one(context: &Context<'_>, member: &Member<FeedSpec>, faults: &mut Faults<'_>) -> Option<FinalFeed> {
    let spec = &member.spec;
    cluster::check_ref(context, &spec.cluster_ref.name, faults);
    access::env(context, &spec.env, faults);
    Some(FinalFeed {
        name: member.name.clone(),
        restart: context.objects.restarts.feeds.get(&member.origin).map(|text| restart_text(text)),
        source: source(context, &spec.source, faults)?,
        fallback: spec.fallback.clone(),
        activation: spec.activation,
        resurrect: spec.resurrect,
        silence: spec.silence.into(),
        image: spec.image.clone(),
        env: spec.env.clone(),
        memory_per_process: context.memory_per_process(spec.resources.as_ref()),
        resources: spec.resources.clone(),
        standby: spec.standby,
    })
}

fn source(context: &Context<'_>, source: &Source, faults: &mut Faults<'_>) -> Option<FinalSource> {
    let field = FieldPath::of("spec.source");
    if let Some(command) = &source.command {
        let argv = command::inline(command, &Known::of_feed(), &field.key("command"), faults)?;
        return Some(FinalSource::Command { argv });
    }
    if let Some(reference) = &source.template {
        if context.cluster_unknown {
            return None;
        }
        let templates = &context.cluster.templates;
        let field = field.key("template");
        let argv = command::template(reference, templates, &Known::of_feed(), &field, faults)?;
        return Some(FinalSource::Command { argv });
    }
    if let Some(file) = source.file.clone() {
        if file.path.contains('\0') {
            faults.add(field.key("file").key("path"), "the path holds a NUL byte", "a path without it");
        }
        return Some(FinalSource::File {
            path: file.path,
            looped: file.looped,
            paced: file.paced,
            volume: file.volume,
        });
    }
    if let Some(pull) = source.pull.clone() {
        let field = field.key("pull");
        if let Some(from) = &pull.url_from {
            access::key(context, &from.secret_key_ref, &field.key("urlFrom").key("secretKeyRef"), faults);
        }
        if let Some(credentials) = &pull.credentials {
            let field = field.key("credentials").key("secretRef").key("name");
            access::user_and_password(context, &credentials.secret_ref.name, field, faults);
        }
        return Some(FinalSource::Pull {
            url: pull.url,
            url_from: pull.url_from,
            credentials: pull.credentials,
        });
    }
    let publish = source.publish.clone()?;
    if let Some(grant) = &publish.access {
        access::grant(context, grant, &field.key("publish").key("access"), faults);
    }
    Some(FinalSource::Publish { protocols: publish.protocols, path: publish.path, access: publish.access })
}
