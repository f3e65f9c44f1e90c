//! Real graphs as they were, change by change, with the answers of SciPy and igraph for some moments.

use std::collections::BTreeMap;

use serde_json::Value;

use super::real::shared;
use super::tool::Desk;

/// A row that comes or goes.
type Event = (bool, (u64, u64));

/// Epochs of a history, and the number of the one after which an answer is known.
struct History {
    epochs: Vec<Vec<Event>>,
    known: Vec<(usize, Value)>,
}

impl History {
    /// Cuts events at the places where answers are known, and between them into epochs of so many.
    fn cut(events: &[Event], known: Vec<(usize, Value)>, size: usize) -> Self {
        let (mut epochs, mut from) = (Vec::new(), 0);
        let known = known.into_iter().map(|(until, answer)| {
            epochs.extend(events[from..until].chunks(size).map(<[Event]>::to_vec));
            from = until;
            (epochs.len() - 1, answer)
        });
        let known = known.collect();
        Self { epochs, known }
    }

    /// Has the tool follow it, and looks at the values after each of those epochs.
    fn follow(&self, algorithm: &str, way: &str, look: impl Fn(&Value, &BTreeMap<u64, String>)) {
        let desk = Desk::new();
        let mut lines = String::new();
        for (time, epoch) in self.epochs.iter().enumerate() {
            for (comes, (from, to)) in epoch {
                let sign = if *comes { '+' } else { '-' };
                lines += &format!("{time} {sign} {from} {to}\n");
            }
        }
        desk.put("c", &lines);
        desk.put("e", "");
        desk.run(way, &[algorithm, "--edges", "e", "--changes", "c"]).well();
        let changes = desk.text("out.changes");
        let mut changes = changes.lines().map(|it| it.split(' ').collect::<Vec<_>>()).peekable();
        let mut values = BTreeMap::new();
        for (epoch, answer) in &self.known {
            let due = |it: &Vec<&str>| it[0].parse::<usize>().is_ok_and(|it| it <= *epoch);
            while let Some(change) = changes.next_if(due) {
                let vertex = change[1].parse::<u64>().expect("an id");
                let had = match change[3] {
                    "-" => values.remove(&vertex),
                    new => values.insert(vertex, new.to_owned()),
                };
                assert_eq!(
                    had.as_deref().unwrap_or("-"),
                    change[2],
                    "{change:?} {algorithm} {way}"
                );
            }
            look(answer, &values);
        }
    }

    fn check(&self, name: &str) {
        assert!(!self.known.is_empty());
        let number = |answer: &Value, of: &str| answer[of].as_u64().expect("a number");
        for way in ["-w 1", "-w 2"] {
            for algorithm in ["wcc", "scc"] {
                self.follow(algorithm, way, |answer, values| {
                    let mut sizes = BTreeMap::<&str, u64>::new();
                    values.values().for_each(|it| *sizes.entry(it.as_str()).or_default() += 1);
                    let largest = sizes.values().max().copied().unwrap_or(0);
                    let found = (values.len() as u64, sizes.len() as u64, largest);
                    let of = [algorithm.to_owned(), format!("{algorithm}_largest")];
                    let [count, most] = of.map(|it| number(answer, &it));
                    let expected = (number(answer, "vertices"), count, most);
                    assert_eq!(found, expected, "{name} {algorithm} {way}");
                });
            }
            self.follow("triangles", way, |answer, values| {
                let corners = values.values().map(|it| it.parse::<u64>().expect("a number"));
                assert_eq!(corners.sum::<u64>(), 3 * number(answer, "triangles"), "{name} {way}");
            });
        }
    }

