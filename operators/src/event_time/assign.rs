//! The wiring that stamps records and, at the end of each epoch, says how far time has come.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use timely::container::{CapacityContainerBuilder, NoopBuilder};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::Broadcast;

use super::Disorder;
use super::ledger::Ledger;
use super::times::{ByClock, ByRecord, Times};
use crate::batch::Batch;
use crate::drive::{Marks, least};
use crate::event::Event;
use crate::events::Events;
use crate::flow::Site;
use crate::mark::{Mark, Watermark};
use crate::plan::{Node, Routing};
use crate::state::Section;
use crate::stream::Stream;
use crate::time::{Epoch, EventTime};

impl<'scope, D: 'static> Stream<'scope, D> {
    /// Gives each record the moment that `at` reads off it, and the stream a watermark.
    ///
    /// Watermarks are told per partition of the source as long as only `map`, `filter`, `flat_map`,
    /// `inspect` and `split` stand between; otherwise each worker counts as one partition.
    ///
    /// # Cost
    ///
    /// One call of `at` and one move per record; one mark per worker and epoch in which the
    /// watermark moved. State: one moment per partition.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::{EventTime, seconds};
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let timed = timely::example(|scope| {
    ///     let clicks = [(30, 'a'), (28, 'b')].to_stream(scope);
    ///     let clicks = Stream::from_inner(&Flow::new(scope), clicks);
    ///     let at = |click: &(i64, char)| EventTime::from_secs(click.0);
    ///     clicks.event_time(at, Disorder::up_to(seconds(5))).timed().inner().capture()
    /// });
    /// let (_, timed) = &timed.extract()[0];
    /// assert_eq!(timed[0].at, EventTime::from_secs(28));
    /// ```
    pub fn event_time(
        self,
        at: impl Fn(&D) -> EventTime + 'static,
        disorder: Disorder<D>,
    ) -> Events<'scope, D> {
        let site = self.flow.site();
        let partitions = self.partitions.clone();
        // Records whose partitions are mixed count as one partition that ends with the stream.
        let worker = format!("worker {}", site.worker);
        let names = partitions.as_ref().map_or_else(|| vec![worker], |it| it.names());
        let ledger =
            Ledger::new(names, disorder.idle_after, site.clock.now(), site.keeper.resume());
        let reached = Rc::new(Cell::new(EventTime::MIN));
        let drift = disorder.drift;
        let clock = Rc::clone(&site.clock);
        let told = Rc::clone(&reached);
        let times = ByRecord { at, kind: disorder.kind, ledger, partitions, drift, told, clock };
        let events = self.assign("event_time", times);
        if drift.is_some() {
            events.tell(reached);
        }
        events
    }

    /// Gives each record the time of day at which it is seen here, and the stream the time of day
    /// as its watermark.
    ///
    /// Windows over it are windows of processing time: they depend on when records arrive, so two
    /// runs differ. They fire within one epoch of their end, also while no records come, as the
    /// job's epochs go on.
    pub fn processing_time(self) -> Events<'scope, D> {
        let clock = Rc::clone(&self.flow.site().clock);
        self.assign("processing_time", ByClock { clock, open: Vec::new() })
    }

    fn assign<T: Times<D>>(self, name: &str, mut times: T) -> Events<'scope, D> {
        let flow = self.flow;
        let node = flow.add(
            Node::operator(name).state("one moment per partition of the source"),
            [(self.node, Routing::Local)],
        );
        let (name, site) = (flow.name_of(node), flow.site());
        let mut parts = Vec::new();
        site.keeper.recall(&name, "EventTime", site.worker, 0..0, &mut |it, _| parts.push(it));
        if let Err(why) = times.restore(parts) {
            site.keeper.refuse(&name, why);
        }

        let mut builder = OperatorBuilder::new(name.clone(), flow.scope());
        let mut input = builder.new_input(self.inner, Pipeline);
        let (output, stream) = builder.new_output();
        let (marks, mark_stream) = builder.new_output();
        let mut output = OutputBuilder::<Epoch, NoopBuilder<Batch<Event<D>>>>::from(output);
        let mut marks = OutputBuilder::<Epoch, CapacityContainerBuilder<Vec<Mark>>>::from(marks);
        let slot = site.worker as u32;
        let mut herald = Herald { seen: site.keeper.resume(), name, site };

        builder.build(move |mut capabilities| {
            // To be able to speak at the end of every epoch, also of one without records.
            let mut held = capabilities.pop();
            let mut made = Batch::default();
            move |frontiers| {
                let (mut output, mut marks) = (output.activate(), marks.activate());
                input.for_each(|capability, batch| {
                    let epoch = *capability.least().expect("records travel with an epoch");
                    made.partition = batch.partition;
                    times.stamp(epoch, batch, &mut made.records);
                    output.session_with_builder(&capability).give_container(&mut made);
                    made.records.clear();
                });
                let frontier = least(frontiers);
                if let Some(speaker) = held.take_if(|_| frontier > herald.seen) {
                    let mut say = |epoch: Epoch, reached| {
                        let mark = Mark { slot, reached };
                        marks.session(&speaker.delayed(&epoch)).give(mark);
                    };
                    herald.tell(frontier, &mut times, &mut say);
                    held = (frontier < Epoch::MAX).then(|| speaker.delayed(&frontier));
                }
            }
        });
        let slots = flow.scope().peers();
        let stream = Stream { flow, inner: stream, node, partitions: None };
        Events { stream, marks: Marks { stream: mark_stream.broadcast(), slots } }
    }
}

