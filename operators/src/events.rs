//! Events: streams whose records carry the moment they happened.

use std::fmt;
use std::time::Duration;

use timely::ExchangeData;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use crate::drive::Marks;
use crate::event::Event;
use crate::flow::Flow;
use crate::mark::Mark;
use crate::rule::Either;
use crate::stream::Stream;
use crate::time::EventTime;

/// A stream of records with event times, beside which a watermark travels.
///
/// Made by [`Stream::event_time`]. Verbs change the records and leave their times alone. When an
/// epoch is complete, its watermark says that no event at or before it is to come; what comes
/// nevertheless is late.
pub struct Events<'scope, D> {
    pub(crate) stream: Stream<'scope, Event<D>>,
    pub(crate) marks: Marks<'scope>,
}

impl<D: Clone + 'static> Clone for Events<'_, D> {
    fn clone(&self) -> Self {
        Self { stream: self.stream.clone(), marks: self.marks.clone() }
    }
}

impl<D> fmt::Debug for Events<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl<'scope, D: 'static> Events<'scope, D> {
    /// Applies `change` to each record.
    #[must_use]
    pub fn map<T: 'static>(self, mut change: impl FnMut(D) -> T + 'static) -> Events<'scope, T> {
        let stream = self.stream.narrow("map", move |records, made| {
            made.extend(records.drain(..).map(|event| event.map(&mut change)));
        });
        Events { stream, marks: self.marks }
    }

    /// Keeps the records that `keep` holds for.
    #[must_use]
    pub fn filter(self, mut keep: impl FnMut(&D) -> bool + 'static) -> Self {
        Self { stream: self.stream.filter(move |event| keep(&event.value)), marks: self.marks }
    }

    /// Puts in the place of each record what `expand` makes of it, all at the record's time.
    #[must_use]
    pub fn flat_map<I: IntoIterator<Item: 'static>>(
        self,
        mut expand: impl FnMut(D) -> I + 'static,
    ) -> Events<'scope, I::Item> {
        let stream = self.stream.narrow("flat_map", move |records, made| {
            for event in records.drain(..) {
                made.extend(expand(event.value).into_iter().map(|it| Event::new(event.at, it)));
            }
        });
        Events { stream, marks: self.marks }
    }

    /// Shows each record and its time to `look` as it passes.
    #[must_use]
    pub fn inspect(self, mut look: impl FnMut(EventTime, &D) + 'static) -> Self {
        let stream = self.stream.inspect(move |event| look(event.at, &event.value));
        Self { stream, marks: self.marks }
    }

    /// The events of both; the watermark is the lesser of theirs.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let marks = self.marks.beside(other.marks);
        Self { stream: self.stream.union(other.stream), marks }
    }

    /// Sends each record to one of two streams of events, each of its own type.
    pub fn split<L: 'static, R: 'static>(
        self,
        mut choose: impl FnMut(D) -> Either<L, R> + 'static,
    ) -> (Events<'scope, L>, Events<'scope, R>) {
        let (left, right) = self.stream.split(move |event| match choose(event.value) {
            Either::Left(value) => Either::Left(Event::new(event.at, value)),
            Either::Right(value) => Either::Right(Event::new(event.at, value)),
        });
        let marks = self.marks;
        (Events { stream: left, marks: marks.clone() }, Events { stream: right, marks })
    }

    /// The same events, spread evenly over the workers, a batch at a time.
    #[must_use]
    pub fn rebalance(self) -> Self
    where
        D: ExchangeData,
    {
        Self { stream: self.stream.rebalance(), marks: self.marks }
    }

    /// Every event on every worker.
    #[must_use]
    pub fn broadcast(self) -> Self
    where
        D: ExchangeData + Clone,
    {
        Self { stream: self.stream.broadcast(), marks: self.marks }
    }

    /// The events as plain records, each with its time, without the watermark.
    pub fn timed(self) -> Stream<'scope, Event<D>> {
        self.stream
    }

    /// The records without times and watermark.
    pub fn values(self) -> Stream<'scope, D> {
        self.stream.map(|event| event.value)
    }

    /// The flow that the events are part of.
    pub fn flow(&self) -> &Flow<'scope> {
        self.stream.flow()
    }

    /// Takes events apart into their stream and their marks, for operators of one's own.
    pub fn into_parts(self) -> (Stream<'scope, Event<D>>, Marks<'scope>) {
        (self.stream, self.marks)
    }

    /// Puts events together from a stream and marks that hold for it.
    pub fn from_parts(stream: Stream<'scope, Event<D>>, marks: Marks<'scope>) -> Self {
        Self { stream, marks }
    }
}

impl Marks<'_> {
    /// The marks of two streams side by side: the watermark is the lesser of theirs.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        let slots = self.slots as u32;
        let moved = other.stream.map(move |mark: Mark| Mark { slot: mark.slot + slots, ..mark });
        Self { stream: self.stream.concat(moved), slots: self.slots + other.slots }
    }

    /// The marks of a stream whose records may be `by` older than the watermark, for an operator that
    /// takes so long to give them. The end of time is not held back.
    #[must_use]
    pub fn held_back(self, by: Duration) -> Self {
        if by.is_zero() {
            return self;
        }
        let back = move |at: EventTime| match at {
            EventTime::MAX => at,
            _ => at.saturating_sub(by),
        };
        let stream = self.stream.map(move |it: Mark| Mark { reached: it.reached.map(back), ..it });
        Self { stream, slots: self.slots }
    }
}
