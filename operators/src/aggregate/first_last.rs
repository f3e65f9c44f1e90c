//! A value of the earliest and of the latest record.

use std::cmp::Ordering;

use super::order::compare;
use super::{Aggregate, Kept};
use crate::time::EventTime;

/// Writes one of the two, which differ in what they look for.
macro_rules! end_of_time {
    ($(#[$doc:meta])* $name:ident, $sooner:expr, $(#[$of:meta])*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<F>(F);

        impl<F> $name<F> {
            $(#[$of])*
            pub fn of<D, V>(value: F) -> Self
            where
                F: Fn(&D) -> V + Clone + 'static,
                V: PartialOrd + Kept,
            {
                Self(value)
            }
        }

        impl<D, V, F> Aggregate<D> for $name<F>
        where
            F: Fn(&D) -> V + Clone + 'static,
            V: PartialOrd + Kept,
        {
            type State = Option<(EventTime, V)>;
            type Output = Option<V>;

            #[inline]
            fn start(&self) -> Self::State {
                None
            }

            #[inline]
            fn add(&self, state: &mut Self::State, at: EventTime, record: &D) {
                let Some((best_at, best)) = state else {
                    *state = Some((at, (self.0)(record)));
                    return;
                };
                let order = at.cmp(best_at);
                // The closure runs only where the time alone does not rule the record out.
                if order == $sooner.reverse() {
                    return;
                }
                let value = (self.0)(record);
                if order.then_with(|| compare(&value, best)) == $sooner {
                    (*best_at, *best) = (at, value);
                }
            }

            #[inline]
            fn merge(&self, state: &mut Self::State, other: &Self::State) {
                let Some((at, value)) = other else { return };
                let sooner = |(best_at, best): &(EventTime, V)| {
                    at.cmp(best_at).then_with(|| compare(value, best)) == $sooner
                };
                if state.as_ref().is_none_or(sooner) {
                    state.clone_from(other);
                }
            }

            #[inline]
            fn finish(&self, state: &Self::State) -> Option<V> {
                state.as_ref().map(|(_, value)| value.clone())
            }
        }
    };
}

end_of_time! {
    /// The value of the record with the earliest event time, the least one if several share it;
    /// none for no records.
    ///
    /// # Cost
    ///
    /// One comparison per record, and a call of the closure for a record as early as any before it;
    /// the state is a time and a value.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::aggregate::{Aggregate, First};
    /// use tidemill_operators::time::EventTime;
    ///
    /// let opening = First::of(|price: &f64| *price);
    /// let mut state = opening.start();
    /// opening.add(&mut state, EventTime::from_secs(20), &101.5);
    /// opening.add(&mut state, EventTime::from_secs(10), &99.0);
    /// assert_eq!(opening.finish(&state), Some(99.0));
    /// ```
    First,
    Ordering::Less,
    /// What `value` gives for the earliest record.
}

end_of_time! {
    /// The value of the record with the latest event time, the greatest one if several share it;
    /// none for no records.
    ///
    /// # Cost
    ///
    /// One comparison per record, and a call of the closure for a record as late as any before it;
    /// the state is a time and a value.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::aggregate::{Aggregate, Last};
    /// use tidemill_operators::time::EventTime;
    ///
    /// let closing = Last::of(|price: &f64| *price);
    /// let mut state = closing.start();
    /// closing.add(&mut state, EventTime::from_secs(20), &101.5);
    /// closing.add(&mut state, EventTime::from_secs(10), &99.0);
    /// assert_eq!(closing.finish(&state), Some(101.5));
    /// ```
    Last,
    Ordering::Greater,
    /// What `value` gives for the latest record.
}
