//! The desk of an operator: what lies on it, by epoch, and in which order it is worked off.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use timely::container::NoopBuilder;
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::{Capability, InputCapability};

use super::RECORDS_AT_ONCE;
use crate::batch::Batch;
use crate::count::Counts;
use crate::flow::{Flow, Site};
use crate::mark::{Mark, Watermark};
use crate::plan::NodeId;
use crate::rule::{Advance, Outbox, Rule};
use crate::state::{ForEveryone, Owner, Part, Saving, Section, decode, decode_all, encode};
use crate::time::{Epoch, EventTime};

/// The right to send with an epoch, on the output and on the side output.
pub(super) type Held = (Capability<Epoch>, Capability<Epoch>);

/// Sends what is in an outbox with an epoch.
pub(super) fn shipping<'a, 'm: 'a, 's: 'a, O: 'static, S: 'static>(
    main: &'a mut OutputBuilderSession<'m, Epoch, NoopBuilder<Batch<O>>>,
    side: &'a mut OutputBuilderSession<'s, Epoch, NoopBuilder<Batch<S>>>,
) -> impl FnMut(&Held, &mut Outbox<O, S>) + 'a {
    move |held, out| {
        if !out.main.is_empty() {
            let mut batch = Batch::from(std::mem::take(&mut out.main));
            main.session_with_builder(&held.0).give_container(&mut batch);
            out.main = batch.records;
            out.main.clear();
        }
        if !out.side.is_empty() {
            let mut batch = Batch::from(std::mem::take(&mut out.side));
            side.session_with_builder(&held.1).give_container(&mut batch);
        }
    }
}

/// A rule with the records and marks that wait for it.
pub(super) struct Desk<D, R: Rule<D>> {
    rule: R,
    /// The earliest incomplete epoch: the rule has seen all records of the epochs before.
    now: Epoch,
    /// Whether the rule is in the middle of advancing through `now`, and to which watermark.
    advancing: Option<EventTime>,
    waiting: BTreeMap<Epoch, VecDeque<Vec<D>>>,
    marks: BTreeMap<Epoch, Vec<Mark>>,
    held: BTreeMap<Epoch, Held>,
    watermark: Watermark,
    out: Outbox<R::Output, R::Side>,
    /// Records that may be folded before the operator yields.
    budget: usize,
    counts: Counts,
    saving: Saving,
    name: String,
    site: Rc<Site>,
}

/// The number of the section that holds the watermark: rules number theirs from 0.
const WATERMARK: u64 = u64::MAX;

impl<D, R: Rule<D>> Desk<D, R> {
    /// A desk with what was kept for this operator restored.
    pub(super) fn new(
        flow: &Flow<'_>,
        node: NodeId,
        mut rule: R,
        slots: usize,
        counts: Counts,
    ) -> Self {
        let (name, site) = (flow.name_of(node), flow.site());
        let (mut watermark, mut saving) = (Watermark::new(slots), Saving::new(site.groups));
        if let Err(why) = restore(&mut rule, &mut watermark, &mut saving, &name, &site) {
            site.keeper.refuse(&name, why);
        }
        Self {
            rule,
            now: site.keeper.resume(),
            advancing: None,
            waiting: BTreeMap::new(),
            marks: BTreeMap::new(),
            held: BTreeMap::new(),
            watermark,
            out: Outbox::new(),
            budget: RECORDS_AT_ONCE,
            counts,
            saving,
            name,
            site,
        }
    }

    /// Begins with the right to send at any time, which is kept by a rule that waits for the time
    /// of day.
    pub(super) fn begin(&mut self, mut initial: Vec<Capability<Epoch>>) {
        let sides = initial.pop().zip(initial.pop());
        if let Some((side, main)) = sides.filter(|_| self.rule.waits()) {
            self.held.insert(self.now, (main.delayed(&self.now), side.delayed(&self.now)));
        }
    }

