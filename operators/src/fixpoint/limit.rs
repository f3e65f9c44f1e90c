//! The limit of the rounds of an epoch.

use std::rc::Rc;

use crate::collection::{Bound, Loop, overrun};
use crate::flow::Site;
use crate::time::Epoch;

/// Counts the calls of a part in an epoch, and raises the alarm at one too many.
pub(super) struct Limit {
    most: u64,
    epoch: Epoch,
    taken: u64,
    passed: bool,
    name: String,
    site: Rc<Site>,
}

impl Limit {
    /// # Panics
    ///
    /// If the loop is to take exactly so many rounds.
    pub(super) fn new(settings: &Loop, site: Rc<Site>) -> Self {
        let name = settings.name().to_owned();
        let most = match settings.bound() {
            Bound::None => u64::MAX,
            Bound::AtMost(most) => most,
            Bound::Exactly(_) => panic!(
                "the loop `{name}` ends when no part has anything to do: give it `at_most`, \
                 not `exactly`"
            ),
        };
        Self { most, epoch: 0, taken: 0, passed: false, name, site }
    }

    /// Whether the part may be called once more in an epoch; if so, it is. Once it may not, it never
    /// may again.
    pub(super) fn allows(&mut self, epoch: Epoch) -> bool {
        if self.passed {
            return false;
        }
        if epoch != self.epoch {
            (self.epoch, self.taken) = (epoch, 0);
        }
        if self.taken == self.most {
            self.passed = true;
            self.site.alarm(&self.name, overrun(self.most, &epoch));
            return false;
        }
        self.taken += 1;
        true
    }
}
