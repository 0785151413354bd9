//! What upstreams said of a path, and what follows from that. Pure.

use std::{fmt::Write as _, sync::Arc};

use millrace_link::{
    Code,
    net::{ChannelError, SessionError},
};
use millrace_report::upstream::cut;

/// What one upstream says is passed on up to this length, in bytes.
const LONGEST: usize = 200;
/// All of them together, in bytes.
pub(super) const LONGEST_OF_ALL: usize = 1000;
/// How it begins to say that it does not have a path. What follows after a semicolon says more.
pub(super) const NO_STREAM: &str = "there is no stream at ";

/// What one upstream said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has the path.
    Yes,
    /// It does not.
    No(String),
    /// It would have to ask who asks it, or too many were asked before.
    Loop(String),
    /// It does not let this Cluster have it.
    Refused(String),
    /// It cannot be asked now, or does not know now.
    Away(String),
}

impl Said {
    /// What it says by how a session with it failed.
    pub fn by(error: &SessionError) -> Self {
        let SessionError::Code { code, text } = error else {
            return Self::Away(match error {
                SessionError::Channel(ChannelError::Closed(notice)) if !notice.text.is_empty() => {
                    short(&notice.text)
                }
                other => short(&other.to_string()),
            });
        };
        match *code {
            Code::SESSION_CONTENT_ID_WRONG | Code::CONTENT_NOT_FOUND => {
                let more = text.strip_prefix(NO_STREAM).and_then(|text| text.split_once("; "));
                Self::No(short(more.map_or(text.as_str(), |(_, more)| more)))
            }
            Code::CLUSTER_WRONG_REQUEST => Self::Loop(short(text)),
            Code::MEMBER_INFO_PROBLEM => {
                Self::Refused("it wants a name and a password, or others".to_owned())
            }
            Code::MEMBER_SECURITY_ISSUE => {
                Self::Refused("it lets this Cluster not have it, by any password".to_owned())
            }
            Code::ARG_INCORRECT => Self::Refused(short(text)),
            _ => Self::Away(short(text)),
        }
    }
}

/// What follows for who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The upstream at this place of the list has it.
    Yes(usize),
    /// Nobody has it.
    No(String),
    /// Somebody may have it who cannot say so now.
    Away(String),
}

/// Of what the upstreams said, in their order; who has it was the last to be asked.
pub(super) fn verdict(said: &[(Arc<str>, Said)]) -> Verdict {
    if let Some(at) = said.iter().position(|(_, said)| *said == Said::Yes) {
        return Verdict::Yes(at);
    }
    let (mut reasons, mut away) = (String::new(), false);
    for (name, said) in said {
        let text = match said {
            Said::Yes => continue,
            Said::No(text) | Said::Loop(text) => text,
            Said::Refused(text) | Said::Away(text) => {
                away = true;
                text
            }
        };
        // Writing to a String cannot fail.
        let _ = write!(reasons, "{}upstream {name}: {text}", if reasons.is_empty() { "" } else { "; " });
    }
    if away { Verdict::Away(reasons) } else { Verdict::No(reasons) }
}

/// Not longer than what one has to say, on one line.
pub(super) fn short(text: &str) -> String {
    cut(text, LONGEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(code: Code) -> Said {
        Said::by(&SessionError::Code { code, text: "why".to_owned() })
    }

    fn all(said: &[Said]) -> Vec<(Arc<str>, Said)> {
        said.iter().enumerate().map(|(at, said)| (Arc::from(format!("u{at}")), said.clone())).collect()
    }

    #[test]
    fn the_code_of_a_failed_session_says_whether_asking_again_may_help() {
        assert_eq!(code(Code::SESSION_CONTENT_ID_WRONG), Said::No("why".into()));
        let text = format!("{NO_STREAM}/a; upstream eu: loop: a -> b -> a");
        let said = Said::by(&SessionError::Code { code: Code::SESSION_CONTENT_ID_WRONG, text });
        assert_eq!(said, Said::No("upstream eu: loop: a -> b -> a".into()));
        assert_eq!(code(Code::CLUSTER_WRONG_REQUEST), Said::Loop("why".into()));
        assert!(matches!(code(Code::MEMBER_INFO_PROBLEM), Said::Refused(_)));
        assert_eq!(code(Code::CONTENT_UNAVAILABLE), Said::Away("why".into()));
        assert_eq!(code(Code::ERROR), Said::Away("why".into()));
    }

    #[test]
    fn only_where_all_say_no_it_is_not_there() {
        let (no, ring, away) =
            (Said::No("none".into()), Said::Loop("loop: a -> b -> a".into()), Said::Away("gone".into()));
        let said = verdict(&all(&[no.clone(), ring.clone()]));
        assert_eq!(said, Verdict::No("upstream u0: none; upstream u1: loop: a -> b -> a".into()));
        let said = verdict(&all(&[no.clone(), away.clone(), ring]));
        assert!(matches!(said, Verdict::Away(why) if why.contains("upstream u1: gone")));
        assert_eq!(verdict(&all(&[away, no, Said::Yes])), Verdict::Yes(2));
    }

    proptest! {
        #[test]
        fn a_reason_is_one_short_line(text in "\\PC{0,400}|[\\x00-\\x7f]{0,400}") {
            let short = short(&text);
            prop_assert!(short.len() <= LONGEST + 3 && !short.contains(char::is_control));
        }

        #[test]
        fn one_yes_is_enough_and_one_who_is_away_is_no_no(kinds in proptest::collection::vec(0..5_u8, 0..16)) {
            let said = all(&kinds.iter().map(|kind| match kind {
                0 => Said::Yes,
                1 => Said::No(String::new()),
                2 => Said::Loop(String::new()),
                3 => Said::Refused(String::new()),
                _ => Said::Away(String::new()),
            }).collect::<Vec<_>>());
            match verdict(&said) {
                Verdict::Yes(at) => prop_assert_eq!(kinds.iter().position(|kind| *kind == 0), Some(at)),
                Verdict::Away(_) => prop_assert!(!kinds.contains(&0) && kinds.iter().any(|kind| *kind > 2)),
                Verdict::No(_) => prop_assert!(kinds.iter().all(|kind| matches!(kind, 1 | 2))),
            }
        }
    }
}
