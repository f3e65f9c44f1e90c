//! Sliding windows: a table per slice, combined when the frontier has passed a slice's end.
//!
//! An event is added to one slice, however many windows it belongs to. A window fires with the last
//! of its slices; a slice is let go after the last window it belongs to.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

use super::tables::Tables;
use crate::answer::Row;
use crate::events::Event;
use crate::settings::Combine;

/// Count and sum of each key in windows of `slices` slices of `slide_ms`, one window per slice.
pub(super) fn sliding<'scope>(
    events: Stream<'scope, u64, Vec<Event>>,
    slide_ms: i64,
    slices: i64,
    combine: Combine,
) -> Stream<'scope, u64, Vec<Row>> {
    let by_key = Exchange::new(|event: &Event| u64::from(event.key));
    let scope = events.scope();
    events.unary_frontier(by_key, "Sliding", move |_capability, info| {
        let again = scope.activator_for(info.address);
        let mut tables = Tables::new(slide_ms);
        let mut window = Window::new(slices, combine);
        let mut held: Option<Capability<u64>> = None;
        move |(input, frontier), output| {
            let end_ms = |number: i64| ((number + 1) * slide_ms) as u64;
            input.for_each_stamp(|capability, batches| {
                batches.for_each(|batch| tables.add(batch.drain(..)));
                let end = window.next(&tables).map(end_ms);
                if let Some(end) = end
                    && held.as_ref().is_none_or(|held| end < *held.time())
                {
                    held = Some(capability.delayed(&end, output.output_index()));
                }
            });
            let Some(number) = window.next(&tables) else {
                held = None;
                return;
            };
            let held = held.as_mut().expect("a window to fire holds a capability");
            held.downgrade(&end_ms(number));
            if frontier.less_than(held.time()) {
                return;
            }
            let start_ms = (number + 1 - slices) * slide_ms;
            let rows = window.slide(number, &mut tables);
            let rows = rows.map(|&Total { key, count, sum }| Row { key, start_ms, count, sum });
            output.session(&*held).give_iterator(rows);
            // One window at a time, so that no more than its rows are buffered.
            again.activate();
        }
    })
}

/// The slices of the window that fires next, and what they add up to.
///
/// Each key has a place of its own in the total, so complete slices are plain lists of places and
/// need no hashing when they leave. Places are never freed: the study's keys are fixed.
struct Window {
    slices: i64,
    combine: Combine,
    /// Complete slices by number, the earliest first.
    kept: VecDeque<(i64, Vec<Part>)>,
    places: HashMap<u32, u32, FixedState>,
    total: Vec<Total>,
    /// The slice after the last one that fired.
    after: Option<i64>,
}

/// What a slice adds to the total at a place.
struct Part {
    place: u32,
    count: u64,
    sum: i64,
}

/// What a key has in the window.
struct Total {
    key: u32,
    count: u64,
    sum: i64,
}

impl Window {
    fn new(slices: i64, combine: Combine) -> Self {
        let (kept, places, total) = (VecDeque::new(), HashMap::default(), Vec::new());
        Self { slices, combine, kept, places, total, after: None }
    }

    /// The last slice of the window to fire next, if there is anything to fire.
    fn next(&self, tables: &Tables) -> Option<i64> {
        // Without kept slices, the windows up to the earliest open slice are all empty.
        if self.kept.is_empty() { tables.first() } else { self.after }
    }

    /// Moves on to the window whose last slice is `number` and gives what each key has in it.
    fn slide(&mut self, number: i64, tables: &mut Tables) -> impl Iterator<Item = &Total> {
        if self.combine == Combine::Anew {
            self.total.iter_mut().for_each(|it| (it.count, it.sum) = (0, 0));
        }
        while self.kept.front().is_some_and(|it| it.0 <= number - self.slices) {
            let (_, parts) = self.kept.pop_front().expect("the front was just seen");
            if self.combine == Combine::Running {
                subtract(&mut self.total, &parts);
            }
        }
        if self.combine == Combine::Anew {
            self.kept.iter().for_each(|(_, parts)| add(&mut self.total, parts));
        }
        if tables.first() == Some(number)
            && let Some(mut table) = tables.take_first()
        {
            let parts: Vec<Part> = table
                .drain()
                .map(|(key, (count, sum))| Part { place: self.place(key), count, sum })
                .collect();
            tables.recycle(table);
            add(&mut self.total, &parts);
            self.kept.push_back((number, parts));
        }
        self.after = Some(number + 1);
        self.total.iter().filter(|it| it.count > 0)
    }

    fn place(&mut self, key: u32) -> u32 {
        *self.places.entry(key).or_insert_with(|| {
            self.total.push(Total { key, count: 0, sum: 0 });
            (self.total.len() - 1) as u32
        })
    }
}

fn add(total: &mut [Total], parts: &[Part]) {
    for Part { place, count, sum } in parts {
        let total = &mut total[*place as usize];
        total.count += count;
        total.sum += sum;
    }
}

fn subtract(total: &mut [Total], parts: &[Part]) {
    for Part { place, count, sum } in parts {
        let total = &mut total[*place as usize];
        total.count -= count;
        total.sum -= sum;
    }
}
