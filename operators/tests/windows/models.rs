//! Slow models: what windows must give, from the whole input.

use super::*;

/// The panes of windows that are bounded by the clock, from the whole input.
pub(crate) fn grouped(run: &Run<Record>, windows: impl Fn(i64) -> Vec<(i64, i64)>) -> Vec<Given> {
    let mut held = BTreeMap::<(u8, i64, i64), Vec<Held>>::new();
    for (at, key, value) in all(run) {
        for (first, last) in windows(at) {
            held.entry((key, first, last)).or_default().push((at, value));
        }
    }
    let pane = |((key, first, last), mut records): (_, Vec<Held>)| {
        records.sort();
        Given::Pane((key, first, last, records))
    };
    held.into_iter().map(pane).collect()
}

/// The panes and late records of such windows, epoch by epoch and record by record.
pub(crate) fn followed(
    run: &Run<Record>,
    lateness: i64,
    windows: impl Fn(i64) -> Vec<(i64, i64)>,
) -> Vec<(Epoch, Given)> {
    let mut held = BTreeMap::<(u8, i64, i64), Vec<Held>>::new();
    let mut given = Vec::new();
    let mut before = i64::MIN;
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for (epoch, (partitions, now)) in run.epochs().iter().zip(watermarks).enumerate() {
        let pane = |(key, first, last), records: &Vec<Held>| {
            (epoch as Epoch, Given::Pane((key, first, last, records.clone())))
        };
        for &(at, key, value) in partitions.iter().flatten() {
            let mut open = windows(at);
            open.retain(|it| it.1.saturating_add(lateness) > before);
            if open.is_empty() {
                given.push((epoch as Epoch, Given::Late((at, key, value))));
            }
            for (first, last) in open {
                let records = held.entry((key, first, last)).or_default();
                records.push((at, value));
                if last <= before {
                    given.push(pane((key, first, last), records));
                }
            }
        }
        let due = held.iter().filter(|((_, _, last), _)| before < *last && *last <= now);
        given.extend(due.map(|(window, records)| pane(*window, records)));
        held.retain(|window, _| window.2.saturating_add(lateness) > now);
        before = now;
    }
    given.sort();
    given
}

/// Sorts records and cuts them where one starts after every earlier one has ended.
pub(crate) fn cut(mut records: Vec<Held>, gap: &impl Fn(i64) -> i64) -> Vec<(i64, i64, Vec<Held>)> {
    records.sort();
    let mut sessions: Vec<(i64, i64, Vec<Held>)> = Vec::new();
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

/// Sessions from the whole input.
pub(crate) fn sessions(run: &Run<Record>, gap: impl Fn(i64) -> i64) -> Vec<Given> {
    let keys = arriving(run).into_iter();
    let panes = keys.flat_map(|(key, records)| {
        cut(records, &gap).into_iter().map(move |(first, last, it)| (key, first, last, it))
    });
    panes.map(Given::Pane).collect()
}

/// Sessions epoch by epoch and record by record, cut anew each time.
pub(crate) fn followed_sessions(
    run: &Run<Record>,
    lateness: i64,
    gap: impl Fn(i64) -> i64,
) -> Vec<(Epoch, Given)> {
    let mut kept = BTreeMap::<u8, Vec<Held>>::new();
    let mut given = Vec::new();
    let mut before = i64::MIN;
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for (epoch, (partitions, now)) in run.epochs().iter().zip(watermarks).enumerate() {
        let mut give = |it| given.push((epoch as Epoch, it));
        for &(at, key, value) in partitions.iter().flatten() {
            let records = kept.entry(key).or_default();
            records.push((at, value));
            let mut sessions = cut(records.clone(), &gap).into_iter();
            let ours = sessions.find(|it| it.2.contains(&(at, value)));
            let (first, last, session) = ours.expect("the record is in a session");
            if last.saturating_add(lateness) <= before {
                records.pop();
                give(Given::Late((at, key, value)));
            } else if last <= before {
                give(Given::Pane((key, first, last, session)));
            }
        }
        for (&key, records) in &mut kept {
            for (first, last, session) in cut(std::mem::take(records), &gap) {
                if before < last && last <= now {
                    give(Given::Pane((key, first, last, session.clone())));
                }
                if last.saturating_add(lateness) > now {
                    records.extend(session);
                }
            }
        }
        before = now;
    }
    given.sort();
    given
}

/// With the records of panes in order of time: sessions merge in an order of their own.
pub(crate) fn sorted(mut given: Vec<(Epoch, Given)>) -> Vec<(Epoch, Given)> {
    for (_, it) in &mut given {
        if let Given::Pane((.., records)) = it {
            records.sort();
        }
    }
    given.sort();
    given
}

/// The tumbling window of a moment.
pub(crate) fn tumbling(at: i64, size: i64, offset: i64) -> (i64, i64) {
    let first = at - (at - offset).rem_euclid(size);
    (first, first + size - 1)
}

/// The sliding windows of a moment: every one of those around it that holds it.
pub(crate) fn sliding(at: i64, size: i64, slide: i64, offset: i64) -> Vec<(i64, i64)> {
    let all = (at - size..=at).filter(|first| (first - offset).rem_euclid(slide) == 0);
    all.map(|first| (first, first + size - 1)).filter(|it| it.0 <= at && at <= it.1).collect()
}

/// The cumulative windows of a moment.
pub(crate) fn cumulative(at: i64, step: i64, steps: i64, offset: i64) -> Vec<(i64, i64)> {
    let (first, _) = tumbling(at, step * steps, offset);
    let all = (1..=steps).map(|it| (first, first + it * step - 1));
    all.filter(|it| at <= it.1).collect()
}

/// A pane of a window over all of time: it spans its records.
pub(crate) fn spanning(key: u8, records: &[Held]) -> Given {
    let moments = || records.iter().map(|it| it.0);
    let first = moments().min().expect("a window has a record");
    let last = moments().max().expect("a window has a record");
    Given::Pane((key, first, last, records.to_vec()))
}
