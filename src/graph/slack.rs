//! How far ranks may be off, and how little may be left to be pushed for it.
//!
//! With *x* what is asked for, *x̂* the estimate and *r* the residual, *x - x̂ = (I - d Pᵀ)⁻¹ r* (see
//! [`push`](super::push)). That matrix has no element below 0 and columns whose sums are between 1 and
//! *1 / (1 - d)*.
//!
//! * If |*r*| ≤ *ε* everywhere, then each estimate is off by *ε y* at most, where *y* solves the same for one
//!   from each vertex. If that is what is asked for, it is a relative error of *ε*, also of the sum.
//! * For one from the source that says little of the sum, by which values are divided: what is left with ever so
//!   many vertices may be more than what arrived. But if the sum of |*r*| is *(1 - d) ε* at most, then that of all
//!   errors is *ε*; and the sum of *x* is 1 at least.
//!
//! Half of what may be left is for what parts owe to the vertices of others.

/// What may be left, and what is not told.
pub(super) struct Slack {
    /// The greatest relative change that is not told.
    pub(super) small: f64,
    /// The greatest residual that is left with a vertex.
    pub(super) left: f64,
    /// The greatest debt to a vertex of another part that is kept.
    pub(super) kept: f64,
    /// What a part may leave, and keep, of all its vertices together, if they share it.
    shared: Option<f64>,
}

impl Slack {
    /// What of the least residual counts as left by rounding.
    const ROUNDED: f64 = 1e-6;

    /// For each value a part of itself: what is left, what is not told and the sums of both together stay below
    /// the tolerance.
    pub(super) fn of_each(tolerance: f64, peers: usize) -> Self {
        let small = tolerance / 5.0;
        let (left, kept) = match peers - 1 {
            0 => (small, 0.0),
            others => (small / 2.0, small / 2.0 / others as f64),
        };
        Self { small, left, kept, shared: None }
    }

    /// For all values together so much, of a walk with this damping.
    pub(super) fn of_all(tolerance: f64, damping: f64, peers: usize) -> Self {
        let small = tolerance / 5.0;
        let shared = small * (1.0 - damping) / 2.0 / peers as f64;
        Self { small, left: shared, kept: shared, shared: Some(shared) }
    }

    /// Shares what may be left among so many vertices; whether it is less for each than before.
    pub(super) fn share(&mut self, vertices: usize) -> bool {
        let Some(shared) = self.shared else { return false };
        // So that it seldom changes.
        let each = shared / vertices.next_power_of_two() as f64;
        let less = each < self.left;
        if less {
            (self.left, self.kept) = (each, each);
        }
        less
    }

    /// Whether an estimate is nothing but what rounding left, or as little as what may be left.
    pub(super) fn is_nothing(&self, estimate: f64) -> bool {
        estimate < (self.small * Self::ROUNDED).min(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_may_leave_stays_below_the_tolerance() {
        for (vertices, peers) in [(1, 1), (5, 1), (1_000, 4), (1 << 20, 2)] {
            let mut slack = Slack::of_all(1e-4, 0.85, peers);
            (0..=vertices).for_each(|it| _ = slack.share(it));
            let all = (peers * vertices) as f64 * (slack.left + slack.kept) / (1.0 - 0.85);
            assert!(all <= 1e-4 / 5.0 * (1.0 + 1e-9), "{vertices} vertices in {peers} parts");
            assert!(!slack.share(vertices), "it is shared already");
        }
    }

    #[test]
    fn what_each_may_leave_does_not_depend_on_how_many_there_are() {
        let mut slack = Slack::of_each(1e-4, 3);
        let before = slack.left;
        assert!(!slack.share(1_000_000) && slack.left.to_bits() == before.to_bits());
        assert!(slack.left + 2.0 * slack.kept <= 1e-4 / 5.0 * (1.0 + 1e-9));
    }
}
