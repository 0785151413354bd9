//! Bytes of a run on their way into the bus: looked at once, published on every channel that carries them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::{Channel, Container, Format, Header, Marks, Publisher};
use millrace_media::Sniffer;

/// What has not shown what it is after this long never will: slow text, or another thing that nobody knows.
const UNDECIDED: Duration = Duration::from_secs(5);

/// Publishes what a feed or a command gives on one channel or more, with the marks that a sniffer finds.
#[derive(Debug)]
pub struct Intake {
    publishers: Vec<Publisher>,
    expected: Expected,
    run: Option<Run>,
}

/// What the bytes are said to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// To be found by looking.
    #[default]
    Any,
    /// This container.
    This(Container),
    /// Bytes, without looking.
    Raw,
}

impl Expected {
    /// Who looks; `None` where nobody shall.
    pub fn sniffer(self) -> Option<Sniffer> {
        match self {
            Self::Any => Some(Sniffer::new(None)),
            Self::This(container) => Some(Sniffer::new(Some(container))),
            Self::Raw => None,
        }
    }
}

/// The channels published on, to ask whether there is room on them.
#[derive(Clone, Debug)]
pub struct Room(Arc<[Arc<Channel>]>);

impl Room {
    /// Whether a publisher faster than real time may go on; `None` where nobody reads.
    pub fn left(&self, window: u64) -> Option<Left> {
        let each = self
            .0
            .iter()
            .filter_map(|channel| channel.has_room(window))
            .map(|room| Left { all: room, any: room });
        each.reduce(|a, b| Left { all: a.all && b.all, any: a.any || b.any })
    }
}

/// Whether readers have room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Those of every channel that is read.
    pub all: bool,
    /// Those of one channel at least.
    pub any: bool,
}

#[derive(Debug)]
struct Run {
    sniffer: Option<Sniffer>,
    header_version: u32,
    format: Option<Arc<Format>>,
    header: Option<Arc<Header>>,
    told: bool,
    /// When its first bytes came.
    since: Option<Instant>,
}

impl Intake {
    /// Publishes on `channels`. Each must have no other publisher.
    pub fn new(channels: &[Arc<Channel>], expected: Expected) -> Self {
        let mut intake = Self { publishers: Vec::new(), expected, run: None };
        intake.carry_on(channels, expected);
        intake
    }

    /// From now on publishes on `channels`; those that stay are not disturbed.
    pub fn carry_on(&mut self, channels: &[Arc<Channel>], expected: Expected) {
        self.expected = expected;
        self.publishers
            .retain(|publisher| channels.iter().any(|channel| Arc::ptr_eq(channel, publisher.channel())));
        for channel in channels {
            if self.publishers.iter().any(|publisher| Arc::ptr_eq(channel, publisher.channel())) {
                continue;
            }
            let Some(mut publisher) = channel.publisher() else {
                tracing::error!(channel = %channel.name(), "a second publisher was refused");
                continue;
            };
            if let Some(run) = &self.run {
                publisher.begin(0, run.format.clone());
                if run.told {
                    publisher.set_format(run.format.clone());
                }
                if let Some(header) = &run.header {
                    publisher.set_header(header.clone());
                }
            }
            self.publishers.push(publisher);
        }
    }

    /// A run begins.
    pub fn begin(&mut self) {
        self.begin_of(0);
    }

    /// A run of the owner of this epoch begins.
    pub fn begin_of(&mut self, epoch: u64) {
        self.end();
        self.publishers.iter_mut().for_each(|publisher| publisher.begin(epoch, None));
        self.run = Some(Run {
            sniffer: self.expected.sniffer(),
            header_version: 0,
            format: None,
            header: None,
            told: false,
            since: None,
        });
    }

    /// Publishes bytes of the run.
    pub fn push(&mut self, bytes: &Bytes) {
        let Some(run) = &mut self.run else { return };
        let since = *run.since.get_or_insert_with(Instant::now);
        if run.sniffer.as_ref().is_some_and(Sniffer::undecided) && since.elapsed() > UNDECIDED {
            run.sniffer = None;
        }
        let marks = run.sniffer.as_mut().map(|sniffer| sniffer.push(bytes)).unwrap_or_default();
        let header =
            run.sniffer.as_ref().and_then(|sniffer| Some((sniffer.header()?, sniffer.header_version())));
        if let Some((header, version)) = header
            && (run.header.is_none() || run.header_version != version)
        {
            let header = Arc::new(header.clone());
            self.publishers.iter_mut().for_each(|publisher| publisher.set_header(header.clone()));
            (run.header, run.header_version) = (Some(header), version);
        }
        let format = run.sniffer.as_ref().and_then(Sniffer::format);
        let news = format.is_some() && format != run.format.as_deref();
        let settled = format.is_some() || !run.sniffer.as_ref().is_some_and(Sniffer::undecided);
        if news {
            run.format = format.cloned().map(Arc::new);
        }
        // The bytes first: who waits for the format finds them.
        for publisher in &mut self.publishers {
            publisher.publish(bytes.clone(), marks.clone());
            if news || (settled && !run.told) {
                publisher.set_format(run.format.clone());
            }
        }
        run.told |= settled;
    }

    /// The run is over: completes what it left half-written.
    pub fn end(&mut self) {
        let Some(mut run) = self.run.take() else { return };
        let rest = run.sniffer.as_mut().map(Sniffer::abandon).unwrap_or_default();
        for publisher in &mut self.publishers {
            publisher.publish(rest.clone(), Marks::default());
            publisher.end();
        }
    }

    /// Whether the run that goes on cannot be begun in its middle without what came first.
    pub fn needs_header(&self) -> bool {
        let format = self.run.as_ref().and_then(|run| run.format.as_ref());
        format.is_some_and(|format| format.container.needs_header())
    }

    /// Where to ask for room.
    pub fn room(&self) -> Room {
        Room(self.publishers.iter().map(|publisher| publisher.channel().clone()).collect())
    }
}
