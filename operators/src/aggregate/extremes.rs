//! The least and the greatest of a value of each record.

use std::cmp::Ordering;

use super::order::{comparable, compare};
use super::{Aggregate, Kept};
use crate::time::EventTime;

/// Writes one of the two, which differ in what they look for.
macro_rules! extreme {
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
            type State = Option<V>;
            type Output = Option<V>;

            #[inline]
            fn start(&self) -> Option<V> {
                None
            }

            #[inline]
            fn add(&self, state: &mut Option<V>, _at: EventTime, record: &D) {
                let value = (self.0)(record);
                let better = match state {
                    Some(best) => value.partial_cmp(best) == Some($sooner),
                    None => comparable(&value),
                };
                if better {
                    *state = Some(value);
                }
            }

            #[inline]
            fn merge(&self, state: &mut Option<V>, other: &Option<V>) {
                let Some(value) = other else { return };
                if state.as_ref().is_none_or(|best| compare(value, best) == $sooner) {
                    *state = Some(value.clone());
                }
            }

            #[inline]
            fn finish(&self, state: &Option<V>) -> Option<V> {
                state.clone()
            }
        }
    };
}

extreme! {
    /// The least value of any record, passing over NaN; none if there is no value left.
    ///
    /// # Cost
    ///
    /// One comparison per record; the state is one value.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::aggregate::{Aggregate, Min};
    /// use tidemill_operators::time::EventTime;
    ///
    /// let lowest = Min::of(|it: &f64| *it);
    /// let mut state = lowest.start();
    /// [2.5, f64::NAN, -1.0].iter().for_each(|it| lowest.add(&mut state, EventTime::MIN, it));
    /// assert_eq!(lowest.finish(&state), Some(-1.0));
    /// ```
    Min,
    Ordering::Less,
    /// The least of what `value` gives for each record.
}

extreme! {
    /// The greatest value of any record, passing over NaN; none if there is no value left.
    ///
    /// With a tuple as value it finds the whole record: `Max::of(|it: &Bid| (it.price, it.id))`.
    ///
    /// # Cost
    ///
    /// One comparison per record; the state is one value.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::aggregate::{Aggregate, Max};
    /// use tidemill_operators::time::EventTime;
    ///
    /// let highest = Max::of(|it: &(u32, char)| *it);
    /// let mut state = highest.start();
    /// [(3, 'a'), (7, 'b')].iter().for_each(|it| highest.add(&mut state, EventTime::MIN, it));
    /// assert_eq!(highest.finish(&state), Some((7, 'b')));
    /// ```
    Max,
    Ordering::Greater,
    /// The greatest of what `value` gives for each record.
}
