//! A command, or a template with its arguments, becomes an argv.

use std::collections::BTreeMap;

use super::{
    fault::Faults,
    placeholder::{self, PlaceholderError},
};
use crate::{
    hint,
    kinds::Template,
    shared::{ArgValue, TemplateRef},
    yaml::path::FieldPath,
};

/// How many templates may stand on each other.
const MAX_CHAIN: usize = 16;

/// What the placeholders that Millrace fills stand for, by name: `input`, `output`, `feed:NAME`.
pub(crate) struct Known {
    names: BTreeMap<String, String>,
    /// Why a name that people try is not there.
    absent: Vec<(&'static str, String)>,
}

impl Known {
    /// Of a Feed's command.
    pub(crate) fn of_feed() -> Self {
        let no_input = "a Feed has no input: it is where media begin".to_owned();
        Self { names: [("output".to_owned(), "pipe:1".to_owned())].into(), absent: vec![("input", no_input)] }
    }

    /// Of a Stream's command, by its Feeds.
    pub(crate) fn of_stream(feeds: &[String]) -> Self {
        let mut names = BTreeMap::from([("output".to_owned(), "pipe:1".to_owned())]);
        let mut absent = Vec::new();
        match feeds {
            [] => absent.push(("input", "the Stream has no feeds: add one, or leave {input} out".to_owned())),
            [one] => {
                names.insert("input".to_owned(), "pipe:0".to_owned());
                names.insert(format!("feed:{one}"), "pipe:0".to_owned());
            }
            several => {
                let each: Vec<_> = several.iter().map(|feed| format!("{{feed:{feed}}}")).collect();
                absent.push(("input", format!("with several feeds, each has its own: {}", each.join(", "))));
                for (place, feed) in several.iter().enumerate() {
                    names.insert(format!("feed:{feed}"), format!("pipe:{}", place + 3));
                }
            }
        }
        Self { names, absent }
    }

