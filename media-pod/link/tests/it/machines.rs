//! Both state machines against tables written down a second time.

use millrace_link::avrs::session;
use millrace_link::avrs::{Command, Stage};
use millrace_link::engine::machine::{Action, INPUTS, Input, STATES, State, step};
use millrace_link::wire::Code;

/// One row per state; columns as in `INPUTS`: open, accept, data, credit, close, error, then the user's open, accept,
/// close, send. `!` is a complaint, `-` nothing, `=` told; else the action and the state after it.
const CHANNEL: [(State, &str); 5] = [
    (State::Closed, "Ask>Requested ! ! - - = SendOpen>Opening ! ! !"),
    (State::Opening, "Establish>Open Establish>Open ! ! Refused>Closed = ! ! SendClose>Closing !"),
    (State::Requested, "! ! ! ! AnswerClose>Closed = SendAccept>Open SendAccept>Open SendClose>Closing !"),
    (
        State::Open,
        "! ! Deliver>Open AddCredit>Open AnswerClose>Closed = ! ! SendCloseLast>Closing Queue>Open",
    ),
    (State::Closing, "- - - AddCredit>Closing Finish>Closed = ! ! ! !"),
];

#[test]
fn every_state_and_input_of_a_channel_has_the_outcome_of_the_table() {
    for (state, row) in CHANNEL {
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(cells.len(), INPUTS.len());
        for (input, cell) in INPUTS.into_iter().zip(cells) {
            let (next, action) = step(state, input);
            let expected = match cell {
                "!" => format!("Complain>{state:?}"),
                "-" => format!("Ignore>{state:?}"),
                "=" => format!("Report>{state:?}"),
                cell => cell.to_owned(),
            };
            assert_eq!(format!("{action:?}>{next:?}"), expected, "{state:?} {input:?}");
        }
    }
    assert_eq!(STATES.len(), CHANNEL.len());
}

#[test]
fn every_state_of_a_channel_can_be_left_towards_closed() {
    for state in STATES {
        let (after, _) = step(state, Input::LocalClose);
        let (end, _) = step(after, Input::Close);
        assert!(state == State::Closed || end == State::Closed, "{state:?}");
    }
    assert_eq!(step(State::Open, Input::Data).1, Action::Deliver);
}

/// Columns: create, authenticate, select, open, synchronise, stream, monitor, close. Letters are stages after
/// success (n c a s o y t), numbers codes.
const SESSION: [(Stage, &str); 7] = [
    (Stage::None, "c 401 401 401 401 401 401 401"),
    (Stage::Created, "402 a 400 400 401 401 c n"),
    (Stage::Authenticated, "402 400 s 400 401 401 a n"),
    (Stage::Selected, "402 400 s o 401 401 s n"),
    (Stage::Opened, "402 400 400 402 y 400 o n"),
    (Stage::Synchronised, "402 400 400 402 y t y n"),
    (Stage::Streaming, "402 400 400 402 t 402 t n"),
];

#[test]
fn every_stage_and_command_of_a_session_has_the_outcome_of_the_table() {
    let letters = ["n", "c", "a", "s", "o", "y", "t"];
    for (stage, row) in SESSION {
        for (command, cell) in session::COMMANDS.into_iter().zip(row.split_whitespace()) {
            let expected = match letters.iter().position(|letter| *letter == cell) {
                Some(place) => Ok(session::STAGES[place]),
                None => Err(Code(u32::from_str_radix(cell, 16).unwrap())),
            };
            assert_eq!(session::step(stage, command), expected, "{stage:?} {command:?}");
        }
    }
}

#[test]
fn the_way_from_create_to_close_is_open() {
    let stage = session::COMMANDS.into_iter().try_fold(Stage::None, session::step);
    assert_eq!(stage, Ok(Stage::None));
    assert_eq!(Command::from_number(9), None);
}