    /// The same of ranks, almost all of which change in each epoch: so there are to be few.
    fn check_ranks(&self, name: &str) {
        self.follow("pagerank", "-w 2", |answer, values| {
            let top = answer["pagerank_top3"].as_array().expect("the greatest");
            assert_eq!(top.len(), 3);
            let ranks = values.values().map(|it| it.parse::<f64>().expect("a rank"));
            let more = |least: f64| ranks.clone().filter(|it| *it > least).count();
            for (place, known) in top.iter().enumerate() {
                let [vertex, rank] = [0, 1].map(|it| known[it].as_f64().expect("a number"));
                let found: f64 = values[&(vertex as u64)].parse().expect("a rank");
                let near = (found - rank).abs() <= 1e-4 * rank;
                assert!(near, "{name}: {vertex} has {found}, not {rank}");
                assert!(more(rank * (1.0 + 2e-4)) <= place, "{name}: {vertex} is behind");
            }
        });
    }
}

/// The rows of a graph, and when each came.
fn rows(name: &str) -> Option<Vec<(u64, (u64, u64))>> {
    let text = shared(&format!("graphs/{name}.csv.gz"))?;
    let lines = text.lines().map(|it| it.split(',').collect::<Vec<_>>());
    let header = text.lines().next()?.split(',').collect::<Vec<_>>();
    let time = header.iter().position(|it| *it == "time");
    let number = |it: &str| it.parse::<f64>().expect("a number") as u64;
    let row = |it: Vec<&str>| {
        let at = time.map_or(0, |time| number(it[time]));
        (at, (number(it[0]), number(it[1])))
    };
    let mut rows = Vec::from_iter(lines.skip(1).map(row));
    rows.sort_by_key(|it| it.0);
    Some(rows)
}

fn answers(graph: &str, kind: &str) -> Option<Vec<(u64, Value)>> {
    let all: Value = serde_json::from_str(&shared("reference/temporal_graphs.json")?).ok()?;
    let answers = all[graph][kind].as_object()?.iter();
    let mut answers =
        Vec::from_iter(answers.map(|(at, it)| (at.parse().expect("a number"), it.clone())));
    answers.sort_by_key(|it| it.0);
    Some(answers)
}

const TEMPORAL: [&str; 2] = ["collegemsg", "bitcoin-otc"];

#[test]
fn graphs_that_grew_have_the_answers_of_other_tools() {
    for name in TEMPORAL {
        let Some(rows) = rows(name) else { return };
        let known = answers(name, "growing: after the first k rows").expect("a growing graph");
        let events = Vec::from_iter(rows.into_iter().map(|(_, row)| (true, row)));
        let known = Vec::from_iter(known.into_iter().map(|(rows, answer)| (rows as usize, answer)));
        History::cut(&events, Vec::clone(&known), 100).check(name);
        History::cut(&events, known, 2_000).check_ranks(name);
    }
}

#[test]
fn the_last_month_of_graphs_has_the_answers_of_other_tools() {
    for name in TEMPORAL {
        let Some(rows) = rows(name) else { return };
        let known = answers(name, "sliding 30 days: rows with T-2592000 < time <= T");
        let mut events = Vec::new();
        for (at, row) in rows {
            events.push((at, (true, row)));
            events.push((at + 2_592_000, (false, row)));
        }
        events.sort_by_key(|it| it.0);
        let until = |time: u64| events.partition_point(|it| it.0 <= time);
        let known = known.expect("a sliding graph").into_iter();
        let known = Vec::from_iter(known.map(|(time, answer)| (until(time), answer)));
        let events = Vec::from_iter(events.iter().map(|it| it.1));
        History::cut(&events, Vec::clone(&known), 100).check(name);
        History::cut(&events, known, 2_000).check_ranks(name);
    }
}

#[test]
fn graphs_that_lose_a_tenth_at_a_time_have_the_answers_of_other_tools() {
    for name in ["wiki-vote", "p2p-gnutella31"] {
        let Some(rows) = rows(name) else { return };
        let known = answers(&format!("{name} deletions"), "snapshots").expect("batches");
        let mut epochs = vec![Vec::from_iter(rows.iter().map(|it| (true, it.1)))];
        for batch in 0..known.len() {
            let lost = rows.iter().skip(batch).step_by(10);
            epochs.push(lost.map(|it| (false, it.1)).collect());
        }
        let known = known.into_iter().map(|(batch, answer)| (batch as usize + 1, answer)).collect();
        let history = History { epochs, known };
        history.check(name);
        history.check_ranks(name);
    }
}
