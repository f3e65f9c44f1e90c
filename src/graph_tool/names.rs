//! Vertices that have names: numbered in the order of their names when all files have been read.
//!
//! Every worker has all names: each is told to all by the workers that read it. The numbers
//! are those of the order of names, so that answers do not depend on workers or on the order of lines; but
//! the vertex where a walk begins is number 0, which is known before anything is read.

use std::cell::RefCell;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use super::lines::{Change, Ids, Row};
use crate::batch::Batch;
use crate::graph::Edge;
use crate::plan::{Node, Routing};
use crate::stream::Stream;

/// The number of the vertex that is named as the source.
pub(super) const SOURCE: u64 = 0;

/// How vertices are written.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// As numbers.
    Numbers(Ids),
    /// By the names that were read.
    Table(Rc<RefCell<Table>>),
}

impl Names {
    /// The place of a vertex in the order of ids, by its number.
    pub(super) fn place(&self, number: u64) -> u64 {
        match self {
            Self::Numbers(_) => number,
            Self::Table(table) => table.borrow().place(number),
        }
    }

    /// What is written for the vertex at a place.
    pub(super) fn at(&self, place: u64) -> String {
        match self {
            Self::Numbers(ids) => ids.text(place),
            Self::Table(table) => table.borrow().names[place as usize].clone(),
        }
    }

    /// What is written for the vertex with a number.
    pub(super) fn text(&self, number: u64) -> String {
        self.at(self.place(number))
    }
}

/// All names, in order.
#[derive(Debug, Default)]
pub(super) struct Table {
    names: Vec<String>,
    /// The place of the source, or of a name that is not there: at the end.
    source: Option<u64>,
}

impl Table {
    fn new(mut names: Vec<String>, source: Option<&str>) -> Self {
        names.sort_unstable();
        names.dedup();
        let place = |source: &str| {
            let place = names.binary_search_by(|it| it.as_str().cmp(source));
            place.unwrap_or(names.len()) as u64
        };
        let source = source.map(place);
        Self { names, source }
    }

    /// The numbers of vertices by name: those before the source go up by one to make room for it.
    fn numbers(&self) -> HashMap<&str, u64, FixedState> {
        let number = |place: u64| match self.source {
            Some(source) if place == source => SOURCE,
            Some(source) if place < source => place + 1,
            _ => place,
        };
        self.names.iter().zip(0..).map(|(name, place)| (name.as_str(), number(place))).collect()
    }

    fn place(&self, number: u64) -> u64 {
        match self.source {
            Some(source) if number == SOURCE => source,
            Some(source) if number <= source => number - 1,
            _ => number,
        }
    }
}

/// Gives vertices numbers for their names, when everything is read; and the names for the numbers.
pub(super) fn number<'scope>(
    read: Stream<'scope, Row<String>>,
    source: Option<String>,
) -> (Stream<'scope, Change>, Names) {
    let table = Rc::new(RefCell::new(Table::default()));
    let mut known = HashSet::<String, FixedState>::default();
    let names = read.clone().flat_map(move |row| {
        let mut new = Vec::new();
        for name in [row.from, row.to] {
            if !known.contains(&name) {
                known.insert(name.clone());
                new.push(name);
            }
        }
        new
    });
    let names = names.broadcast();
    let flow = read.flow().clone();
    let node = Node::operator("names").state("all names, and all lines until everything is read");
    let node = flow.add(node, [(read.node(), Routing::Local), (names.node(), Routing::Broadcast)]);
    let (names, filled) = (names.inner(), Rc::clone(&table));
    let numbered = read.then(node, |rows| {
        type Out = NoopBuilder<Batch<Change>>;
        rows.binary_frontier::<_, Out, _, _, _, _>(names, Pipeline, Pipeline, "names", |held, _| {
            let mut held = Some(held);
            let (mut rows, mut all) = (Vec::new(), Vec::new());
            move |(input, frontier), (told, open), output| {
                input.for_each(|_, batch| rows.append(&mut batch.records));
                told.for_each(|_, names| all.append(names));
                if !frontier.is_empty() || !open.is_empty() {
                    return;
                }
                if let Some(held) = held.take() {
                    *filled.borrow_mut() = Table::new(std::mem::take(&mut all), source.as_deref());
                    let changes = changes(std::mem::take(&mut rows), &filled.borrow());
                    output.session_with_builder(&held).give_container(&mut changes.into());
                }
            }
        })
    });
    (numbered, Names::Table(table))
}

fn changes(rows: Vec<Row<String>>, table: &Table) -> Vec<Change> {
    let numbers = table.numbers();
    let number = |name: &String| {
        *numbers.get(name.as_str()).expect("every name that is read is told to all workers")
    };
    let change = |row: Row<String>| {
        let (from, to) = (number(&row.from), number(&row.to));
        (Edge { from, to, weight: row.weight }, row.epoch, row.diff)
    };
    rows.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_order_around_the_source() {
        let names = ["eve", "ann", "bob", "ann"].map(str::to_owned).to_vec();
        for (source, expected) in [
            (None, [0, 1, 2]),
            (Some("ann"), [0, 1, 2]),
            (Some("bob"), [1, 0, 2]),
            (Some("eve"), [1, 2, 0]),
            (Some("nobody"), [1, 2, 3]),
        ] {
            let table = Table::new(names.clone(), source);
            let numbers = ["ann", "bob", "eve"].map(|it| table.numbers()[it]);
            assert_eq!(numbers, expected, "{source:?}");
            let names = Names::Table(Rc::new(RefCell::new(table)));
            assert_eq!(expected.map(|it| names.text(it)), ["ann", "bob", "eve"], "{source:?}");
        }
    }
}