    /// Takes records off the wire: folds them if their epoch is due, otherwise lets them wait.
    pub(super) fn receive(
        &mut self,
        capability: &InputCapability<Epoch>,
        records: &mut Vec<D>,
        ship: &mut impl FnMut(&Held, &mut Outbox<R::Output, R::Side>),
    ) {
        let epoch = self.hold(capability);
        self.counts.rows_in.add(records.len() as u64);
        let due = epoch == self.now && self.advancing.is_none() && self.budget > 0;
        if due && !self.waiting.contains_key(&epoch) {
            self.fold(records, ship);
        } else {
            self.waiting.entry(epoch).or_default().push_back(std::mem::take(records));
        }
    }

    /// Takes marks off the wire; they count when their epoch is complete.
    pub(super) fn hear(&mut self, capability: &InputCapability<Epoch>, marks: &mut Vec<Mark>) {
        let epoch = self.hold(capability);
        self.marks.entry(epoch).or_default().append(marks);
    }

    fn hold(&mut self, capability: &InputCapability<Epoch>) -> Epoch {
        let epoch = *capability.least().expect("records travel with an epoch");
        self.held
            .entry(epoch)
            .or_insert_with(|| (capability.delayed(&epoch, 0), capability.delayed(&epoch, 1)));
        epoch
    }

    /// Works off what lies on the desk, as far as all of it has arrived: everything before
    /// `frontier`. Returns whether there is more to do at once.
    pub(super) fn work(
        &mut self,
        frontier: Epoch,
        ship: &mut impl FnMut(&Held, &mut Outbox<R::Output, R::Side>),
    ) -> bool {
        let more = loop {
            if !self.fold_waiting(ship) {
                break true;
            }
            if self.now >= frontier {
                break false;
            }
            if !self.advance(ship) {
                break true;
            }
            self.complete(frontier);
        };
        self.emit(ship);
        self.budget = RECORDS_AT_ONCE;
        more
    }

    /// How far the operator has come, given how far its inputs have.
    pub(super) fn reached(&self, frontier: Epoch) -> Epoch {
        self.held.first_key_value().map_or(frontier, |(epoch, _)| frontier.min(*epoch))
    }

    /// Folds the waiting records of the earliest incomplete epoch; says whether it got through.
    fn fold_waiting(
        &mut self,
        ship: &mut impl FnMut(&Held, &mut Outbox<R::Output, R::Side>),
    ) -> bool {
        while let Some(waiting) = self.waiting.get_mut(&self.now) {
            if self.budget == 0 {
                return false;
            }
            match waiting.pop_front() {
                Some(mut records) => self.fold(&mut records, ship),
                None => _ = self.waiting.remove(&self.now),
            }
        }
        true
    }

    fn fold(
        &mut self,
        records: &mut Vec<D>,
        ship: &mut impl FnMut(&Held, &mut Outbox<R::Output, R::Side>),
    ) {
        self.budget = self.budget.saturating_sub(records.len());
        self.rule.accept_all(records, &mut self.out);
        if self.out.full() {
            self.emit(ship);
        }
    }

    /// Advances the rule through the epoch `now`; says whether it got through.
    fn advance(&mut self, ship: &mut impl FnMut(&Held, &mut Outbox<R::Output, R::Side>)) -> bool {
        if !self.held.contains_key(&self.now) {
            return true;
        }
        let watermark = *self.advancing.get_or_insert_with(|| {
            self.watermark.complete(self.marks.remove(&self.now).into_iter().flatten())
        });
        loop {
            if self.budget == 0 {
                return false;
            }
            let advanced = self.rule.advance(watermark, &mut self.out);
            // A rule that is not through has worked, also if it emitted little or nothing.
            let least = if advanced == Advance::More { Outbox::<(), ()>::FULL } else { 0 };
            self.budget = self.budget.saturating_sub(self.out.main.len().max(least));
            self.emit(ship);
            if advanced == Advance::Done {
                break;
            }
        }
        self.counts.watermark.set(watermark.micros());
        self.advancing = None;
        true
    }

