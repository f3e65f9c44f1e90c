//! Tumbling windows: a table each, drained when the frontier has passed its end.

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

use super::tables::Tables;
use crate::answer::Row;
use crate::events::Event;

/// Count and sum of each key in windows of `size_ms`.
pub(super) fn tumbling<'scope>(
    events: Stream<'scope, u64, Vec<Event>>,
    size_ms: i64,
) -> Stream<'scope, u64, Vec<Row>> {
    // The keys are uniform already; hashing them before the exchange would only cost time.
    let by_key = Exchange::new(|event: &Event| u64::from(event.key));
    events.unary_frontier(by_key, "Tumbling", move |_capability, _info| {
        let mut tables = Tables::new(size_ms);
        let mut held: Option<Capability<u64>> = None;
        let end_ms = move |number: i64| ((number + 1) * size_ms) as u64;
        move |(input, frontier), output| {
            input.for_each_stamp(|capability, batches| {
                batches.for_each(|batch| tables.add(batch.drain(..)));
                let end = tables.first().map(end_ms);
                if let Some(end) = end
                    && held.as_ref().is_none_or(|held| end < *held.time())
                {
                    held = Some(capability.delayed(&end, output.output_index()));
                }
            });
            while let Some(number) = tables.first()
                && let Some(held) = held.as_mut()
            {
                let end = end_ms(number);
                held.downgrade(&end);
                if frontier.less_than(&end) {
                    return;
                }
                let mut table = tables.take_first().expect("the first table was just seen");
                let start_ms = number * size_ms;
                let rows =
                    table.drain().map(|(key, (count, sum))| Row { key, start_ms, count, sum });
                output.session(&*held).give_iterator(rows);
                tables.recycle(table);
            }
            held = None;
        }
    })
}
