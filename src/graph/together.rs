//! All changes of an epoch together, for rules that look at them as a whole.

use super::edge::Edge;
use crate::collection::Diff;
use crate::fixpoint::{Post, Round, Rounds};
use crate::time::Epoch;

/// Keeps the changes of an epoch until its first round, and gives them to a rule then.
pub(super) struct Together<R> {
    rule: R,
    changes: Vec<(Edge, Diff)>,
}

impl<R> Together<R> {
    pub(super) fn new(rule: R) -> Self {
        Self { rule, changes: Vec::new() }
    }
}

impl<R: Rounds<Edge>> Rounds<Edge> for Together<R> {
    type Message = R::Message;
    type Output = R::Output;

    fn accept(&mut self, mut changes: Vec<(Edge, Diff)>) {
        self.changes.append(&mut changes);
    }

    fn round(
        &mut self,
        round: Round,
        mail: Vec<R::Message>,
        post: &mut Post<R::Message>,
    ) -> Option<Round> {
        if !self.changes.is_empty() {
            self.rule.accept(std::mem::take(&mut self.changes));
        }
        self.rule.round(round, mail, post)
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<R::Output>) {
        self.rule.finish(epoch, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many changes it was given at once.
    struct Given(Vec<usize>);

    impl Rounds<Edge> for Given {
        type Message = ();
        type Output = usize;

        fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
            self.0.push(changes.len());
        }

        fn round(&mut self, _: Round, _: Vec<()>, _: &mut Post<()>) -> Option<Round> {
            None
        }

        fn finish(&mut self, _: Epoch, out: &mut Vec<usize>) {
            out.append(&mut self.0);
        }
    }

    #[test]
    fn what_comes_in_pieces_is_given_at_once() {
        let mut rule = Together::new(Given(Vec::new()));
        let mut post = Post::new(1);
        let mut given = Vec::new();
        for sizes in [[2, 3], [0, 0], [1, 0]] {
            sizes.into_iter().for_each(|it| rule.accept(vec![(Edge::vertex(1), 1); it]));
            assert_eq!(rule.round(Round::default(), Vec::new(), &mut post), None);
            rule.finish(0, &mut given);
        }
        assert_eq!(given, [5, 1]);
    }
}
