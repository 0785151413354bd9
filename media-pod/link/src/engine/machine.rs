//! The state machine of a channel, as a table.

/// State of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not there.
    Closed,
    /// This side asked for it.
    Opening,
    /// The other side asked for it, this side has not decided.
    Requested,
    /// Open.
    Open,
    /// This side closes it and waits for the other side's CLOSE.
    Closing,
}

/// What comes: from the other side, or from this side's user (`Local…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// CONTROL open.
    Open,
    /// CONTROL accept.
    Accept,
    /// DATA.
    Data,
    /// CONTROL credit.
    Credit,
    /// CLOSE.
    Close,
    /// ERROR.
    Error,
    /// The user opens.
    LocalOpen,
    /// The user accepts.
    LocalAccept,
    /// The user refuses or closes.
    LocalClose,
    /// The user sends a message.
    LocalSend,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing: it crossed something on the way.
    Ignore,
    /// The other side gets an ERROR (or the user an error).
    Complain,
    /// The user is asked whether to open.
    Ask,
    /// The channel is open, both sides may send.
    Establish,
    /// The user gets the message.
    Deliver,
    /// More may be sent.
    AddCredit,
    /// Answer CLOSE, tell the user that nothing came of it.
    Refused,
    /// The other side closed: answer CLOSE, tell the user.
    AnswerClose,
    /// This side's CLOSE is answered: tell the user.
    Finish,
    /// Send CONTROL open.
    SendOpen,
    /// Send CONTROL accept.
    SendAccept,
    /// Send CLOSE at once.
    SendClose,
    /// Send CLOSE after what is queued.
    SendCloseLast,
    /// Queue the message.
    Queue,
    /// The user is told what the other side says.
    Report,
}

/// Every state.
pub const STATES: [State; 5] = [State::Closed, State::Opening, State::Requested, State::Open, State::Closing];

/// Every input.
pub const INPUTS: [Input; 10] = [
    Input::Open,
    Input::Accept,
    Input::Data,
    Input::Credit,
    Input::Close,
    Input::Error,
    Input::LocalOpen,
    Input::LocalAccept,
    Input::LocalClose,
    Input::LocalSend,
];

/// The table: every pair has one outcome.
#[allow(clippy::match_same_arms, reason = "the rows of a table")]
pub const fn step(state: State, input: Input) -> (State, Action) {
    use Action as A;
    use Input as I;
    use State as S;
    match (state, input) {
        // What the other side says is told, and changes nothing.
        (_, I::Error) => (state, A::Report),

        (S::Closed, I::Open) => (S::Requested, A::Ask),
        (S::Closed, I::LocalOpen) => (S::Opening, A::SendOpen),
        // Sent before the other side knew that the channel is closed.
        (S::Closed, I::Credit | I::Close) => (S::Closed, A::Ignore),
        (S::Closed, _) => (S::Closed, A::Complain),

        // Both asked at once: both questions are both answers.
        (S::Opening, I::Open | I::Accept) => (S::Open, A::Establish),
        (S::Opening, I::Close) => (S::Closed, A::Refused),
        (S::Opening, I::LocalClose) => (S::Closing, A::SendClose),
        (S::Opening, _) => (S::Opening, A::Complain),

        (S::Requested, I::LocalAccept | I::LocalOpen) => (S::Open, A::SendAccept),
        (S::Requested, I::LocalClose) => (S::Closing, A::SendClose),
        (S::Requested, I::Close) => (S::Closed, A::AnswerClose),
        (S::Requested, _) => (S::Requested, A::Complain),

        (S::Open, I::Data) => (S::Open, A::Deliver),
        (S::Open, I::Credit) => (S::Open, A::AddCredit),
        (S::Open, I::Close) => (S::Closed, A::AnswerClose),
        (S::Open, I::LocalClose) => (S::Closing, A::SendCloseLast),
        (S::Open, I::LocalSend) => (S::Open, A::Queue),
        (S::Open, _) => (S::Open, A::Complain),

        // What is queued is still sent, and needs credit for it.
        (S::Closing, I::Credit) => (S::Closing, A::AddCredit),
        (S::Closing, I::Close) => (S::Closed, A::Finish),
        (S::Closing, I::Open | I::Accept | I::Data) => (S::Closing, A::Ignore),
        (S::Closing, _) => (S::Closing, A::Complain),
    }
}