    fn help(&self, name: &str, args: &BTreeMap<String, String>) -> String {
        if let Some((_, why)) = self.absent.iter().find(|(absent, _)| *absent == name) {
            return why.clone();
        }
        if name == "each" {
            return "{each} is there in a set, of spec.each or spec.eachOf; a template gets it as an argument".to_owned();
        }
        let known = self.names.keys().chain(args.keys()).map(String::as_str);
        let braced: Vec<String> = known.clone().map(|name| format!("{{{name}}}")).collect();
        match hint::nearest(name, known) {
            Some(near) => format!("did you mean {{{near}}}?"),
            None => format!("known: {}; write {{{{ and }}}} for braces", braced.join(", ")),
        }
    }
}

/// Fills in a command that stands in the object itself.
pub(crate) fn inline(
    command: &[String],
    known: &Known,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Vec<String>> {
    let args = BTreeMap::new();
    let filled = fill_all(command, known, &args);
    report(&filled, known, &args, faults, |place| field.index(place), "");
    check_program(
        filled.iter().map(|it| it.as_ref().ok().cloned()).collect::<Option<Vec<_>>>()?,
        field,
        faults,
    )
}

/// Fills in a template of the Cluster.
pub(crate) fn template(
    reference: &TemplateRef,
    templates: &BTreeMap<String, Template>,
    known: &Known,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Vec<String>> {
    let args_field = field.key("args");
    let mut args: BTreeMap<String, String> =
        reference.args.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    if !allowed_args(reference.args.keys(), &args_field, faults) {
        return None;
    }
    let mut name = reference.name.as_str();
    let mut chain = Vec::new();
    loop {
        let Some(template) = templates.get(name) else {
            let help = match templates.len() {
                0 => "the Cluster has no spec.templates".to_owned(),
                _ => hint::help(name, templates.keys().map(String::as_str)),
            };
            let through = if chain.is_empty() {
                String::new()
            } else {
                format!(", which {} names", chain.join(" -> "))
            };
            faults.add(field.key("name"), format!("there is no template {name}{through}"), help);
            return None;
        };
        if chain.contains(&name) || chain.len() == MAX_CHAIN {
            // The Cluster's own check says what is wrong with it.
            return None;
        }
        chain.push(name);
        unused(template, &args, name, &args_field, faults);
        for (arg, value) in &template.args {
            args.entry(arg.clone()).or_insert_with(|| value.to_string());
        }
        match (&template.command, &template.template) {
            (Some(command), _) => return fill_template(command, known, &args, name, field, faults),
            (None, Some(below)) => {
                args = pass_on(below, &args, name, field, faults)?;
                name = below.name.as_str();
            }
            (None, None) => return None,
        }
    }
}

fn fill_template(
    command: &[String],
    known: &Known,
    args: &BTreeMap<String, String>,
    name: &str,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<Vec<String>> {
    let filled = fill_all(command, known, args);
    report(&filled, known, args, faults, |_| field.clone(), &format!(" in template {name}"));
    check_program(filled.into_iter().collect::<Result<Vec<_>, _>>().ok()?, field, faults)
}

/// The arguments that a template gives to the one it stands on; they may hold its own.
fn pass_on(
    below: &TemplateRef,
    args: &BTreeMap<String, String>,
    name: &str,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) -> Option<BTreeMap<String, String>> {
    let none = Known { names: BTreeMap::new(), absent: Vec::new() };
    let mut passed = BTreeMap::new();
    for (arg, value) in &below.args {
        match value {
            ArgValue::Int(number) => passed.insert(arg.clone(), number.to_string()),
            ArgValue::Text(text) => {
                let filled = vec![placeholder::fill(text, |name| args.get(name).cloned())];
                report(
                    &filled,
                    &none,
                    args,
                    faults,
                    |_| field.clone(),
                    &format!(" in args of template {name}"),
                );
                passed.insert(arg.clone(), filled.into_iter().next()?.ok()?)
            }
        };
    }
    Some(passed)
}

fn fill_all(
    command: &[String],
    known: &Known,
    args: &BTreeMap<String, String>,
) -> Vec<Result<String, PlaceholderError>> {
    let value = |name: &str| known.names.get(name).or_else(|| args.get(name)).cloned();
    command.iter().map(|argument| placeholder::fill(argument, value)).collect()
}

fn report(
    filled: &[Result<String, PlaceholderError>],
    known: &Known,
    args: &BTreeMap<String, String>,
    faults: &mut Faults<'_>,
    field: impl Fn(usize) -> FieldPath,
    within: &str,
) {
    for (place, error) in
        filled.iter().enumerate().filter_map(|(place, it)| Some((place, it.as_ref().err()?)))
    {
        let help = match error {
            PlaceholderError::Unknown { name }
                if !within.is_empty() && is_arg_name(name) && !known.is_special(name) =>
            {
                format!("give it: template.args.{name}, or a default in the template's args")
            }
            PlaceholderError::Unknown { name } => known.help(name, args),
            PlaceholderError::Unclosed | PlaceholderError::Unopened => {
                "write {{ and }} for braces".to_owned()
            }
        };
        let message = match error {
            PlaceholderError::Unknown { name }
                if !within.is_empty() && is_arg_name(name) && !known.is_special(name) =>
            {
                format!("the argument {{{name}}}{within} is not given")
            }
            other => format!("{other}{within}"),
        };
        faults.add(field(place), message, help);
    }
}

impl Known {
    fn is_special(&self, name: &str) -> bool {
        self.absent.iter().any(|(absent, _)| *absent == name) || name.starts_with("feed:") || name == "each"
    }
}

fn is_arg_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Names that Millrace fills itself are no arguments.
pub(crate) fn allowed_args<'a>(
    names: impl Iterator<Item = &'a String>,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) -> bool {
    let mut good = true;
    for name in names {
        if matches!(name.as_str(), "input" | "output" | "each") {
            faults.add(field.key(name), format!("{{{name}}} is filled by Millrace"), "choose another name");
            good = false;
        } else if !is_arg_name(name) {
            let help = "letters, digits, _ and -, beginning with a letter or _";
            faults.add(field.key(name), format!("{name:?} is no name of an argument"), help);
            good = false;
        }
    }
    good
}

/// An argument that nothing in the template asks for is a mistake.
fn unused(
    template: &Template,
    args: &BTreeMap<String, String>,
    name: &str,
    field: &FieldPath,
    faults: &mut Faults<'_>,
) {
    let used = used_names(template);
    for arg in args.keys().filter(|arg| !used.contains(&arg.as_str())) {
        let mut takes: Vec<&str> = used
            .iter()
            .copied()
            .filter(|it| is_arg_name(it) && !matches!(*it, "input" | "output" | "each"))
            .collect();
        takes.sort_unstable();
        takes.dedup();
        let help = match hint::nearest(arg, takes.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it takes: {}", hint::list(takes)),
        };
        faults.add(field.key(arg), format!("template {name} has no argument {arg}"), help);
    }
}

/// The names that a template's own texts ask for.
pub(crate) fn used_names(template: &Template) -> Vec<&str> {
    let command = template.command.iter().flatten();
    let passed =
        template.template.iter().flat_map(|below| below.args.values()).filter_map(|value| match value {
            ArgValue::Text(text) => Some(text),
            ArgValue::Int(_) => None,
        });
    command.chain(passed).flat_map(|text| placeholder::names(text)).collect()
}

fn check_program(argv: Vec<String>, field: &FieldPath, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    if argv.first().is_none_or(String::is_empty) {
        faults.add(
            field.index(0),
            "the program is empty",
            "the first element is the program to run, such as ffmpeg",
        );
        return None;
    }
    if let Some(place) = argv.iter().position(|argument| argument.contains('\0')) {
        faults.add(field.index(place), "an argument holds a NUL byte", "programs cannot be given one");
        return None;
    }
    Some(argv)
}
