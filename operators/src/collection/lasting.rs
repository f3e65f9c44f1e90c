//! Retention: the rows of the last hour as a collection, by the watermark.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::entry::marked;
use super::sliced::Sliced;
use super::{Collection, Diff, Record};
use crate::event::Event;
use crate::events::Events;
use crate::key::hash;
use crate::plan::{Node, Routing};
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::stream::Stream;
use crate::time::{EventTime, micros_of};

impl<'scope, D: Record> Events<'scope, D> {
    /// A collection that has each record from when it comes until it is `span` old: until the watermark
    /// passes that moment after its time.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch the collection holds the records that came and happened less than
    /// `span` before the watermark. One that is older when it comes is not entered; it is only
    /// counted, unless [`lasting_with_late`](Self::lasting_with_late) is asked for it. At the end of
    /// time nothing is left.
    ///
    /// # Cost
    ///
    /// Two steps in an ordered table and an exchange by the record's hash. State: the records of the last
    /// `span`, with their times, here and in what is derived from the collection; what a checkpoint writes
    /// is up to a sixteenth of them, and what changed.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::{EventTime, minutes};
    /// use timely::dataflow::InputHandleVec;
    /// use timely::dataflow::operators::{Capture, Input, capture::Extract};
    ///
    /// // Who paid within the last ten minutes: (minute, who).
    /// let active = timely::execute_directly(|worker| {
    ///     let mut input = InputHandleVec::new();
    ///     let active = worker.dataflow(|scope| {
    ///         let paid = Stream::from_inner(&Flow::new(scope), scope.input_from(&mut input));
    ///         let paid = paid.event_time(
    ///             |(minute, _): &(i64, char)| EventTime::from_secs(60 * minute),
    ///             Disorder::ascending(),
    ///         );
    ///         let active = paid.map(|(_, who)| who).lasting(minutes(10)).distinct();
    ///         active.changes().inner().capture()
    ///     });
    ///     for (epoch, payment) in [(0, (1, 'a')), (1, (5, 'b')), (2, (16, 'c')), (3, (17, 'd'))] {
    ///         input.advance_to(epoch);
    ///         input.send(payment);
    ///     }
    ///     input.close();
    ///     active
    /// });
    /// let active: Vec<_> = active.extract().into_iter().map(|(_, changes)| changes).collect();
    /// assert_eq!(active[0], [('a', 1)]);
    /// assert_eq!(active[1], [('b', 1)]);
    /// // By the sixteenth minute both payments are more than ten minutes old.
    /// assert_eq!(active[2], [('a', -1), ('b', -1), ('c', 1)]);
    /// ```
    pub fn lasting(self, span: Duration) -> Collection<'scope, D> {
        self.lasting_with_late(span).0
    }

    /// As [`lasting`](Self::lasting), with the records that were too old when they came.
    pub fn lasting_with_late(
        self,
        span: Duration,
    ) -> (Collection<'scope, D>, Stream<'scope, Event<D>>) {
        let Events { stream, marks } = self;
        let flow = stream.flow;
        let node = Node::operator("lasting")
            .note(format!("for {span:?}"))
            .state("its records, until the watermark passes their time and that");
        let node = flow.add(node, [(stream.node, Routing::ByKey("record".to_owned()))]);
        let rows = Rc::new(RefCell::new(Sliced::sections(0, 1)));
        let rule = Lasting::new(span, Rc::clone(&rows));
        let hash = |event: &Event<D>| hash(&event.value);
        marked(&flow, node, (stream.inner, marks), hash, rule, || {
            let rows = rows.borrow();
            rows.iter().map(|(_, (_, record), times)| (record.clone(), times)).collect()
        })
    }
}

/// Records with the moment at which they go, in slices of time.
type Rows<D> = Rc<RefCell<Sliced<i64, (EventTime, D)>>>;

/// Enters records and takes them away when they are old.
struct Lasting<D> {
    span: Duration,
    /// The length of a slice.
    slice: i64,
    watermark: EventTime,
    rows: Rows<D>,
}

impl<D> Lasting<D> {
    /// Slices that the span is cut into: those that change are written by a checkpoint.
    const SLICES: i64 = 16;

    fn new(span: Duration, rows: Rows<D>) -> Self {
        let slice = (micros_of(span) / Self::SLICES).max(1);
        Self { span, slice, watermark: EventTime::MIN, rows }
    }
}

impl<D: Record> Rule<Event<D>> for Lasting<D> {
    type Output = (D, Diff);
    type Side = Event<D>;
    type Saved = (EventTime, D, Diff);

    fn accept(&mut self, event: Event<D>, out: &mut Outbox<(D, Diff), Event<D>>) {
        let until = event.at.saturating_add(self.span);
        if until <= self.watermark {
            return out.side.push(event);
        }
        self.restore((until, event.value.clone(), 1));
        out.main.push((event.value, 1));
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outbox<(D, Diff), Event<D>>) -> Advance {
        self.watermark = watermark;
        let mut rows = self.rows.borrow_mut();
        while !out.full() {
            let Some((_, (_, record), times)) = rows.take_first(|_, row| row.0 <= watermark) else {
                return Advance::Done;
            };
            out.main.push((record, -times));
        }
        Advance::More
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        let hash = |(_, record): &(EventTime, D)| hash(record);
        let entry =
            |_: &i64, (until, record): &(EventTime, D), times| (*until, record.clone(), times);
        self.rows.borrow_mut().save(to, hash, entry);
    }

    fn restore(&mut self, (until, record, times): Self::Saved) {
        let slice = until.micros().div_euclid(self.slice);
        self.rows.borrow_mut().add(slice, (until, record), times);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.watermark = watermark;
    }
}
