//! Patterns of four vertices, found from a changed edge and its neighbours.
//!
//! For a cycle each neighbour of one end is asked who of the neighbours of the other it is next to; for a
//! clique, each common neighbour who of the others.

use serde::{Deserialize, Serialize};

use super::extend::{Count, Extending, Word};
use super::near::Pair;
use crate::fixpoint::Post;
use crate::key::hash;

/// A pattern of four vertices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Pattern {
    /// Each next to the one before and the one behind.
    Cycle,
    /// Each next to all others.
    Clique,
}

/// For each of the vertices `of`, who of `among` is next to it at the turn of `pair`?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Question {
    pair: Pair,
    /// By how many patterns each answer counts.
    more: i64,
    pattern: Pattern,
    of: Vec<u64>,
    among: Vec<u64>,
}

impl<V: PartialEq + 'static> Extending<V> {
    /// Asks the parts of some vertices.
    pub(super) fn ask(
        &mut self,
        pair: Pair,
        more: i64,
        pattern: Pattern,
        of: &[u64],
        among: &[u64],
        post: &mut Post<Word>,
    ) {
        let owners = self.near.part.vertices.owners().clone();
        if owners.peers() == 1 {
            let (of, among) = (of.to_vec(), among.to_vec());
            return self.answer(&Question { pair, more, pattern, of, among }, post);
        }
        let mut shares = vec![Vec::new(); owners.peers()];
        of.iter().for_each(|it| shares[owners.of(hash(it))].push(*it));
        for (owner, of) in shares.into_iter().enumerate().filter(|it| !it.1.is_empty()) {
            let question = Question { pair, more, pattern, of, among: among.to_vec() };
            if owner == owners.index() {
                self.answer(&question, post);
            } else {
                post.to(owner, Word::Question(Box::new(question)));
            }
        }
    }

    /// Answers a question about vertices of this part.
    pub(super) fn answer(&mut self, question: &Question, post: &mut Post<Word>) {
        let Question { pair, more, pattern, of, among } = question;
        let vertices = &self.near.part.vertices;
        // Who is not known here is next to none of ours.
        let known = among.iter().filter_map(|it| Some((vertices.find(*it)?, 1)));
        let marked = Vec::from_iter(known);
        let of = Vec::from_iter(of.iter().filter_map(|it| vertices.find(*it)));
        let several = |times: usize| match pattern {
            Pattern::Cycle => Count { cycles: more * times as i64, ..Count::NONE },
            Pattern::Clique => Count { cliques: more * times as i64, ..Count::NONE },
        };
        let (mut common, mut all) = (Vec::new(), 0);
        self.near.mark(&marked);
        for slot in of {
            self.near.common(*pair, slot, &marked, &mut common);
            if *pattern == Pattern::Clique {
                // Each two of them would be found twice.
                let vertices = &self.near.part.vertices;
                common.retain(|it| vertices.id(it.slot) > vertices.id(slot));
            }
            all += common.len();
            if !common.is_empty() {
                self.add(slot, several(common.len()));
            }
            common.iter().for_each(|it| self.add(it.slot, several(1)));
        }
        self.near.wipe(&marked);
        if all > 0 {
            for end in [pair.0, pair.1] {
                match self.near.part.vertices.find(end) {
                    Some(slot) => self.add(slot, several(all)),
                    None => {
                        let owner = self.near.part.vertices.owners().of(hash(&end));
                        post.to(owner, Word::Add(end, several(all)));
                    }
                }
            }
        }
    }
}
