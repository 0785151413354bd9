//! An origin is killed behind a proxy, and behind a balancer: who is cut off, and when the next picture comes.

mod outcome;
mod pictures;
mod players;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use self::outcome::{Outcome, What, outcome, pictures_of_second};
use self::players::Players;
use super::Lab;
use crate::clip::Mode;
use crate::kubernetes::stats::{p50, p99};
use crate::kubernetes::table::Table;
use crate::proc;
use crate::report::Verdict;
use crate::servers::pair::{Front, Pair};
use crate::servers::{Kind, Setup};

const VIEWERS: usize = 20;
/// So long the operator waits for a pod that closed its connections to come back (`reset_grace` in docs/failover.md).
const GRACE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);
/// Of what went wrong so much is told below the table, in characters; all of it on stderr.
const LONGEST_NOTE: usize = 200;

/// What came of all kills behind one front.
struct Column {
    front: Front,
    all: Vec<Outcome>,
}

/// The table, the numbers behind it, and how many targets were missed.
pub struct Measured {
    /// How it was measured.
    pub about: String,
    /// For people.
    pub table: Table,
    /// For programs.
    pub raw: Value,
    /// Of the balancer.
    pub missed: usize,
}

/// Kills and looks, in an order that rotates.
pub fn run(lab: &Lab) -> Measured {
    let (mut notes, load) = (Vec::new(), proc::load());
    let kills = if lab.quick { 2 } else { 10 };
    let mut columns: Vec<Column> =
        fronts(lab, &mut notes).into_iter().map(|front| Column { front, all: Vec::new() }).collect();
    for round in 0..kills {
        let count = columns.len().max(1);
        columns.rotate_left(1 % count);
        for column in &mut columns {
            match one_kill(lab, column.front, round) {
                Ok(seen) => {
                    eprintln!("{}", line(column.front, &seen));
                    column.all.extend(seen);
                }
                Err(e) => {
                    eprintln!("{}: {e:#}", column.front.name());
                    let first: String = format!("{e:#}").chars().take(LONGEST_NOTE).collect();
                    notes.push(format!("{}: {first}", column.front.name()));
                }
            }
        }
    }
    columns.sort_by_key(|column| Front::ALL.iter().position(|front| *front == column.front));
    let (mut table, missed) = tell(&columns);
    for note in notes {
        table.note(note);
    }
    let about = format!(
        "{kills} kills each with {VIEWERS} viewers, in turns; load average {load:.1} before and {:.1} after",
        proc::load()
    );
    Measured { about, table, raw: columns.iter().map(raw).collect(), missed }
}

fn fronts(lab: &Lab, notes: &mut Vec<String>) -> Vec<Front> {
    let mut fronts = Vec::new();
    for front in Front::ALL {
        let origin = if front == Front::Balancer { Kind::Pod } else { Kind::Icecast };
        match front.missing() {
            _ if !lab.kinds.contains(&origin) => {}
            Some(package) => notes.push(format!("there is no {package}: `apt-get install {package}`")),
            None => fronts.push(front),
        }
    }
    fronts
}

fn one_kill(lab: &Lab, front: Front, round: u64) -> Result<Vec<Outcome>> {
    let mut pair =
        Pair::start(front, &Setup { pod: &lab.pod, clip: &lab.clip, mode: Mode::Frames, tls: None })?;
    let players = Players::start(pair.front.addr, &pair.front.path, VIEWERS);
    let pictures = |events: &[outcome::Event]| {
        events.iter().filter(|(_, what)| matches!(what, What::Picture(_))).count()
    };
    players.wait_all(PATIENCE, &|events| pictures(events) >= 2).with_context(|| pair.story())?;
    // Anywhere in the group of pictures.
    thread::sleep(Duration::from_millis(250 + (round + 1) * 618 % 1000));
    let before = players.seen();
    let steady = |events: &Vec<outcome::Event>| {
        !events.iter().any(|(_, what)| *what == What::Ended) && pictures_of_second(events) == 0
    };
    ensure!(before.iter().all(steady), "viewers were cut off before anything was killed: {}", pair.story());
    let killed = pair.kill()?;
    if front == Front::Balancer {
        thread::sleep((killed + GRACE).saturating_duration_since(Instant::now()));
        pair.hand_over()?;
    }
    // The second picture says that it goes on. Who gets none is counted.
    let _ = players.wait_all(PATIENCE, &|events| pictures_of_second(events) >= 2);
    let seen = players.seen();
    Ok(seen.iter().map(|events| outcome(events, killed)).collect())
}

fn ms(all: &[Outcome]) -> Vec<f64> {
    all.iter().filter_map(|it| it.picture).map(|it| it.as_secs_f64() * 1e3).collect()
}

fn cut(all: &[Outcome]) -> usize {
    all.iter().filter(|it| it.cut > 0).count()
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

fn line(front: Front, seen: &[Outcome]) -> String {
    let (took, cut) = (ms(seen), cut(seen));
    format!(
        "{}: {cut} of {} cut off, p50 {:.0} ms, worst {:.0} ms",
        front.name(),
        seen.len(),
        p50(&took),
        worst(&took)
    )
}

fn tell(columns: &[Column]) -> (Table, usize) {
    let names = columns.iter().map(|it| it.front.name().to_owned());
    let headings = std::iter::once(String::new()).chain(names);
    let mut table = Table::new(headings.chain(["target".to_owned(), String::new()]));
    let mut row = |what: &str, cell: &dyn Fn(&Column) -> String, target: &str, verdict: &Verdict| {
        table.row(what, columns.iter().map(cell).chain([target.to_owned(), verdict.text()]));
    };
    let of = |it: &Column, count: usize| format!("{count} of {}", it.all.len());
    let ours = columns.iter().find(|it| it.front == Front::Balancer);
    let verdict = ours.map_or(Verdict::Stated, |it| match cut(&it.all) {
        _ if it.all.is_empty() => Verdict::Unmeasured("nothing came".to_owned()),
        0 => Verdict::Pass,
        some => Verdict::Missed(some.to_string()),
    });
    row("viewers that were cut off", &|it| of(it, cut(&it.all)), "balancer: 0", &verdict);
    let none = &Verdict::Stated;
    let mean = |it: &Column, count: fn(&Outcome) -> u32| {
        let most = it.all.iter().map(count).max().unwrap_or_default();
        let sum: u32 = it.all.iter().map(count).sum();
        format!("{:.1} ({most})", f64::from(sum) / it.all.len() as f64)
    };
    row("new connections of a viewer: mean (most)", &|it| mean(it, |o| o.asked), "", none);
    row("… of them without stream", &|it| mean(it, |o| o.refused), "", none);
    for (what, quantile) in [("p50", p50 as fn(&[f64]) -> f64), ("p99", p99), ("worst", worst)] {
        let cell = |it: &Column| format!("{:.0}", quantile(&ms(&it.all)));
        row(&format!("SIGKILL to the next picture, ms, {what}"), &cell, "", none);
    }
    row("viewers without a picture within 10 s", &|it| of(it, it.all.len() - ms(&it.all).len()), "", none);
    (table, usize::from(matches!(verdict, Verdict::Missed(_))))
}

fn raw(column: &Column) -> Value {
    let viewers: Vec<_> = column
        .all
        .iter()
        .map(|it| {
            let picture = it.picture.map(|it| it.as_secs_f64() * 1e3);
            json!({"cut": it.cut, "asked": it.asked, "refused": it.refused, "picture_ms": picture})
        })
        .collect();
    json!({"front": column.front.name(), "viewers": viewers})
}
