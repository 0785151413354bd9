//! Feeds that pull a URL: by ffmpeg, remuxed to MPEG-TS as it comes; `millrace://feeds/NAME`, from another media pod of the
//! Cluster, as it is.

use std::fmt::Write as _;

use millrace_crds::{
    kinds::{PullCredentials, UrlFrom},
    resolved::{FinalFeed, Resolved},
};

use crate::{feed::Source, runners::Command, specs};

/// What a pull starts as, and how to describe it without what is secret.
pub fn source(
    feed: &FinalFeed,
    url: Option<&str>,
    from: Option<&UrlFrom>,
    credentials: Option<&PullCredentials>,
    resolved: &Resolved,
) -> (Source, String) {
    let secret = from
        .and_then(|from| resolved.secret(&from.secret_key_ref))
        .and_then(|url| std::str::from_utf8(url).ok());
    let Some(address) = url.or(secret).map(str::trim) else {
        return (
            Source::Unsupported("the Secret with its URL has no such key".into()),
            "a URL from a Secret".into(),
        );
    };
    let description = url.unwrap_or("a URL from a Secret").to_owned();
    let login = credentials
        .and_then(|c| resolved.secrets.get(&c.secret_ref.name))
        .and_then(|s| s.user_and_password());
    if let Some(name) = remote(address) {
        return (Source::Remote(name.to_owned()), description);
    }
    let Some(argv) = argv(address, login) else {
        let scheme = address.split(':').next().unwrap_or_default();
        let why = format!(
            "{scheme}: URLs cannot be pulled yet; rtsp, rtsps, rtmp, rtmps, srt, http, https and udp can"
        );
        return (Source::Unsupported(why), description);
    };
    let mut spec = specs::command(&argv, &feed.env, feed.memory_per_process, resolved);
    (spec.name, spec.stdout) = (feed.name.clone(), true);
    spec.secrets.extend(secret.map(str::to_owned));
    if let Some((user, password)) = login {
        spec.secrets.extend([
            password.to_owned(),
            encode(password),
            format!("{}:{}", encode(user), encode(password)),
        ]);
    }
    (Source::Command(Box::new(Command { spec, image: None })), description)
}

/// The name of a feed of another media pod of the Cluster.
fn remote(url: &str) -> Option<&str> {
    let name = url.strip_prefix("millrace://feeds/")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// ffmpeg's arguments; `None` for schemes that it does not pull.
fn argv(url: &str, login: Option<(&str, &str)>) -> Option<Vec<String>> {
    let (scheme, rest) = url.split_once("://")?;
    let before: &[&str] = match scheme.to_ascii_lowercase().as_str() {
        "rtsp" | "rtsps" => &["-rtsp_transport", "tcp"],
        "rtmp" | "rtmps" | "srt" | "http" | "https" | "udp" => &[],
        _ => return None,
    };
    let url = match login {
        Some((user, password)) => format!("{scheme}://{}:{}@{rest}", encode(user), encode(password)),
        None => url.to_owned(),
    };
    let quick = [
        "ffmpeg",
        "-hide_banner",
        "-loglevel",
        "warning",
        "-nostdin",
        "-fflags",
        "nobuffer",
        "-analyzeduration",
        "2000000",
    ];
    let out = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-f", "mpegts", "-flush_packets", "1", "pipe:1"];
    let all = quick.iter().chain(before).map(|s| (*s).to_owned()).chain(["-i".to_owned(), url]);
    Some(all.chain(out.map(Into::into)).collect())
}

/// For the user information of a URL (RFC 3986, 3.2.1).
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_into_the_url_encoded() {
        let argv = argv("rtsp://door.lan/ch1", Some(("me", "p@ss:/ü"))).unwrap();
        assert!(argv.contains(&"rtsp://me:p%40ss%3A%2F%C3%BC@door.lan/ch1".to_owned()), "{argv:?}");
    }

    #[test]
    fn a_feed_of_another_media_pod_is_named_by_its_url() {
        assert_eq!(remote("millrace://feeds/door-2"), Some("door-2"));
        for other in [
            "millrace://feeds/",
            "millrace://feeds/a/b",
            "millrace://eu/x",
            "http://feeds/x",
            "millrace://feeds/A",
        ] {
            assert_eq!(remote(other), None, "{other}");
        }
    }

    #[test]
    fn other_schemes_are_not_given_to_ffmpeg() {
        for url in ["file:///etc/passwd", "concat:a|b", "millrace://eu/x", "nothing"] {
            assert_eq!(argv(url, None), None, "{url}");
        }
    }
}
