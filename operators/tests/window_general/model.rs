//! Slow models: what a script must lead to, from the whole script.

use std::collections::BTreeMap;

use crate::harness::{Outcome, Records, Step};

/// What happens to one window of one key, with the number of the step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    /// It takes a record at a moment, with the watermark then in force.
    Take(i64, i64, i64),
    /// The watermark moves.
    Watermark(i64),
}

/// The story of each window that takes any record, by key, first and last moment.
pub(crate) type Stories = BTreeMap<(u8, i64, i64), Vec<(usize, Turn)>>;

/// Follows each window through a script. `windows` lists those of a moment as first and last.
pub(crate) fn follow(
    script: &[Step],
    lateness: i64,
    windows: impl Fn(i64) -> Vec<(i64, i64)>,
) -> (Stories, Vec<usize>) {
    let mut stories = Stories::new();
    let mut late = Vec::new();
    let mut watermark = i64::MIN;
    for (index, step) in script.iter().enumerate() {
        match *step {
            Step::Record(at, key, value) => {
                let mut open = windows(at);
                open.retain(|it| it.1.saturating_add(lateness) > watermark);
                late.extend(open.is_empty().then_some(index));
                for (first, last) in open {
                    let story = stories.entry((key, first, last)).or_default();
                    story.push((index, Turn::Take(at, value, watermark)));
                }
            }
            Step::Watermark(to) => {
                watermark = to;
                stories.values_mut().for_each(|it| it.push((index, Turn::Watermark(to))));
            }
            Step::Restart(_) => {}
        }
    }
    (stories, late)
}

/// Tells each story to `tell`, which gives the steps at which the window fires and what with.
pub(crate) fn outcome(
    (stories, late): (Stories, Vec<usize>),
    tell: impl Fn((i64, i64), &[(usize, Turn)]) -> Vec<(usize, Records)>,
) -> Outcome<Records> {
    let mut panes = Vec::new();
    for ((key, first, last), story) in stories {
        for (index, mut records) in tell((first, last), &story) {
            records.sort_unstable();
            panes.push((index, key, first, last, records));
        }
    }
    panes.sort();
    Outcome { panes, late }
}

/// The default trigger: once when the watermark reaches the last moment, then at each late record.
pub(crate) fn at_watermark(
    (_, last): (i64, i64),
    story: &[(usize, Turn)],
) -> Vec<(usize, Records)> {
    let mut fired = Vec::new();
    let reached = |it: &(usize, Turn)| matches!(it.1, Turn::Watermark(to) if to >= last);
    let passed = story.iter().position(reached).unwrap_or(story.len());
    let on_time = taken(&story[..passed]);
    if passed < story.len() && !on_time.is_empty() && !was_passed(story, last) {
        fired.push((story[passed].0, on_time));
    }
    for (at, (index, turn)) in story.iter().enumerate() {
        if matches!(*turn, Turn::Take(_, _, watermark) if watermark >= last) {
            fired.push((*index, taken(&story[..=at])));
        }
    }
    fired
}

/// Whether the watermark had passed the window before its first record.
fn was_passed(story: &[(usize, Turn)], last: i64) -> bool {
    matches!(story[0].1, Turn::Take(_, _, watermark) if watermark >= last)
}

/// The records taken in part of a story.
pub(crate) fn taken(story: &[(usize, Turn)]) -> Records {
    let record = |turn: &(usize, Turn)| match turn.1 {
        Turn::Take(at, value, _) => Some((at, value)),
        Turn::Watermark(_) => None,
    };
    story.iter().filter_map(record).collect()
}

/// Sessions by sorting and cutting anew at every step. `gap` is a record's own.
pub(crate) fn sessions(
    script: &[Step],
    lateness: i64,
    gap: impl Fn(i64) -> i64,
) -> Outcome<Records> {
    let mut kept: BTreeMap<u8, Records> = BTreeMap::new();
    let mut outcome = Outcome { panes: Vec::new(), late: Vec::new() };
    let mut watermark = i64::MIN;
    for (index, step) in script.iter().enumerate() {
        match *step {
            Step::Record(at, key, value) => {
                let mut with = kept.get(&key).cloned().unwrap_or_default();
                with.push((at, value));
                let session = cut(with.clone(), &gap).into_iter();
                let session = session.rev().find(|it| it.0 <= at && at <= it.1);
                let (first, last, records) = session.expect("the record is in a session");
                if last.saturating_add(lateness) <= watermark {
                    outcome.late.push(index);
                    continue;
                }
                kept.insert(key, with);
                if last <= watermark {
                    outcome.panes.push((index, key, first, last, records));
                }
            }
            Step::Watermark(to) => {
                for (&key, records) in &mut kept {
                    let sessions = cut(std::mem::take(records), &gap);
                    for (first, last, session) in sessions {
                        if watermark < last && last <= to {
                            outcome.panes.push((index, key, first, last, session.clone()));
                        }
                        if last.saturating_add(lateness) > to {
                            records.extend(session);
                        }
                    }
                }
                watermark = to;
            }
            Step::Restart(_) => {}
        }
    }
    outcome.panes.sort();
    outcome
}

/// Sorts records and cuts them where one starts after every earlier one has ended.
fn cut(mut records: Records, gap: impl Fn(i64) -> i64) -> Vec<(i64, i64, Records)> {
    records.sort_unstable();
    let mut sessions: Vec<(i64, i64, Records)> = Vec::new();
    for (at, value) in records {
        let last = at + gap(value) - 1;
        match sessions.last_mut() {
            Some(session) if at <= session.1 + 1 => {
                session.1 = session.1.max(last);
                session.2.push((at, value));
            }
            _ => sessions.push((at, last, vec![(at, value)])),
        }
    }
    sessions
}
