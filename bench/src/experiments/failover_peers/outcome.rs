//! What one viewer went through after the kill.

use std::time::{Duration, Instant};

use crate::servers::pair::Pair;

/// What can happen to a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It asks for the stream on a new connection.
    Asks,
    /// What it asked for was not given, or the connection ended before it was.
    Refused,
    /// A picture began that needs no other; the number of the source's write.
    Picture(u64),
    /// The connection ended that the stream came by.
    Ended,
}

/// When what happened.
pub type Event = (Instant, What);

/// The way from the kill to the next picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Connections that ended: the viewer was cut off.
    pub cut: u32,
    /// Connections that it took.
    pub asked: u32,
    /// How many of them gave no stream.
    pub refused: u32,
    /// After so long the first picture of the other origin began.
    pub picture: Option<Duration>,
}

/// Pictures of the second origin so far.
pub fn pictures_of_second(events: &[Event]) -> usize {
    events.iter().filter(|(_, what)| is_second(*what)).count()
}

fn is_second(what: What) -> bool {
    matches!(what, What::Picture(number) if Pair::is_second(number))
}

/// Judges by all that a viewer saw.
pub fn outcome(events: &[Event], killed: Instant) -> Outcome {
    let after = events.iter().filter(|(at, _)| *at >= killed);
    let count = |which: fn(What) -> bool| after.clone().filter(|(_, what)| which(*what)).count() as u32;
    Outcome {
        cut: count(|what| what == What::Ended),
        asked: count(|what| what == What::Asks),
        refused: count(|what| what == What::Refused),
        picture: after.clone().find(|(_, what)| is_second(*what)).map(|(at, _)| *at - killed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_cut_off_and_came_again_has_its_picture_from_the_second_origin() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let events = [
            (at(0), What::Asks),
            (at(10), What::Picture(1 << 32)),
            (at(101), What::Ended),
            (at(101), What::Asks),
            (at(102), What::Refused),
            (at(152), What::Asks),
            (at(160), What::Picture((1 << 32) + 9)),
            (at(163), What::Picture(2 << 32)),
            (at(900), What::Picture((2 << 32) + 30)),
        ];
        let expected = Outcome { cut: 1, asked: 2, refused: 1, picture: Some(Duration::from_millis(63)) };
        assert_eq!(outcome(&events, at(100)), expected);
        assert_eq!(pictures_of_second(&events), 2);
    }

    #[test]
    fn who_stayed_asked_nothing_and_who_saw_nothing_has_no_picture() {
        let killed = Instant::now();
        assert_eq!(outcome(&[(killed, What::Picture(1 << 32))], killed), Outcome::default());
    }
}
