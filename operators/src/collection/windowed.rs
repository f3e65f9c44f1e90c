//! The contents of windows as a collection: speculative while a window is open, certain when it is
//! complete, then gone.

use std::cell::RefCell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::entry::marked;
use super::sliced::Sliced;
use super::{Collection, Diff, Record};
use crate::event::Event;
use crate::events::Events;
use crate::key::hash;
use crate::plan::{Node, Routing};
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::stream::Stream;
use crate::time::{EventTime, Span};
use crate::window::Assign;

/// Whether what is derived from a window may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The window is open: records may come.
    Speculative(Span),
    /// The watermark has passed the window: this is what it held.
    Certain(Span),
}

impl Verdict {
    /// The window.
    pub fn span(self) -> Span {
        match self {
            Self::Speculative(span) | Self::Certain(span) => span,
        }
    }

    /// Whether the window is complete.
    pub fn certain(self) -> bool {
        matches!(self, Self::Certain(_))
    }
}

impl<'scope, D: Record> Events<'scope, D> {
    /// A collection of the records of each window: [speculative](Verdict::Speculative) while it is open, then
    /// all of them once more as [certain](Verdict::Certain), then none.
    ///
    /// The verdict stands before each record as its key, so joins and aggregates by window, or by window and
    /// more, follow. [`verdicts`](Collection::verdicts) gives their results as a stream.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch every record that came is in its windows that are open. In the epoch
    /// whose watermark passes the end of a window all its records turn from speculative to certain, and
    /// they go in the epoch in which the watermark moves on. A record is late if all its windows were
    /// complete before its epoch; it is only counted, unless
    /// [`windowed_with_late`](Self::windowed_with_late) is asked for it.
    ///
    /// # Cost
    ///
    /// Per record and window it is in: two steps in an ordered table, an exchange by the record's hash,
    /// and **four changes of the collection**. State: the records of open windows, here and in what is derived
    /// from the collection, until the watermark passes; what a checkpoint writes are the windows that
    /// changed.
    ///
    /// # Panics
    ///
    /// If the windows merge, as sessions do: a window whose end is not known has no verdict.
    pub fn windowed<A: Assign<D>>(self, assign: A) -> Collection<'scope, (Verdict, D)> {
        self.windowed_with_late(assign).0
    }

    /// As [`windowed`](Self::windowed), with the records that no window takes any more.
    ///
    /// # Panics
    ///
    /// As [`windowed`](Self::windowed).
    pub fn windowed_with_late<A: Assign<D>>(
        self,
        assign: A,
    ) -> (Collection<'scope, (Verdict, D)>, Stream<'scope, Event<D>>) {
        assert!(
            !assign.merging(),
            "{} cannot be a collection: use windows whose bounds the clock tells",
            assign.describe(),
        );
        let Events { stream, marks } = self;
        let flow = stream.flow;
        let node = Node::operator("windowed")
            .note(assign.describe())
            .state("its records by window, until the watermark passes");
        let node = flow.add(node, [(stream.node, Routing::ByKey("record".to_owned()))]);
        let (open, complete) = (Sliced::sections(0, 2), Sliced::sections(1, 2));
        let held = Rc::new(RefCell::new(Held { open, complete }));
        let rule = Windowed {
            assign,
            watermark: EventTime::MIN,
            held: Rc::clone(&held),
            clearing: false,
            spans: Vec::new(),
        };
        let hash = |event: &Event<D>| hash(&event.value);
        marked(&flow, node, (stream.inner, marks), hash, rule, || held.borrow().contents())
    }
}

impl<'scope, D: Record> Collection<'scope, (Verdict, D)> {
    /// What is said of windows: the [changes](Self::changes) of this collection, but that what is
    /// certain is never taken back.
    ///
    /// # Guarantees
    ///
    /// Summed up, at the end of each epoch, it is what follows from each window that is complete, and
    /// what follows from each open one as far as it has come. A certain result comes in the epoch whose
    /// watermark passes its window, together with the end of the speculative one. If results depend
    /// on another collection as well that changes before the watermark moves on, they come once more.
    ///
    /// # Cost
    ///
    /// As [`changes`](Self::changes).
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::aggregate::Sum;
    /// use tidemill_operators::collection::Verdict;
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::{EventTime, Span, seconds};
    /// use tidemill_operators::window::Tumbling;
    /// use timely::dataflow::InputHandleVec;
    /// use timely::dataflow::operators::{Capture, Input, capture::Extract};
    ///
    /// // (second, amount)
    /// let sums = timely::execute_directly(|worker| {
    ///     let mut input = InputHandleVec::new();
    ///     let sums = worker.dataflow(|scope| {
    ///         let paid = Stream::from_inner(&Flow::new(scope), scope.input_from(&mut input));
    ///         let paid = paid.event_time(
    ///             |(second, _): &(i64, i64)| EventTime::from_secs(*second),
    ///             Disorder::ascending(),
    ///         );
    ///         let paid = paid.map(|(_, amount)| amount).windowed(Tumbling::new(seconds(10)));
    ///         let sums = paid.aggregate(Sum::of(|amount: &i64| *amount));
    ///         sums.verdicts().inner().capture()
    ///     });
    ///     for (epoch, payment) in [(0, (1, 30)), (1, (5, 12)), (2, (11, 8)), (3, (12, 1))] {
    ///         input.advance_to(epoch);
    ///         input.send(payment);
    ///     }
    ///     input.close();
    ///     sums
    /// });
    /// let window = |second| Span::starting(EventTime::from_secs(second), seconds(10));
    /// let (open, done) = (Verdict::Speculative, Verdict::Certain);
    /// let sums: Vec<_> = sums.extract().into_iter().map(|(_, changes)| changes).collect();
    /// assert_eq!(sums[0], [((open(window(0)), 30), 1)]);
    /// assert_eq!(sums[1], [((open(window(0)), 30), -1), ((open(window(0)), 42), 1)]);
    /// let closed = [
    ///     ((open(window(0)), 42), -1),
    ///     ((open(window(10)), 8), 1),
    ///     ((done(window(0)), 42), 1),
    /// ];
    /// assert_eq!(sums[2], closed);
    /// ```
    pub fn verdicts(self) -> Stream<'scope, ((Verdict, D), Diff)> {
        self.changes().filter(|((verdict, _), diff)| !verdict.certain() || *diff > 0)
    }
}

