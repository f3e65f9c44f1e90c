//! Sliding windows: a table per slice, combined when the frontier has passed a slice's end.
//!
//! An event is added to one slice, however many windows it belongs to. A window fires with the last
//! of its slices; a slice is let go after the last window it belongs to.

use std::collections::VecDeque;

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

use super::tables::{Table, Tables};
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
            let rows = window.slide(number, &mut tables).iter();
            let rows = rows.map(|(&key, &(count, sum))| Row { key, start_ms, count, sum });
            output.session(&*held).give_iterator(rows);
            // One window at a time, so that no more than its rows are buffered.
            again.activate();
        }
    })
}

/// The slices of the window that fires next, and what they add up to.
struct Window {
    slices: i64,
    combine: Combine,
    /// Complete slices by number, the earliest first.
    kept: VecDeque<(i64, Table)>,
    total: Table,
    /// The slice after the last one that fired.
    after: Option<i64>,
}

impl Window {
    fn new(slices: i64, combine: Combine) -> Self {
        Self { slices, combine, kept: VecDeque::new(), total: Table::default(), after: None }
    }

    /// The last slice of the window to fire next, if there is anything to fire.
    fn next(&self, tables: &Tables) -> Option<i64> {
        // Without kept slices, the windows up to the earliest open slice are all empty.
        if self.kept.is_empty() { tables.first() } else { self.after }
    }

    /// Moves on to the window whose last slice is `number` and gives its table.
    fn slide(&mut self, number: i64, tables: &mut Tables) -> &Table {
        while self.kept.front().is_some_and(|it| it.0 <= number - self.slices) {
            let (_, table) = self.kept.pop_front().expect("the front was just seen");
            self.leave(table, tables);
        }
        if self.combine == Combine::Anew {
            self.total.clear();
            self.kept.iter().for_each(|(_, table)| add(&mut self.total, table));
        }
        if tables.first() == Some(number)
            && let Some(table) = tables.take_first()
        {
            add(&mut self.total, &table);
            self.kept.push_back((number, table));
        }
        self.after = Some(number + 1);
        &self.total
    }

    fn leave(&mut self, mut table: Table, tables: &mut Tables) {
        if self.combine == Combine::Running {
            for (key, (count, sum)) in &table {
                let total = self.total.get_mut(key).expect("the total covers its slices");
                *total = (total.0 - count, total.1 - sum);
                if total.0 == 0 {
                    self.total.remove(key);
                }
            }
        }
        table.clear();
        tables.recycle(table);
    }
}

fn add(total: &mut Table, table: &Table) {
    for (key, (count, sum)) in table {
        let entry = total.entry(*key).or_insert((0, 0));
        entry.0 += count;
        entry.1 += sum;
    }
}
