//! Which Cluster it is, and whether it is well by itself.

use std::net::IpAddr;

use super::{
    Context, Objects, access,
    command::{allowed_args, used_names},
    fault::{Fault, Faults},
};
use crate::{hint, kinds::ClusterSpec, yaml::path::FieldPath};

/// The Cluster that everything runs on: the one there is, else one called `default` with every default.
pub(crate) fn choose(objects: &Objects, into: &mut Vec<Fault>) -> (String, ClusterSpec) {
    let mut clusters = objects.clusters.iter();
    let Some((name, spec)) = clusters.next() else { return ("default".to_owned(), ClusterSpec::default()) };
    for (other, _) in clusters.filter(|(other, _)| other != name) {
        Faults { kind: "Cluster", name: other, into }.add(
            FieldPath::of("metadata.name"),
            format!("there is another Cluster, {name}: a media pod runs one"),
            "keep one Cluster in the file",
        );
    }
    (name.clone(), spec.clone())
}

/// Whether this is the name of the Cluster.
pub(crate) fn check_ref(context: &Context<'_>, name: &str, faults: &mut Faults<'_>) {
    let known = name == context.cluster_name
        || faults.is_full()
        || context.objects.clusters.iter().any(|(cluster, _)| cluster == name)
        || context.objects.is_broken("Cluster", name);
    if !known {
        let help = if context.objects.clusters.is_empty() {
            "add a document of kind Cluster with this name, or leave clusterRef out".to_owned()
        } else {
            format!("the Cluster here is {}", context.cluster_name)
        };
        faults.add(FieldPath::of("spec.clusterRef.name"), format!("there is no Cluster {name}"), help);
    }
}

pub(crate) fn check(context: &Context<'_>, into: &mut Vec<Fault>) {
    let spec = context.cluster;
    let faults = &mut Faults { kind: "Cluster", name: context.cluster_name, into };
    if let Some(tls) = &spec.tls {
        access::certificate(context, &tls.secret_name, FieldPath::of("spec.tls.secretName"), faults);
    }
    if let Some(rules) = &spec.access {
        access::access(context, rules, &FieldPath::of("spec.access"), faults);
    }
    addresses(spec, faults);
    for (name, storage) in &spec.storage {
        if let Some(credentials) = storage.s3.as_ref().and_then(|s3| s3.credentials.as_ref()) {
            let field =
                FieldPath::of("spec.storage").key(name).key("s3").key("credentials").key("secretName");
            access::secret(context, &credentials.secret_name, &field, faults);
        }
    }
    for (place, upstream) in spec.upstreams.iter().enumerate() {
        if let Some(credentials) = &upstream.credentials {
            let field = FieldPath::of("spec.upstreams").index(place).key("credentials").key("secretName");
            let found = access::secret(context, &credentials.secret_name, &field, faults);
            if found.is_some_and(|it| it.user_and_password().is_none() && !it.data.contains_key("ca.crt")) {
                let message = format!(
                    "the Secret {} has neither username and password nor ca.crt",
                    credentials.secret_name
                );
                faults.add(
                    field,
                    message,
                    "username and password as stringData, ca.crt in PEM, or all three",
                );
            }
        }
    }
    templates(spec, faults);
}

fn addresses(spec: &ClusterSpec, faults: &mut Faults<'_>) {
    let it = &spec.listeners;
    let listeners = [
        ("http", it.http.as_ref().map(|it| (it.port, &it.address)), true),
        ("https", it.https.as_ref().map(|it| (it.port, &it.address)), true),
        ("rtmp", it.rtmp.as_ref().map(|it| (it.port, &it.address)), true),
        ("rtmps", it.rtmps.as_ref().map(|it| (it.port, &it.address)), true),
        ("rtsp", it.rtsp.as_ref().map(|it| (it.port, &it.address)), true),
        ("srt", it.srt.as_ref().map(|it| (it.port, &it.address)), false),
        ("webrtc", it.webrtc.as_ref().map(|it| (it.port, &it.address)), false),
    ];
    let mut taken: Vec<(u16, bool, &str)> = Vec::new();
    for (name, listener, tcp) in listeners {
        let Some((port, address)) = listener else { continue };
        let field = FieldPath::of("spec.listeners").key(name);
        if let Some(address) = address
            && address.parse::<IpAddr>().is_err()
        {
            faults.add(
                field.key("address"),
                format!("{address} is no IP address"),
                "such as 127.0.0.1 or ::",
            );
        }
        if let Some((_, _, other)) = taken.iter().find(|(used, same, _)| *used == port && *same == tcp) {
            faults.add(field.key("port"), format!("{other} has the port {port}, too"), "a port of its own");
        }
        taken.push((port, tcp, name));
    }
}

/// Templates that stand on others must end in a command.
fn templates(spec: &ClusterSpec, faults: &mut Faults<'_>) {
    for (name, template) in &spec.templates {
        let field = FieldPath::of("spec.templates").key(name);
        allowed_args(template.args.keys(), &field.key("args"), faults);
        let used = used_names(template);
        for arg in template.args.keys().filter(|arg| !used.contains(&arg.as_str())) {
            let message = format!("the template does not use its argument {arg}");
            faults.add(
                field.key("args").key(arg),
                message,
                format!("write {{{arg}}} where it belongs, or remove it"),
            );
        }
        let Some(below) = &template.template else { continue };
        allowed_args(below.args.keys(), &field.key("template").key("args"), faults);
        let field = field.key("template").key("name");
        let mut chain = vec![name.as_str()];
        let mut next = Some(below.name.as_str());
        while let Some(current) = next {
            if chain.contains(&current) {
                // Only who is on the ring says so; who leads to it is not at fault.
                if current == name {
                    chain.push(current);
                    let message = format!("the template names itself: {}", chain.join(" -> "));
                    faults.add(field.clone(), message, "one of them needs a command");
                }
                break;
            }
            chain.push(current);
            match spec.templates.get(current) {
                Some(template) => next = template.template.as_ref().map(|below| below.name.as_str()),
                None if chain.len() == 2 => {
                    let help = hint::help(current, spec.templates.keys().map(String::as_str));
                    faults.add(field.clone(), format!("there is no template {current}"), help);
                    next = None;
                }
                None => next = None,
            }
        }
        if chain.len() > 16 {
            faults.add(field, "more than 16 templates stand on each other", "fewer");
        }
    }
}
