//! Secrets that are named must be there and hold what is needed.

use super::{Context, fault::Faults};
use crate::{
    hint,
    resolved::FinalSecret,
    shared::{Access, EnvVar, Grant, SecretKeyRef},
    yaml::path::FieldPath,
};

/// The Secret of this name, if it is there; else that is a fault.
pub(crate) fn secret<'a>(
    context: &Context<'a>,
    name: &str,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<&'a FinalSecret> {
    let found = context.secrets.get(name);
    if found.is_none() && !context.objects.is_broken("Secret", name) {
        let help = match hint::nearest(name, context.secrets.keys().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => "add a document of kind Secret with this name".to_owned(),
        };
        faults.add(field.clone(), format!("there is no Secret {name}"), help);
    }
    found
}

pub(crate) fn user_and_password(
    context: &Context<'_>,
    name: &str,
    field: FieldPath,
    faults: &mut Faults<'_>,
) {
    if let Some(secret) = secret(context, name, &field, faults)
        && secret.user_and_password().is_none()
    {
        let message = format!("the Secret {name} has not both username and password");
        faults.add(field, message, "type: kubernetes.io/basic-auth, with both as stringData");
    }
}

pub(crate) fn certificate(context: &Context<'_>, name: &str, field: FieldPath, faults: &mut Faults<'_>) {
    if let Some(secret) = secret(context, name, &field, faults)
        && secret.certificate_and_key().is_none()
    {
        let message = format!("the Secret {name} has not both tls.crt and tls.key");
        faults.add(field, message, "type: kubernetes.io/tls, with both in PEM");
    }
}

pub(crate) fn key(
    context: &Context<'_>,
    reference: &SecretKeyRef,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) {
    let Some(secret) = secret(context, &reference.name, &field.key("name"), faults) else { return };
    match secret.data.get(&reference.key) {
        Some(value) if std::str::from_utf8(value).is_ok_and(|text| !text.contains('\0')) => {}
        Some(_) => {
            let message = format!("the key {} of Secret {} is no text", reference.key, reference.name);
            faults.add(field.key("key"), message, "UTF-8 without NUL");
        }
        None => {
            let help = hint::help(&reference.key, secret.data.keys().map(String::as_str));
            let message = format!("the Secret {} has no key {}", reference.name, reference.key);
            faults.add(field.key("key"), message, help);
        }
    }
}

pub(crate) fn access(context: &Context<'_>, access: &Access, field: &FieldPath, faults: &mut Faults<'_>) {
    for (name, it) in [("play", &access.play), ("publish", &access.publish), ("operate", &access.operate)] {
        if let Some(it) = it {
            grant(context, it, &field.key(name), faults);
        }
    }
}

pub(crate) fn grant(context: &Context<'_>, grant: &Grant, field: &FieldPath, faults: &mut Faults<'_>) {
    if let Some(basic) = &grant.basic {
        user_and_password(
            context,
            &basic.secret_ref.name,
            field.key("basic").key("secretRef").key("name"),
            faults,
        );
    }
    if let Some(token) = &grant.token {
        let field = field.key("token").key("keyFrom").key("secretKeyRef");
        key(context, &token.key_from.secret_key_ref, &field, faults);
    }
    if let Some(certificate) = &grant.certificate {
        let field = field.key("certificate").key("secretRef").key("name");
        if let Some(secret) = secret(context, &certificate.secret_ref.name, &field, faults)
            && !secret.data.contains_key("ca.crt")
        {
            let message = format!("the Secret {} has no key ca.crt", certificate.secret_ref.name);
            faults.add(field, message, "the authorities that may have signed a client's certificate, in PEM");
        }
    }
}

pub(crate) fn env(context: &Context<'_>, variables: &[EnvVar], faults: &mut Faults<'_>) {
    for (place, variable) in variables.iter().enumerate() {
        let field = FieldPath::of("spec.env").index(place);
        if let Some(from) = &variable.value_from {
            key(context, &from.secret_key_ref, &field.key("valueFrom").key("secretKeyRef"), faults);
        }
        if variable.value.as_ref().is_some_and(|value| value.contains('\0')) {
            faults.add(field.key("value"), "a value holds a NUL byte", "programs cannot be given one");
        }
    }
}
