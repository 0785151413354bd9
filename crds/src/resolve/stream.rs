use std::collections::BTreeMap;

use super::{
    Context, access, cluster,
    command::{self, Known},
    fault::{Fault, Faults},
    members::{Member, Members},
    restart::restart_text,
};
use crate::{
    hint,
    kinds::StreamSpec,
    resolved::{FinalStream, GopCache},
    shared::Flush,
    yaml::path::FieldPath,
};

/// All Streams in final form; of a set, only the first member that is wrong is complained of.
pub(crate) fn all(
    context: &Context<'_>,
    members: &Members,
    into: &mut Vec<Fault>,
) -> BTreeMap<String, FinalStream> {
    let mut streams = BTreeMap::new();
    let mut wrong: Option<&str> = None;
    for member in &members.streams {
        if wrong == Some(&member.origin) {
            continue;
        }
        let before = into.len();
        if let Some(stream) = one(context, member, &mut Faults { kind: "Stream", name: &member.origin, into })
        {
            streams.insert(member.name.clone(), stream);
        }
        if into.len() > before {
            wrong = Some(&member.origin);
        }
    }
    streams
}

fn one(context: &Context<'_>, member: &Member<StreamSpec>, faults: &mut Faults<'_>) -> Option<FinalStream> {
    let spec = &member.spec;
    cluster::check_ref(context, &spec.cluster_ref.name, faults);
    access::env(context, &spec.env, faults);
    if let Some(rules) = &spec.access {
        access::access(context, rules, &FieldPath::of("spec.access"), faults);
    }
    for (place, push) in spec.push.iter().enumerate() {
        if let Some(from) = &push.key_from {
            let field = FieldPath::of("spec.push").index(place).key("keyFrom").key("secretKeyRef");
            access::key(context, &from.secret_key_ref, &field, faults);
        }
    }
    if let Some(record) = &spec.record
        && !context.cluster_unknown
        && !context.cluster.storage.contains_key(&record.storage)
    {
        let help = hint::help(&record.storage, context.cluster.storage.keys().map(String::as_str));
        let message = format!("the Cluster has no storage {}", record.storage);
        faults.add(FieldPath::of("spec.record.storage"), message, help);
    }
    Some(FinalStream {
        name: member.name.clone(),
        restart: context.objects.restarts.streams.get(&member.origin).map(|text| restart_text(text)),
        path: spec.path.clone(),
        feeds: spec.feeds.clone(),
        command: match argv(context, spec, faults) {
            Command::Argv(argv) => Some(argv),
            Command::PassedThrough => None,
            Command::Wrong => return None,
        },
        container: spec.container,
        protocols: spec.protocols.clone(),
        flush: match spec.flush {
            Flush::Now => None,
            Flush::After(gather) => Some(gather.get()),
        },
        gop_cache: GopCache::from(&spec.gop_cache),
        snapshot: spec.snapshot.clone(),
        hls: spec.hls.clone(),
        renditions: spec.renditions.clone(),
        record: spec.record.clone(),
        push: spec.push.clone(),
        access: spec.access.clone(),
        pod: spec.pod,
        image: spec.image.clone(),
        env: spec.env.clone(),
        memory_per_process: context.memory_per_process(spec.resources.as_ref()),
        resources: spec.resources.clone(),
        resurrect: spec.resurrect,
        silence: spec.silence.into(),
    })
}

enum Command {
    Argv(Vec<String>),
    PassedThrough,
    /// What is wrong was said.
    Wrong,
}

/// The Stream's command with everything filled in.
fn argv(context: &Context<'_>, spec: &StreamSpec, faults: &mut Faults<'_>) -> Command {
    let known = Known::of_stream(&spec.feeds);
    let argv = match (&spec.command, &spec.template) {
        (Some(command), _) => command::inline(command, &known, &FieldPath::of("spec.command"), faults),
        (None, Some(_)) if context.cluster_unknown => None,
        (None, Some(reference)) => {
            let field = FieldPath::of("spec.template");
            command::template(reference, &context.cluster.templates, &known, &field, faults)
        }
        (None, None) => return Command::PassedThrough,
    };
    argv.map_or(Command::Wrong, Command::Argv)
}