/// Says and keeps, at the end of each epoch, how far time has come. Epochs may complete many at
/// once; what is said and kept of each does not depend on that.
struct Herald {
    /// The earliest epoch that was not complete.
    seen: Epoch,
    name: String,
    site: Rc<Site>,
}

impl Herald {
    fn tell<D>(
        &mut self,
        frontier: Epoch,
        times: &mut impl Times<D>,
        say: &mut impl FnMut(Epoch, Option<EventTime>),
    ) {
        let mut last = self.seen;
        while let Some(epoch) = times.first_open(frontier).map(|it| it.max(last)) {
            // What is known now holds up to here: later epochs are not part of it.
            self.keep(times, last..epoch);
            last = epoch;
            times.close(epoch).into_iter().for_each(|reached| say(epoch, reached));
        }
        if frontier == Epoch::MAX {
            if !self.site.stopped() {
                say(last, Some(EventTime::MAX));
            }
            self.keep(times, last..Epoch::MAX);
        } else {
            self.keep(times, last..frontier - 1);
            // The end of an epoch without records is a moment to notice silence, too.
            times.close(frontier - 1).into_iter().for_each(|it| say(frontier - 1, it));
            self.keep(times, frontier - 1..frontier);
        }
        self.seen = frontier;
    }

    fn keep<D>(&self, times: &impl Times<D>, completed: Range<Epoch>) {
        if self.site.keeper.due(&completed) {
            let saved = vec![Section { id: 0, parts: Some(times.save()) }];
            self.site.keeper.keep(&self.name, self.site.worker, completed, saved);
        }
    }
}

impl<D: 'static> Events<'_, D> {
    /// Keeps the watermark of the stream in a cell.
    fn tell(&self, reached: Rc<Cell<EventTime>>) {
        let mut watermark = Watermark::new(self.marks.slots);
        let mut open = BTreeMap::<Epoch, Vec<Mark>>::new();
        self.marks.stream.clone().sink(Pipeline, "align", move |(input, frontier)| {
            input.for_each(|capability, marks| {
                let epoch = *capability.least().expect("marks travel with an epoch");
                open.entry(epoch).or_default().append(marks);
            });
            let later = open.split_off(&least(std::slice::from_ref(frontier)));
            let completed = std::mem::replace(&mut open, later);
            reached.set(watermark.complete(completed.into_values().flatten()));
        });
    }
}
