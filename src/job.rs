//! One job: build it, run it, stop it.

#[allow(dead_code, reason = "the running job comes next")]
pub(crate) mod progress;