    /// Leaves the epoch `now` behind, keeping the rule's state if it is due.
    fn complete(&mut self, frontier: Epoch) {
        let held = self.held.remove(&self.now);
        let next = self.held.first_key_value().map_or(frontier, |(epoch, _)| frontier.min(*epoch));
        if let Some((main, side)) = held.filter(|_| next < Epoch::MAX && self.rule.waits()) {
            let next_held = || (main.delayed(&next), side.delayed(&next));
            self.held.entry(next).or_insert_with(next_held);
        }
        if self.site.keeper.due(&(self.now..next)) {
            self.save(next);
        }
        self.now = next;
    }

    /// Keeps the rule's state, which holds from `now` until `next`.
    fn save(&mut self, next: Epoch) {
        self.rule.save(&mut self.saving);
        let mut sections = self.saving.take();
        let watermark = encode(&ForEveryone::Watermark(self.watermark.current()));
        let watermark = Part { owner: Owner::Everyone, bytes: watermark };
        sections.push(Section { id: WATERMARK, parts: Some(vec![watermark]) });
        self.site.keeper.keep(&self.name, self.site.worker, self.now..next, sections);
    }

    /// Ships what the rule has emitted for the epoch `now`.
    fn emit(&mut self, ship: &mut impl FnMut(&Held, &mut Outbox<R::Output, R::Side>)) {
        if let Some(held) = self.held.get(&self.now) {
            self.counts.rows_out.add(self.out.main.len() as u64);
            self.counts.late.add(self.out.side.len() as u64);
            ship(held, &mut self.out);
        }
    }
}

/// Gives a fresh rule what was kept for it; says why if that cannot be used.
fn restore<D, R: Rule<D>>(
    rule: &mut R,
    watermark: &mut Watermark,
    saving: &mut Saving,
    name: &str,
    site: &Site,
) -> Result<(), String> {
    let entries = std::any::type_name::<R::Saved>();
    let (shared, section) = (Vec::new(), None);
    let mut restoring =
        Restoring { rule, watermark, saving, shared, section, any: false, resumed: false };
    let mut done = Ok(());
    let (worker, groups) = (site.worker, site.groups.owned(site.worker));
    site.keeper.recall(name, entries, worker, groups, &mut |part, section| {
        if done.is_ok() {
            done = restoring.take(part, section);
        }
    });
    done?;
    restoring.resume()?;
    rule.restored()?.iter().for_each(|state| site.keeper.dropped(name, state));
    Ok(())
}

/// A fresh rule that is given what was kept for it, part by part.
struct Restoring<'a, R> {
    rule: &'a mut R,
    watermark: &'a mut Watermark,
    saving: &'a mut Saving,
    /// The section that the entries come from, if it stands.
    section: Option<u64>,
    /// Entries for every worker, which come before the watermark is known.
    shared: Vec<Vec<u8>>,
    /// Whether there is something to resume from.
    any: bool,
    resumed: bool,
}

impl<R> Restoring<'_, R> {
    fn take<D>(&mut self, part: Part, section: Option<u64>) -> Result<(), String>
    where
        R: Rule<D>,
    {
        self.any = true;
        if part.is_for_group() {
            self.resume()?;
            if let Some(id) = section
                && std::mem::replace(&mut self.section, section) != section
                && self.rule.restoring(id)
            {
                self.saving.stands(id);
            }
            return decode_all(&part.bytes, |entry| self.rule.restore(entry));
        }
        match decode(&part.bytes)? {
            ForEveryone::Watermark(reached) => self.watermark.resume(reached),
            ForEveryone::Entries(entries) => self.shared.push(entries),
        }
        Ok(())
    }

    /// Lets the rule resume, once all that is for every worker has come.
    fn resume<D>(&mut self) -> Result<(), String>
    where
        R: Rule<D>,
    {
        if !self.any || std::mem::replace(&mut self.resumed, true) {
            return Ok(());
        }
        self.rule.resume(self.watermark.current());
        std::mem::take(&mut self.shared)
            .iter()
            .try_for_each(|it| decode_all(it, |entry| self.rule.restore(entry)))
    }
}
