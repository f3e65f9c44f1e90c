//! The jobs that are killed.

use std::convert::Infallible;
use std::path::Path;

use tidemill::Result;
use tidemill::connect::Random;
use tidemill::prelude::*;
use tidemill::process::{CoProcess, Context, MapState, Process, States};

/// A number of a key at a moment, out of order.
pub(crate) type Record = (i64, u64, i64);

pub(crate) fn record(index: u64, random: &mut Random) -> Record {
    (index as i64 * 10 - random.below(300) as i64, random.below(40), random.below(1_000) as i64)
}

/// Every kind of window, and a rolling aggregate, each to a folder of its own.
pub(crate) fn windows(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let events = flow
        .read(generate(11, record).rate(40_000.0).limit(60_000))?
        .event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(millis(300)));
    let keyed = || events.clone().key_value(|it| (it.1, it.2));
    let line = |pane: Pane<u64, _>| format!("{} {} {:?}", pane.key, pane.span, pane.value);
    let sums = (Count, Sum::of(|it: &i64| *it));
    let (tumbling, late) = keyed().window(Tumbling::new(seconds(2))).with_late().aggregate(sums);
    tumbling.map(line).write(to_text(folder.join("tumbling")))?;
    late.map(|it| format!("{it:?}")).write(to_text(folder.join("late")))?;
    let sliding = keyed().window(Sliding::new(seconds(6), seconds(2))).aggregate(sums);
    sliding.map(line).write(to_text(folder.join("sliding")))?;
    let sessions = keyed().window(Session::gap(millis(900))).aggregate(sums);
    sessions.map(line).write(to_text(folder.join("sessions")))?;
    // The number of a record in its key, whatever the order of records, is each number once.
    let rolling = keyed().aggregate(Count);
    rolling.map(|(key, value)| format!("{key} {value:?}")).write(to_text(folder.join("rolling")))
}

/// What two inputs come to per key in each second: numbers of the one are added, those of the other
/// taken away. A timer at the end of the second tells.
struct Balances {
    sums: MapState<i64, i64>,
}

impl Balances {
    fn new(states: &mut States) -> Self {
        Self { sums: states.map("sums") }
    }

    fn add(&self, number: i64, context: &mut Context<'_, u64, (u64, i64, i64)>) {
        let second = context.time().millis().div_euclid(1_000);
        *context.state(&self.sums).or_insert_with(second, || 0) += number;
        context.set_event_timer(EventTime::from_millis(second * 1_000 + 999));
    }
}

impl CoProcess for Balances {
    type Key = u64;
    type Left = i64;
    type Right = i64;
    type Output = (u64, i64, i64);
    type Side = Infallible;

    fn on_left(&self, number: i64, context: &mut Context<'_, u64, (u64, i64, i64)>) {
        self.add(number, context);
    }

    fn on_right(&self, number: i64, context: &mut Context<'_, u64, (u64, i64, i64)>) {
        self.add(-number, context);
    }

    fn on_event_timer(&self, at: EventTime, context: &mut Context<'_, u64, (u64, i64, i64)>) {
        let second = at.millis().div_euclid(1_000);
        let sum = context.state(&self.sums).remove(&second);
        let key = *context.key();
        context.emit((key, second, sum.expect("a timer is set for what there is")));
    }
}

/// A process function with two inputs, state and timers.
pub(crate) fn timers(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let keyed = |seed| {
        let numbers = flow.read(generate(seed, record).rate(20_000.0).limit(30_000))?;
        let at = |it: &Record| EventTime::from_millis(it.0);
        let events = numbers.event_time(at, Disorder::up_to(millis(300)));
        tidemill::Result::Ok(events.key_value(|it| (it.1, it.2)))
    };
    let balances = keyed(3)?.connect(keyed(4)?).process(Balances::new);
    balances.map(|it| format!("{it:?}")).write(to_text(folder.join("balances")))
}

/// A text per key and hundred seconds, which grows and is told and forgotten by a timer: a few
/// megabytes at a time, of which many keys go between two checkpoints.
struct Texts {
    texts: MapState<i64, String>,
}

impl Process for Texts {
    type Key = u64;
    type Record = i64;
    type Output = (u64, i64, usize);
    type Side = Infallible;

    fn on_record(&self, number: i64, context: &mut Context<'_, u64, (u64, i64, usize)>) {
        let hundred = context.time().millis().div_euclid(100_000);
        let mut texts = context.state(&self.texts);
        let text = texts.or_insert_with(hundred, String::new);
        text.extend(std::iter::repeat_n('x', number as usize));
        context.set_event_timer(EventTime::from_millis(hundred * 100_000 + 99_999));
    }

    fn on_event_timer(&self, at: EventTime, context: &mut Context<'_, u64, (u64, i64, usize)>) {
        let hundred = at.millis().div_euclid(100_000);
        let text = context.state(&self.texts).remove(&hundred);
        let key = *context.key();
        context.emit((key, hundred, text.expect("a timer is set for what there is").len()));
    }
}

/// A process function with more state than a job is given memory for.
pub(crate) fn texts(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let wide = |index, random: &mut Random| {
        let (time, key, number) = record(index, random);
        (time, key + 40 * random.below(200), number)
    };
    let texts = flow
        .read(generate(9, wide).rate(40_000.0).limit(60_000))?
        .event_time(|it: &Record| EventTime::from_millis(it.0), Disorder::up_to(millis(300)))
        .key_value(|it| (it.1, it.2))
        .process(|states| Texts { texts: states.map("texts") });
    texts.map(|it| format!("{it:?}")).write(to_text(folder.join("texts")))
}
