//! Sliding windows: sums per slice, combined when the frontier has passed a slice's end.
//!
//! An event is added to one slice, however many windows it belongs to. A window fires with the last
//! of its slices; a slice is let go after the last window it belongs to. Each key has a place, found by
//! one hash per event, and a slice is a list with a sum at each place: combining slices is adding
//! lists. Places are never freed, as the study's keys are fixed.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

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
        let mut sums = Slices::new(slide_ms, slices, combine);
        let mut held: Option<Capability<u64>> = None;
        move |(input, frontier), output| {
            let end_ms = |number: i64| ((number + 1) * slide_ms) as u64;
            input.for_each_stamp(|capability, batches| {
                batches.flat_map(|batch| batch.drain(..)).for_each(|event| sums.add(event));
                let end = sums.next().map(end_ms);
                if let Some(end) = end
                    && held.as_ref().is_none_or(|held| end < *held.time())
                {
                    held = Some(capability.delayed(&end, output.output_index()));
                }
            });
            let Some(number) = sums.next() else {
                held = None;
                return;
            };
            let held = held.as_mut().expect("a window to fire holds a capability");
            held.downgrade(&end_ms(number));
            if frontier.less_than(held.time()) {
                return;
            }
            output.session(&*held).give_iterator(sums.slide(number));
            // One window at a time, so that no more than its rows are buffered.
            again.activate();
        }
    })
}

/// Count and sum at each place.
type Slice = Vec<(u64, i64)>;

/// The slices that events still come to, and those of the window that fires next.
struct Slices {
    slide_ms: i64,
    /// How many slices make a window.
    window: i64,
    combine: Combine,
    places: HashMap<u32, u32, FixedState>,
    keys: Vec<u32>,
    /// The number of the first open slice: it holds events from `first * slide_ms`.
    first: i64,
    open: VecDeque<Slice>,
    /// Complete slices by number, the earliest first.
    kept: VecDeque<(i64, Slice)>,
    total: Slice,
    spare: Vec<Slice>,
    /// The slice after the last one that fired.
    after: i64,
}

impl Slices {
    fn new(slide_ms: i64, window: i64, combine: Combine) -> Self {
        Self {
            slide_ms,
            window,
            combine,
            places: HashMap::default(),
            keys: Vec::new(),
            first: 0,
            open: VecDeque::new(),
            kept: VecDeque::new(),
            total: Vec::new(),
            spare: Vec::new(),
            after: 0,
        }
    }

    /// Adds an event to its slice.
    #[inline]
    fn add(&mut self, Event { key, at_ms, value }: Event) {
        let place = *self.places.entry(key).or_insert_with(|| {
            self.keys.push(key);
            (self.keys.len() - 1) as u32
        }) as usize;
        let slice = self.slice(at_ms.div_euclid(self.slide_ms));
        if slice.len() <= place {
            slice.resize((place + 1).next_power_of_two(), (0, 0));
        }
        let entry = &mut slice[place];
        *entry = (entry.0 + 1, entry.1 + value);
    }

    #[inline]
    fn slice(&mut self, number: i64) -> &mut Slice {
        if self.open.is_empty() {
            self.first = number;
        }
        while number < self.first {
            self.open.push_front(self.spare.pop().unwrap_or_default());
            self.first -= 1;
        }
        let index = (number - self.first) as usize;
        while self.open.len() <= index {
            self.open.push_back(self.spare.pop().unwrap_or_default());
        }
        &mut self.open[index]
    }

    /// The last slice of the window to fire next, if there is anything to fire.
    fn next(&self) -> Option<i64> {
        // Without kept slices, the windows up to the first open slice are all empty.
        let open = (!self.open.is_empty()).then_some(self.first);
        if self.kept.is_empty() { open } else { Some(self.after) }
    }

    /// Moves on to the window whose last slice is `number` and gives its rows.
    fn slide(&mut self, number: i64) -> impl Iterator<Item = Row> {
        while self.kept.front().is_some_and(|it| it.0 <= number - self.window) {
            let (_, mut slice) = self.kept.pop_front().expect("the front was just seen");
            if self.combine == Combine::Running {
                let both = self.total.iter_mut().zip(&slice);
                both.for_each(|(total, it)| *total = (total.0 - it.0, total.1 - it.1));
            }
            slice.fill((0, 0));
            self.spare.push(slice);
        }
        if self.combine == Combine::Anew {
            self.total.fill((0, 0));
            self.kept.iter().for_each(|(_, slice)| include(&mut self.total, slice));
        }
        if self.first == number
            && let Some(slice) = self.open.pop_front()
        {
            self.first += 1;
            include(&mut self.total, &slice);
            self.kept.push_back((number, slice));
        }
        self.after = number + 1;
        let start_ms = (number + 1 - self.window) * self.slide_ms;
        let present = self.keys.iter().zip(&self.total).filter(|(_, total)| total.0 > 0);
        present.map(move |(&key, &(count, sum))| Row { key, start_ms, count, sum })
    }
}

fn include(total: &mut Slice, slice: &Slice) {
    if total.len() < slice.len() {
        total.resize(slice.len(), (0, 0));
    }
    let both = total.iter_mut().zip(slice);
    both.for_each(|(total, it)| *total = (total.0 + it.0, total.1 + it.1));
}
