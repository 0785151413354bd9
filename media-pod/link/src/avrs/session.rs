//! The state machine of a session, as a table. Both sides use it.

use crate::wire::Code;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Not there: never created, or closed.
    None,
    /// Created.
    Created,
    /// It is known who asks.
    Authenticated,
    /// It is known what for.
    Selected,
    /// A content channel belongs to it.
    Opened,
    /// Both sides agree where in the content it begins.
    Synchronised,
    /// Content flows.
    Streaming,
}

/// Operations on channel `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Makes a session.
    Create = 1,
    /// Says who asks.
    Authenticate = 2,
    /// Says what for.
    Select = 3,
    /// Gives it a content channel.
    Open = 4,
    /// Agrees where to begin; while streaming: where to go on (on demand: a new position).
    Synchronise = 5,
    /// Lets content flow.
    Stream = 6,
    /// Asks for statistics.
    Monitor = 7,
    /// Ends it.
    Close = 8,
}

/// Every stage, in order.
pub const STAGES: [Stage; 7] = [
    Stage::None,
    Stage::Created,
    Stage::Authenticated,
    Stage::Selected,
    Stage::Opened,
    Stage::Synchronised,
    Stage::Streaming,
];

/// Every command, in order.
pub const COMMANDS: [Command; 8] = [
    Command::Create,
    Command::Authenticate,
    Command::Select,
    Command::Open,
    Command::Synchronise,
    Command::Stream,
    Command::Monitor,
    Command::Close,
];

impl Command {
    /// The command with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        COMMANDS.into_iter().find(|command| *command as u8 == number)
    }
}

/// The table: the stage after a command that succeeds, or the code of a wrong step. A command that fails for
/// another reason leaves the stage as it is.
#[allow(clippy::match_same_arms, reason = "the rows of a table")]
pub const fn step(stage: Stage, command: Command) -> Result<Stage, Code> {
    use Command as C;
    use Stage as S;
    match (stage, command) {
        (S::None, C::Create) => Ok(S::Created),
        (S::None, _) => Err(Code::SESSION_NOT_OPENED),
        (_, C::Create) => Err(Code::SESSION_ALREADY_OPENED),
        (_, C::Close) => Ok(S::None),
        (_, C::Monitor) => Ok(stage),

        (S::Created, C::Authenticate) => Ok(S::Authenticated),
        // Another choice is possible until the session is open.
        (S::Authenticated | S::Selected, C::Select) => Ok(S::Selected),
        (S::Selected, C::Open) => Ok(S::Opened),
        (S::Opened | S::Synchronised, C::Synchronise) => Ok(S::Synchronised),
        (S::Synchronised, C::Stream) => Ok(S::Streaming),
        (S::Streaming, C::Synchronise) => Ok(S::Streaming),

        (S::Opened | S::Synchronised | S::Streaming, C::Open) => Err(Code::SESSION_ALREADY_OPENED),
        (S::Streaming, C::Stream) => Err(Code::SESSION_ALREADY_OPENED),
        (S::Created | S::Authenticated | S::Selected, C::Synchronise | C::Stream) => {
            Err(Code::SESSION_NOT_OPENED)
        }
        _ => Err(Code::SESSION_WRONG_REQUEST),
    }
}
