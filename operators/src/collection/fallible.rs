//! Errors as data: a change of records that may fail.

use std::rc::Rc;

use differential_dataflow::AsCollection;
use timely::dataflow::operators::OkErr;
use timely::progress::Timestamp;

use super::Collection;
use crate::plan::{Node, Routing};

impl<'scope, D: Clone + 'static, T: Timestamp> Collection<'scope, D, T> {
    /// Applies `change` to each record; gives what comes of those where it succeeds, and the errors of
    /// the others.
    ///
    /// # Guarantees
    ///
    /// Each record is on one side, as often as it was there. An error goes when its record does:
    /// the errors at the end of an epoch are those of the records that are there. For that `change`
    /// must give the same for the same record, always.
    ///
    /// # Cost
    ///
    /// One pass; no state.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let (numbers, errors) = timely::example(|scope| {
    ///     let log = [("7", 1), ("x", 1), ("y", 1), ("y", -1)].to_stream(scope);
    ///     let log = Stream::from_inner(&Flow::new(scope), log).map(|it| (it.0.to_owned(), it.1));
    ///     let (numbers, errors) = log.changelog().try_map(|text| {
    ///         text.parse::<u32>().map_err(|why| format!("{text}: {why}"))
    ///     });
    ///     (numbers.changes().inner().capture(), errors.changes().inner().capture())
    /// });
    /// assert_eq!(numbers.extract(), [(0, vec![(7, 1)])]);
    /// let why = "x: invalid digit found in string".to_owned();
    /// assert_eq!(errors.extract(), [(0, vec![(why, 1)])]);
    /// ```
    pub fn try_map<E: Clone + 'static, X: Clone + 'static>(
        self,
        mut change: impl FnMut(D) -> Result<E, X> + 'static,
    ) -> (Collection<'scope, E, T>, Collection<'scope, X, T>) {
        let (node, _) = self.followed_by(Node::operator("try_map"), Routing::Local);
        let (values, errors) =
            self.inner.inner.ok_err(move |(record, at, diff)| match change(record) {
                Ok(value) => Ok((value, at, diff)),
                Err(error) => Err((error, at, diff)),
            });
        let site = Rc::clone(&self.site);
        let values = Collection { site, node, inner: values.as_collection() };
        (values, Collection { site: self.site, node, inner: errors.as_collection() })
    }
}
