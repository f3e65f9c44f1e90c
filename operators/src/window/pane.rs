//! What a window gives when it fires.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// The result of one firing: a key, the span of its window, and what was computed.
///
/// It travels as an [`Event`](crate::event::Event) whose time is the last moment of the span. A
/// window that fires again, early or for a late record, gives another pane with the same span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pane<K, T> {
    /// The key.
    pub key: K,
    /// The moments that the window covers.
    pub span: Span,
    /// What was computed.
    pub value: T,
}
