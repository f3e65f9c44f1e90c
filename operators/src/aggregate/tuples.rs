//! Several aggregates of the same records at once.
//!
//! A tuple costs what its parts cost and nothing beside.

use super::Aggregate;
use crate::time::EventTime;

macro_rules! tuple {
    ($($part:ident $at:tt)*) => {
        impl<D, $($part: Aggregate<D>),*> Aggregate<D> for ($($part,)*) {
            type State = ($($part::State,)*);
            type Output = ($($part::Output,)*);

            #[inline]
            fn start(&self) -> Self::State {
                ($(self.$at.start(),)*)
            }

            #[inline]
            fn add(&self, state: &mut Self::State, at: EventTime, record: &D) {
                $(self.$at.add(&mut state.$at, at, record);)*
            }

            #[inline]
            fn merge(&self, state: &mut Self::State, other: &Self::State) {
                $(self.$at.merge(&mut state.$at, &other.$at);)*
            }

            fn invertible(&self) -> bool {
                true $(&& self.$at.invertible())*
            }

            #[inline]
            fn retract(&self, state: &mut Self::State, other: &Self::State) {
                $(self.$at.retract(&mut state.$at, &other.$at);)*
            }

            #[inline]
            fn finish(&self, state: &Self::State) -> Self::Output {
                ($(self.$at.finish(&state.$at),)*)
            }
        }
    };
}

tuple! { A 0 B 1 }
tuple! { A 0 B 1 C 2 }
tuple! { A 0 B 1 C 2 E 3 }
tuple! { A 0 B 1 C 2 E 3 F 4 }
tuple! { A 0 B 1 C 2 E 3 F 4 G 5 }
tuple! { A 0 B 1 C 2 E 3 F 4 G 5 H 6 }
tuple! { A 0 B 1 C 2 E 3 F 4 G 5 H 6 I 7 }
