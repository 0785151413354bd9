//! Streams made up at random whose every byte says where it is from.
//!
//! A stream is a row of symbols of four bytes: in the channel a symbol is its own number, in headers and splices the
//! number of the run with a tag. Chunks, marks and reads cut between any two bytes.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use proptest::prelude::*;
use smallvec::SmallVec;

use crate::{Container, Format, Header, Marks, Publisher, Units};

pub const HEADER: u32 = 0xF000_0000;
pub const SPLICE: u32 = 0xE000_0000;
pub const TAG: u32 = 0xF000_0000;

/// What a run carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Known(Container),
    /// Bytes of no known container.
    Bytes,
    /// It ends before anybody knows.
    Void,
}

/// A run as it is drawn.
#[derive(Clone, Debug)]
pub struct Draw {
    pub kind: Kind,
    /// Symbols of each unit, and whether it is a random access point.
    pub units: Vec<(u64, bool)>,
    pub chunks: Vec<u64>,
    /// Bytes that must have come before the container is known, a unit is marked, a random access point is marked.
    pub known_after: u64,
    pub marked_after: u64,
    pub point_after: u64,
}

/// A run as it is published.
#[derive(Debug)]
pub struct Run {
    pub kind: Kind,
    pub number: u32,
    pub base: u64,
    pub end: u64,
    pub units: BTreeSet<u64>,
    pub points: BTreeSet<u64>,
}

#[derive(Debug)]
pub enum Event {
    Begin,
    Header(Arc<Header>),
    Publish(Bytes, Marks),
    Format(Option<Arc<Format>>),
    End,
}

/// What happens on the publisher's side, in order, and what is true of it.
#[derive(Debug, Default)]
pub struct Script {
    pub runs: Vec<Run>,
    pub events: Vec<Event>,
    end: u64,
}

impl Kind {
    pub fn container(self) -> Option<Container> {
        if let Self::Known(container) = self { Some(container) } else { None }
    }
}

impl Script {
    pub fn new(draws: Vec<Draw>) -> Self {
        let mut script = Self::default();
        for draw in draws {
            script.run(&draw);
        }
        script
    }

    fn run(&mut self, draw: &Draw) {
        let number = self.runs.len() as u32 + 1;
        let (base, mut end) = (self.end, self.end);
        let (mut units, mut points) = (Vec::new(), Vec::new());
        for (symbols, point) in &draw.units {
            units.push(end);
            if *point {
                points.push(end);
            }
            end += symbols * 4;
        }
        self.events.push(Event::Begin);
        let known_at = base + draw.known_after.min(end - base - 1);
        // Marks are told with the chunk that holds the byte that gives them away.
        let told = |at: u64, after: u64| (at + after).max(known_at);
        let container = draw.kind.container();
        let (mut marked, mut pointed) = (BTreeSet::new(), BTreeSet::new());
        let (mut at, mut sizes) = (base, draw.chunks.iter().cycle());
        while at < end {
            let size = sizes.next().copied().unwrap_or(1);
            // Where nothing is marked, readers begin and skip at chunks: these are whole symbols then.
            let size = if container.is_some() { size } else { size.div_ceil(4) * 4 };
            let stop = (at + size).min(end);
            let knows = (at..stop).contains(&known_at);
            if let (true, Some(container)) = (knows, container) {
                self.events.push(Event::Header(header(container, number)));
            }
            let within = |list: &[u64], after: u64| -> Vec<u64> {
                if container.is_none() {
                    return Vec::new();
                }
                list.iter().copied().filter(|unit| (at..stop).contains(&told(*unit, after))).collect()
            };
            let new_units = within(&units, draw.marked_after);
            let new_points = within(&points, draw.marked_after + draw.point_after);
            marked.extend(new_units.iter().copied());
            pointed.extend(new_points.iter().copied());
            let marks = Marks {
                units: as_units(new_units.iter().map(|unit| unit - base).collect()),
                random_access: new_points.iter().map(|unit| unit - base).collect(),
                frames: new_points.len() as u32,
            };
            self.events.push(Event::Publish(content(at, stop), marks));
            if knows && draw.kind != Kind::Void {
                self.events.push(Event::Format(container.map(format)));
            }
            at = stop;
        }
        self.events.push(Event::End);
        self.runs.push(Run { kind: draw.kind, number, base, end, units: marked, points: pointed });
        self.end = end;
    }

    pub fn run_of(&self, offset: u64) -> &Run {
        self.runs.iter().find(|run| (run.base..run.end).contains(&offset)).expect("it was published")
    }

    pub fn end(&self) -> u64 {
        self.end
    }
}

/// Does what the script says next. False at its end.
pub fn play(events: &mut std::slice::Iter<'_, Event>, publisher: &mut Publisher) -> bool {
    match events.next() {
        Some(Event::Begin) => publisher.begin(0, None),
        Some(Event::Header(header)) => publisher.set_header(header.clone()),
        Some(Event::Publish(bytes, marks)) => publisher.publish(bytes.clone(), marks.clone()),
        Some(Event::Format(format)) => publisher.set_format(format.clone()),
        Some(Event::End) => publisher.end(),
        None => return false,
    }
    true
}

pub fn format(container: Container) -> Arc<Format> {
    Arc::new(Format { container, content_type: "video/x".into(), tracks: [].into() })
}

fn header(container: Container, run: u32) -> Arc<Header> {
    let tagged = |tag: u32, there: bool| -> Bytes {
        if there { Bytes::copy_from_slice(&(tag | run).to_le_bytes()) } else { Bytes::new() }
    };
    let splice = tagged(SPLICE, container == Container::MpegTs);
    Arc::new(Header { bytes: tagged(HEADER, container.has_header()), splice })
}

fn content(from: u64, to: u64) -> Bytes {
    (from..to).map(|at| ((at / 4) as u32).to_le_bytes()[(at % 4) as usize]).collect()
}

fn as_units(list: SmallVec<[u64; 4]>) -> Units {
    match list.as_slice() {
        [] => Units::None,
        [first, second, ..] if list.windows(2).all(|two| two[1] - two[0] == second - first) => {
            Units::Every { first: *first, stride: (second - first) as u32, last: list[list.len() - 1] }
        }
        _ => Units::At(list),
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => Just(Kind::Known(Container::MpegTs)),
        3 => Just(Kind::Known(Container::Adts)),
        3 => Just(Kind::Known(Container::Flv)),
        1 => Just(Kind::Bytes),
        1 => Just(Kind::Void),
    ]
}

prop_compose! {
    fn draw(kind: Kind)(
        units in prop_oneof![
            proptest::collection::vec((1..60_u64, prop::bool::weighted(0.15)), 1..40),
            proptest::collection::vec((Just(47_u64), prop::bool::weighted(0.15)), 1..40),
        ],
        chunks in proptest::collection::vec(prop_oneof![1..12_u64, 1..400_u64], 1..8),
        known_after in prop_oneof![Just(0), 0..600_u64],
        marked_after in prop_oneof![Just(0), 0..40_u64],
        point_after in prop_oneof![Just(0), 0..40_u64],
    ) -> Draw {
        Draw { kind, units, chunks, known_after, marked_after, point_after }
    }
}

/// Some runs, mostly of one container.
pub fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let row = (kinds(), proptest::collection::vec((kinds(), prop::bool::weighted(0.3)), 0..4));
    row.prop_flat_map(|(kind, others)| {
        let mut row = vec![draw(kind).boxed()];
        row.extend(
            others.into_iter().map(|(other, differs)| draw(if differs { other } else { kind }).boxed()),
        );
        row
    })
}
