//! What a reader got, checked against the script.

use super::script::{HEADER, Kind, Run, SPLICE, Script, TAG};
use crate::{End, Join, Start};

/// What is known of a reader from the outside.
#[derive(Debug, Default)]
pub struct Trace {
    pub join: Join,
    /// The live edge when it joined.
    pub joined_at: u64,
    /// The random access point in the cache when it joined.
    pub point: Option<u64>,
    pub bytes: Vec<u8>,
    pub skips: usize,
    pub ended: Option<End>,
    /// At the end it waits for a random access point.
    pub waits: bool,
}

impl Trace {
    /// Panics if there is anything in it that should not be, or anything missing.
    pub fn check(&self, script: &Script) {
        assert_eq!(self.bytes.len() % 4, 0, "part of a unit at the end");
        let (mut before, mut place): (Vec<u32>, Option<u64>) = (Vec::new(), None);
        let mut jumps = 0;
        for symbol in self.bytes.chunks_exact(4) {
            let symbol = u32::from_le_bytes(symbol.try_into().expect("four"));
            if symbol & TAG != 0 {
                before.push(symbol);
                continue;
            }
            let at = u64::from(symbol) * 4;
            match place {
                None => jumps += self.first(script, at, &before),
                Some(end) => jumps += follows(script, end, at, &before),
            }
            before.clear();
            place = Some(at + 4);
        }
        assert!(jumps <= self.skips, "{jumps} jumps, {} skips were told", self.skips);
        self.check_end(script, place);
    }

    fn first(&self, script: &Script, at: u64, before: &[u32]) -> usize {
        let run = script.run_of(at);
        let expected = match self.join.start {
            Start::Live => self.first_live(script),
            Start::Last if self.point.is_some() => self.point,
            Start::Last | Start::Next => {
                assert!(run.points.contains(&at) && at >= self.joined_at, "{at} is no random access point");
                Some(at)
            }
        };
        let Some(container) = run.kind.container() else {
            assert_eq!((Some(at), before.len()), (expected, 0), "bytes of no known container");
            return 0;
        };
        let asked = self.join.header || self.join.start != Start::Live;
        let header =
            (container.needs_header() || asked && container.has_header()).then_some(HEADER | run.number);
        if Some(at) == expected && before == header.as_slice() {
            return 0;
        }
        // It may have skipped before it had anything but the header.
        assert!(run.points.contains(&at), "began at {at}, expected {expected:?}, after {before:x?}");
        let splices = before.iter().filter(|symbol| **symbol & TAG == SPLICE).count();
        assert!(splices + 1 >= before.len(), "after {before:x?}");
        1
    }

    /// The first unit that is marked from where it joined.
    fn first_live(&self, script: &Script) -> Option<u64> {
        let later = script.runs.iter().filter(|run| run.end > self.joined_at);
        let mut firsts = later.filter_map(|run| match run.kind {
            Kind::Known(_) => run.units.range(self.joined_at..).next().copied(),
            Kind::Bytes | Kind::Void => Some(run.base.max(self.joined_at)),
        });
        firsts.next()
    }

    fn check_end(&self, script: &Script, place: Option<u64>) {
        match (self.ended, place) {
            (Some(End::NewRun), None) => {}
            (Some(End::NewRun), Some(end)) => {
                let run = script.run_of(end - 1);
                let mut later = script.runs.iter().filter(|later| later.base >= run.end);
                assert!(later.any(|later| !continues(run, later)), "nothing that it could not continue in");
            }
            _ if self.waits => {}
            (_, None) => {
                let expected =
                    if self.join.start == Start::Live { self.first_live(script) } else { self.point };
                assert_eq!(expected, None, "it never began");
            }
            (_, Some(end)) => {
                let mut rest = script.runs.iter().filter(|run| run.base >= end);
                let last = script.run_of(end - 1);
                assert!(end == last.end && rest.all(|run| run.kind == Kind::Void), "ended early, at {end}");
            }
        }
    }
}

/// Whether `at` may follow upon what ended at `end`; 1 if that took a skip.
fn follows(script: &Script, end: u64, at: u64, before: &[u32]) -> usize {
    let (old, new) = (script.run_of(end - 1), script.run_of(at));
    let same = old.number == new.number;
    if at == end && same && before.is_empty() {
        return 0;
    }
    assert!(at >= end, "{at} again, after {end}");
    assert!(same || continues(old, new), "{:?} cannot go on in {:?}", old.kind, new.kind);
    let splice = (new.kind == Kind::Known(crate::Container::MpegTs)).then_some(SPLICE | new.number);
    assert_eq!(before.last().copied(), splice, "before {at}, which follows upon {end}");
    // One that was begun is finished, even if the reader skips again meanwhile.
    assert!(before.iter().all(|symbol| symbol & TAG == SPLICE), "{before:x?} before {at}");
    let mut between = script.runs.iter().filter(|run| run.base >= end && run.end <= at);
    if !same && end == old.end && at == new.base && between.all(|run| run.kind == Kind::Void) {
        return 0;
    }
    assert!(end == old.end || old.units.contains(&end), "a unit was cut at {end}");
    assert!(new.points.contains(&at), "jumped from {end} to {at}, which is no random access point");
    1
}

fn continues(old: &Run, new: &Run) -> bool {
    match (old.kind.container(), new.kind.container()) {
        (Some(old), Some(new)) => old == new && new.continues(),
        (None, None) => true,
        _ => false,
    }
}
