//! The limit of a loop: what may not go round any more is held back.

use std::fmt;
use std::rc::Rc;

use differential_dataflow::lattice::Lattice;
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;
use timely::progress::Timestamp;

use super::{Diff, Round};
use crate::flow::Site;

/// How many rounds a loop takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// As many as there are.
    None,
    /// An error if there are more.
    AtMost(u64),
    /// No more than these.
    Exactly(u64),
}

impl Bound {
    /// The first round whose changes do not go round.
    fn end(self) -> u64 {
        match self {
            Self::None => u64::MAX,
            // What a round changes after the last one was one round too many.
            Self::AtMost(rounds) => rounds,
            // What the last round changes leaves, and is not looked at again.
            Self::Exactly(rounds) => rounds - 1,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("any number of rounds"),
            Self::AtMost(rounds) => write!(f, "at most {rounds} rounds"),
            Self::Exactly(rounds) => write!(f, "{rounds} rounds"),
        }
    }
}

/// The changes that may go round. The first that makes one round too many raises the alarm; from
/// then on its time stays incomplete, so that nothing that is wrong is ever said to be right.
pub(super) fn guarded<'inner, D: Clone + 'static, T: Timestamp + Lattice>(
    changes: VecCollection<'inner, Round<T>, D, Diff>,
    bound: Bound,
    name: String,
    site: Rc<Site>,
) -> VecCollection<'inner, Round<T>, D, Diff> {
    if bound == Bound::None {
        return changes;
    }
    let (end, operator) = (bound.end(), format!("{name}: {bound}"));
    let within = changes.inner.unary::<NoopBuilder<Vec<(D, Round<T>, Diff)>>, _, _, _>(
        Pipeline,
        &operator,
        |_, _| {
            let mut held = None;
            move |input, output| {
                input.for_each(|capability, changes| {
                    let mut beyond = None;
                    changes.retain(|(_, at, _)| {
                        let within = at.inner < end;
                        if !within {
                            beyond.get_or_insert_with(|| at.outer.clone());
                        }
                        within
                    });
                    output.session_with_builder(&capability).give_container(changes);
                    let Bound::AtMost(rounds) = bound else { return };
                    if let Some(when) = beyond.filter(|_| held.is_none()) {
                        held = Some(capability.retain_stamp(0));
                        site.alarm(&name, overrun(rounds, &when));
                    }
                });
            }
        },
    );
    within.as_collection()
}

/// Why a loop cannot go on.
pub(crate) fn overrun(rounds: u64, when: &impl fmt::Debug) -> String {
    format!(
        "the loop still changes after {rounds} rounds at {when:?}: let `at_most` allow more, or \
         make sure that its step comes to an end"
    )
}
