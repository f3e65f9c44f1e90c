//! The windows of one key, kept in the order of their spans.

use serde::{Deserialize, Serialize};

use crate::time::{EventTime, Span};

/// One window of one key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Window<C, S> {
    pub(super) span: Span,
    /// The span of the records it holds, if any.
    pub(super) extent: Option<Span>,
    pub(super) contents: C,
    pub(super) trigger: S,
    /// What the trigger asked for, in rising order.
    pub(super) moments: Vec<EventTime>,
    /// Its name in the agenda.
    #[serde(skip)]
    pub(super) id: u64,
    /// The moment of its entry in the agenda.
    #[serde(skip)]
    pub(super) queued: Option<EventTime>,
}

impl<C, S> Window<C, S> {
    pub(super) fn new(span: Span, contents: C, trigger: S, id: u64) -> Self {
        Self { span, extent: None, contents, trigger, moments: Vec::new(), id, queued: None }
    }
}

/// Where the window over exactly `span` is, or where it would go.
pub(super) fn find<C, S>(windows: &[Window<C, S>], span: Span) -> Result<usize, usize> {
    // A record mostly belongs to the latest windows.
    match windows.last() {
        Some(last) if last.span == span => Ok(windows.len() - 1),
        Some(last) if last.span < span => Err(windows.len()),
        _ => windows.binary_search_by(|it| it.span.cmp(&span)),
    }
}

/// The places of the windows that touch `span`, among windows that do not touch each other.
pub(super) fn touching<C, S>(windows: &[Window<C, S>], span: Span) -> std::ops::Range<usize> {
    let first = windows.partition_point(|it| it.span.end() < span.start());
    let end = windows.partition_point(|it| it.span.start() <= span.end());
    first..end
}