/// A window's place among those that end before and after it: its last moment, and its first.
type Place = (EventTime, EventTime);

/// The records of windows.
struct Held<D> {
    open: Sliced<Place, D>,
    /// Those that turned certain at the watermark.
    complete: Sliced<Place, D>,
}

impl<D: Record> Held<D> {
    fn contents(&self) -> Vec<((Verdict, D), Diff)> {
        let open = self
            .open
            .iter()
            .map(|(at, record, times)| ((Verdict::Speculative(window(at)), record.clone()), times));
        let complete = self
            .complete
            .iter()
            .map(|(at, record, times)| ((Verdict::Certain(window(at)), record.clone()), times));
        open.chain(complete).collect()
    }
}

/// Enters records with their windows, says when these are complete, and takes them away.
struct Windowed<A, D> {
    assign: A,
    watermark: EventTime,
    held: Rc<RefCell<Held<D>>>,
    /// Whether what turned certain before the watermark moved is being taken away.
    clearing: bool,
    spans: Vec<Span>,
}

impl<A, D: Record> Windowed<A, D> {
    /// Takes away what turned certain at the watermark before; says whether it got through.
    fn clear(&mut self, out: &mut Outbox<((Verdict, D), Diff), Event<D>>) -> bool {
        let mut held = self.held.borrow_mut();
        while !out.full() {
            let Some((at, record, times)) = held.complete.take_first(|_, _| true) else {
                return true;
            };
            out.main.push(((Verdict::Certain(window(&at)), record), -times));
        }
        false
    }

    /// Turns windows certain that the watermark has passed; says whether it got through.
    fn turn(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<((Verdict, D), Diff), Event<D>>,
    ) -> bool {
        let mut held = self.held.borrow_mut();
        while !out.full() {
            let Some((at, record, times)) = held.open.take_first(|(last, _), _| *last <= watermark)
            else {
                return true;
            };
            let span = window(&at);
            out.main.push(((Verdict::Speculative(span), record.clone()), -times));
            out.main.push(((Verdict::Certain(span), record.clone()), times));
            held.complete.add(at, record, times);
        }
        false
    }
}

impl<A: Assign<D>, D: Record> Rule<Event<D>> for Windowed<A, D> {
    type Output = ((Verdict, D), Diff);
    type Side = Event<D>;
    type Saved = (Verdict, D, Diff);

    fn accept(&mut self, event: Event<D>, out: &mut Outbox<Self::Output, Event<D>>) {
        self.assign.windows_of(event.at, &event.value, &mut self.spans);
        self.spans.retain(|span| span.last() > self.watermark);
        if self.spans.is_empty() {
            return out.side.push(event);
        }
        let open = &mut self.held.borrow_mut().open;
        for span in self.spans.drain(..) {
            open.add((span.last(), span.start()), event.value.clone(), 1);
            out.main.push(((Verdict::Speculative(span), event.value.clone()), 1));
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Event<D>>,
    ) -> Advance {
        // All workers hear of the same watermark in the same epoch: on all of them what is certain
        // goes at once, and no result is ever of a part of it.
        if watermark > self.watermark {
            self.watermark = watermark;
            self.clearing = true;
        }
        self.clearing = self.clearing && !self.clear(out);
        if self.clearing || !self.turn(watermark, out) {
            return Advance::More;
        }
        Advance::Done
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        let mut held = self.held.borrow_mut();
        let speculative =
            |at: &Place, it: &D, times| (Verdict::Speculative(window(at)), it.clone(), times);
        let certain = |at: &Place, it: &D, times| (Verdict::Certain(window(at)), it.clone(), times);
        held.open.save(to, hash, speculative);
        held.complete.save(to, hash, certain);
    }

    fn restore(&mut self, (verdict, record, times): Self::Saved) {
        let (span, mut held) = (verdict.span(), self.held.borrow_mut());
        let rows = if verdict.certain() { &mut held.complete } else { &mut held.open };
        rows.add((span.last(), span.start()), record, times);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.watermark = watermark;
    }
}

fn window((last, start): &Place) -> Span {
    Span::between(*start, *last)
}
