//! What the user chose for a window, and what is done to one window with it.

use std::time::Duration;

use super::agenda::{Agenda, Call};
use super::windows::{Window, find, touching};
use crate::event::Event;
use crate::rule::Outbox;
use crate::time::{EventTime, Span};
use crate::window::assign::Assign;
use crate::window::contents::Contents;
use crate::window::pane::Pane;
use crate::window::trigger::{Decision, Trigger, Watch};

/// The settings of a window, and the watermark in force.
pub(super) struct Parts<A, T, C> {
    pub(super) assign: A,
    pub(super) trigger: T,
    pub(super) contents: C,
    pub(super) lateness: Duration,
    pub(super) watermark: EventTime,
}

impl<A, T, C> Parts<A, T, C> {
    /// The moment at which a window is dropped.
    pub(super) fn end(&self, span: Span) -> EventTime {
        span.last().saturating_add(self.lateness)
    }

    /// Whether a window takes no more records.
    pub(super) fn dropped(&self, span: Span) -> bool {
        self.end(span) <= self.watermark
    }

    /// Puts a window into the agenda for the next moment at which something happens to it.
    ///
    /// Nothing happens at the end of time unless the trigger asked for it.
    pub(super) fn queue<K: Clone, S, F>(
        &self,
        key: &K,
        window: &mut Window<S, F>,
        agenda: &mut Agenda<K>,
    ) {
        let end = Some(self.end(window.span)).filter(|&it| it < EventTime::MAX);
        let Some(next) = window.moments.first().copied().into_iter().chain(end).min() else {
            return;
        };
        if window.queued.is_none_or(|queued| next < queued) {
            window.queued = Some(next);
            agenda.push(next, Call { key: key.clone(), window: window.id });
        }
    }

    /// The place of the window for a record whose own window is `span`, or none if it is dropped.
    pub(super) fn place<K, V>(
        &self,
        windows: &mut Vec<Window<C::State, T::State>>,
        span: Span,
        agenda: &mut Agenda<K>,
    ) -> Option<usize>
    where
        A: Assign<V>,
        T: Trigger<V>,
        C: Contents<K, V>,
    {
        if self.assign.merging() {
            return self.merge(windows, span, agenda);
        }
        Some(find(windows, span).unwrap_or_else(|place| {
            windows.insert(place, self.open(span, agenda));
            place
        }))
    }

    fn open<K, V>(&self, span: Span, agenda: &mut Agenda<K>) -> Window<C::State, T::State>
    where
        T: Trigger<V>,
        C: Contents<K, V>,
    {
        Window::new(span, self.contents.start(), self.trigger.start(), agenda.id())
    }

    /// Merges every window that touches `span` into one that covers it.
    ///
    /// One pass is transitive: the windows do not touch each other before, so nothing but `span`
    /// itself can join two of them.
    fn merge<K, V>(
        &self,
        windows: &mut Vec<Window<C::State, T::State>>,
        span: Span,
        agenda: &mut Agenda<K>,
    ) -> Option<usize>
    where
        T: Trigger<V>,
        C: Contents<K, V>,
    {
        let touched = touching(windows, span);
        let cover = windows[touched.clone()].iter().fold(span, |cover, it| cover.cover(it.span));
        if self.dropped(cover) {
            return None;
        }
        let place = touched.start;
        if touched.is_empty() {
            windows.insert(place, self.open(span, agenda));
            return Some(place);
        }
        if windows[place].span == cover {
            return Some(place);
        }
        let others: Vec<_> = windows.drain(place + 1..touched.end).collect();
        let window = &mut windows[place];
        window.span = cover;
        window.moments.clear();
        let mut states = Vec::with_capacity(others.len());
        for other in others {
            self.contents.merge(&mut window.contents, other.contents);
            window.extent = window.extent.into_iter().chain(other.extent).reduce(Span::cover);
            states.push(other.trigger);
        }
        let mut watch = Watch::new(cover, self.watermark, &mut window.moments);
        self.trigger.on_merge(&mut window.trigger, states, &mut watch);
        Some(place)
    }

    /// Adds a record to a window and does what the trigger decides.
    pub(super) fn add<K: Clone, V>(
        &self,
        key: &K,
        window: &mut Window<C::State, T::State>,
        at: EventTime,
        value: &V,
        out: &mut Outbox<Event<Pane<K, C::Output>>, Event<(K, V)>>,
    ) where
        T: Trigger<V>,
        C: Contents<K, V>,
    {
        let moment = Span::between(at, at);
        window.extent = Some(window.extent.map_or(moment, |it| it.cover(moment)));
        self.contents.add(&mut window.contents, at, value);
        let mut watch = Watch::new(window.span, self.watermark, &mut window.moments);
        let decision = self.trigger.on_record(&mut window.trigger, at, value, &mut watch);
        self.act(decision, key, window, out);
    }

    /// Tells the trigger that a moment has come and does what it decides.
    pub(super) fn on_moment<K: Clone, V>(
        &self,
        key: &K,
        window: &mut Window<C::State, T::State>,
        moment: EventTime,
        out: &mut Outbox<Event<Pane<K, C::Output>>, Event<(K, V)>>,
    ) where
        T: Trigger<V>,
        C: Contents<K, V>,
    {
        let mut watch = Watch::new(window.span, self.watermark, &mut window.moments);
        let decision = self.trigger.on_moment(&mut window.trigger, moment, &mut watch);
        self.act(decision, key, window, out);
    }

    /// Whether a window can be forgotten before its time: nothing would tell it from a new one.
    ///
    /// An empty window that merges is not forgotten: its span still joins others.
    pub(super) fn over<V>(&self, window: &Window<impl Sized, T::State>) -> bool
    where
        A: Assign<V>,
        T: Trigger<V>,
    {
        window.extent.is_none()
            && window.moments.is_empty()
            && !self.assign.merging()
            && self.trigger.spent(&window.trigger)
    }

    fn act<K: Clone, V>(
        &self,
        decision: Decision,
        key: &K,
        window: &mut Window<C::State, T::State>,
        out: &mut Outbox<Event<Pane<K, C::Output>>, Event<(K, V)>>,
    ) where
        T: Trigger<V>,
        C: Contents<K, V>,
    {
        if decision.fires() {
            self.fire(key, window, out);
        }
        if decision.purges() {
            window.contents = self.contents.start();
            window.extent = None;
        }
    }

    fn fire<K: Clone, V, S>(
        &self,
        key: &K,
        window: &mut Window<C::State, S>,
        out: &mut Outbox<Event<Pane<K, C::Output>>, Event<(K, V)>>,
    ) where
        C: Contents<K, V>,
    {
        let Some(extent) = window.extent else { return };
        window.extent = self.contents.evict(&mut window.contents, window.span, extent);
        let Some(extent) = window.extent else { return };
        let span = if window.span == Span::ALWAYS { extent } else { window.span };
        self.contents.fire(key, span, &window.contents, &mut |value| {
            out.main.push(Event::new(span.last(), Pane { key: key.clone(), span, value }));
        });
    }
}
