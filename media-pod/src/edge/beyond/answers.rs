//! What upstreams do not have, remembered for a moment: so that who asks again and again asks only here.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use millrace_link::avrs::Way;

/// A no holds for this long.
const HOLDS: Duration = Duration::from_secs(1);
/// Answers that are remembered at most.
const MOST: usize = 4096;

/// What was asked: a path, and through which clusters the question came. Whoever was asked on the way is not asked
/// again, so the answer is one for that way only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub path: String,
    pub way: Way,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<Question, (Instant, String)>>);

impl Answers {
    /// Why there is no such path, if that was asked a moment ago.
    pub fn no(&self, question: &Question, now: Instant) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(question).filter(|(until, _)| *until > now).map(|(_, why)| why.clone())
    }

    /// There is none.
    pub fn remember(&self, question: Question, why: String, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (until, _)| *until > now);
        }
        if known.len() < MOST {
            known.insert(question, (now + HOLDS, why));
        }
    }

    /// Others are asked from now on.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use millrace_link::avrs::Hop;

    use super::*;

    #[test]
    fn a_no_is_for_one_path_and_one_way_and_not_for_long() {
        let (answers, now) = (Answers::default(), Instant::now());
        let question = |path: &str| Question { path: path.to_owned(), way: Way::default() };
        answers.remember(question("/a"), "why".to_owned(), now);
        assert_eq!(answers.no(&question("/a"), now).as_deref(), Some("why"));
        assert_eq!(answers.no(&question("/b"), now), None);
        assert_eq!(answers.no(&question("/a"), now + HOLDS), None);
        let way = Way::default().through(&Hop::new("id", "name")).unwrap();
        assert_eq!(answers.no(&Question { way, ..question("/a") }, now), None);
        answers.forget();
        assert_eq!(answers.no(&question("/a"), now), None);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (answers, now) = (Answers::default(), Instant::now());
        let question = |n: usize| Question { path: n.to_string(), way: Way::default() };
        for n in 0..MOST + 10 {
            answers.remember(question(n), String::new(), now);
        }
        assert_eq!(answers.0.lock().unwrap().len(), MOST);
        answers.remember(question(MOST + 20), String::new(), now + HOLDS);
        assert_eq!(answers.0.lock().unwrap().len(), 1);
    }
}
