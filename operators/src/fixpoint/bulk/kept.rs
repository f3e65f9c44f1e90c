//! The model that a run that continues starts with.

use std::any::type_name;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::flow::Site;
use crate::state::{Owner, Part, Section, decode, encode};
use crate::time::Epoch;

/// Hands the final model of the latest epoch over to the keeper, when that is due.
pub(super) struct Kept {
    site: Rc<Site>,
    name: String,
    /// The earliest epoch whose model was not looked at.
    now: Epoch,
    /// Whether the model is another than when it was handed over last.
    changed: bool,
}

impl Kept {
    /// The number of the section that holds the model.
    const MODEL: u64 = 0;

    /// Of an operator with this name; with the model that was kept for it.
    pub(super) fn recall<M: DeserializeOwned>(site: Rc<Site>, name: &str) -> (Self, Option<M>) {
        let (mut model, mut unreadable) = (None, None);
        let (worker, groups) = (site.worker, site.groups.owned(site.worker));
        let mut take = |part: Part, _| match decode(&part.bytes) {
            Ok(kept) => model = Some(kept),
            Err(why) => unreadable = Some(why),
        };
        site.keeper.recall(name, type_name::<M>(), worker, groups, &mut take);
        if let Some(why) = unreadable {
            site.keeper.refuse(name, why);
        }
        let now = site.keeper.resume();
        (Self { site, name: name.to_owned(), now, changed: true }, model)
    }

    /// Says that the model is another from `now` on.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// Says that no epoch before `next` changes the model any more. The first worker has one.
    pub(super) fn complete<M: Serialize>(&mut self, next: Epoch, model: Option<&M>) {
        if next <= self.now {
            return;
        }
        let completed = self.now..next;
        self.now = next;
        if self.site.keeper.due(&completed) {
            let whole = std::mem::take(&mut self.changed);
            let part = |model| vec![Part { owner: Owner::Everyone, bytes: encode(model) }];
            let section = |model| Section { id: Self::MODEL, parts: whole.then(|| part(model)) };
            let sections = Vec::from_iter(model.map(section));
            self.site.keeper.keep(&self.name, self.site.worker, completed, sections);
        }
    }
}
