//! What kind of content a session is for.

use std::time::Duration;

/// Kinds of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// Happens now. Wire: `00`.
    Live,
    /// Can be had from any position. Wire: `01`, position `u64` in microseconds.
    Vod {
        /// Where to begin.
        position: Duration,
    },
    /// Happens now, and viewers take part. Wire: `02`, flags `u8` (1 chat, 2 polls, 4 moderation).
    Interactive {
        /// Viewers may write.
        chat: bool,
        /// Viewers may vote.
        polls: bool,
        /// What they write is moderated.
        moderation: bool,
    },
}

impl ContentKind {
    /// The bytes.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Live => vec![0],
            Self::Vod { position } => {
                let mut out = vec![1];
                out.extend_from_slice(&(position.as_micros() as u64).to_le_bytes());
                out
            }
            Self::Interactive { chat, polls, moderation } => {
                vec![2, u8::from(chat) | u8::from(polls) << 1 | u8::from(moderation) << 2]
            }
        }
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(Self::Live),
            [1, position @ ..] => {
                let position = u64::from_le_bytes(position.try_into().ok()?);
                Some(Self::Vod { position: Duration::from_micros(position) })
            }
            [2, flags] if *flags < 8 => Some(Self::Interactive {
                chat: flags & 1 != 0,
                polls: flags & 2 != 0,
                moderation: flags & 4 != 0,
            }),
            _ => None,
        }
    }
}

/// Which way content flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// To who made the session.
    #[default]
    Watch = 0,
    /// From who made the session.
    Publish = 1,
}

impl Direction {
    /// The direction with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Watch, Self::Publish].into_iter().find(|direction| *direction as u8 == number)
    }
}

/// Where in live content a viewer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Join {
    /// What comes next.
    #[default]
    LiveEdge = 0,
    /// The cached random access point: a picture at once.
    LastKeyframe = 1,
    /// The next random access point.
    NextKeyframe = 2,
}

impl Join {
    /// The place with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::LiveEdge, Self::LastKeyframe, Self::NextKeyframe]
            .into_iter()
            .find(|join| *join as u8 == number)
    }
}
