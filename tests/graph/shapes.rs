//! Graphs at the ends of what a graph can be.

use tidemill::graph::{Branch, Direction, Edge, Motifs, Real, Sources};

use super::histories::{Change, check};
use super::model::Whole;
use super::support::Run;

const WORKERS: [usize; 3] = [1, 2, 4];

/// Runs histories of one partition on several workers.
fn each(epochs: Vec<Vec<Change>>, look: impl Fn(&Run<Change>)) {
    for workers in WORKERS {
        let epochs = epochs.iter().map(|epoch| vec![epoch.clone()]).collect();
        look(&Run::new(epochs).workers(workers));
    }
}

fn edge(from: u64, to: u64) -> Change {
    (Edge::new(from, to), 1)
}

fn gone((edge, diff): Change) -> Change {
    (edge, -diff)
}

#[test]
fn an_empty_graph_has_no_answers() {
    each(vec![vec![], vec![]], |run| {
        check(run, Direction::Directed, |graph| graph.bfs(1), |_| Default::default());
        check(run, Direction::Undirected, |graph| graph.wcc(), |_| Default::default());
    });
}

#[test]
fn a_way_that_comes_before_its_value_leads_where_another_led() {
    // Whoever the owners are, in some of these the old way and the new begin at one of them, which
    // remembers what it offered along the old.
    for first in 0..24 {
        let [source, near, between, next, far] = [0, 1, 2, 3, 4].map(|it| first + it);
        let (old, new) = (edge(source, far), edge(next, far));
        let way = [(source, near), (near, between), (between, next)].map(|it| edge(it.0, it.1));
        let comes = way.into_iter().chain([new, new]).collect();
        each(vec![vec![old, gone(new)], vec![gone(old)], comes], |run| {
            check(
                run,
                Direction::Directed,
                move |graph| graph.bfs(source),
                move |whole| whole.bfs(source),
            );
        });
    }
}

#[test]
fn one_vertex_comes_and_goes() {
    let vertex = (Edge::vertex(u64::MAX), 1);
    each(vec![vec![vertex], vec![gone(vertex)], vec![vertex]], |run| {
        let source = |whole: &Whole| whole.vertices.iter().map(|it| (*it, Some(0))).collect();
        check(run, Direction::Directed, |graph| graph.bfs(u64::MAX), source);
        check(run, Direction::Undirected, |graph| graph.wcc(), Whole::wcc);
        check(run, Direction::Directed, |graph| graph.scc(), Whole::scc);
        let none = |whole: &Whole| whole.vertices.iter().map(|it| (*it, 0)).collect();
        check(run, Direction::Undirected, |graph| graph.kcore(), none);
        check(run, Direction::Undirected, |graph| graph.triangles(), none);
        check(run, Direction::Undirected, |graph| graph.ktruss(), none);
        let alone = |whole: &Whole| whole.vertices.iter().map(|it| (*it, true)).collect();
        check(run, Direction::Undirected, |graph| graph.mis(), alone);
        let root = |it: &u64| (*it, Branch { parent: *it, weight: Real(0.0) });
        let roots = move |whole: &Whole| whole.vertices.iter().map(root).collect();
        check(run, Direction::Undirected, |graph| graph.msf(), roots);
        let zero = |whole: &Whole| whole.vertices.iter().map(|it| (*it, Real(0.0))).collect();
        check(run, Direction::Undirected, |graph| graph.betweenness(Sources::All), zero);
        let no_motifs = |it: &u64| (*it, Motifs::default());
        let motifs = move |whole: &Whole| whole.vertices.iter().map(no_motifs).collect();
        check(run, Direction::Undirected, |graph| graph.motifs(), motifs);
    });
}

#[test]
fn a_million_parallel_edges_are_one() {
    let many = vec![edge(1, 2); 1_000_000];
    let few = vec![gone(edge(1, 2)); 999_999];
    each(vec![many, few, vec![gone(edge(1, 2))]], |run| {
        check(run, Direction::Directed, |graph| graph.bfs(1), |whole| whole.bfs(1));
        check(run, Direction::Undirected, |graph| graph.wcc(), Whole::wcc);
    });
}

#[test]
fn a_star_loses_its_centre() {
    let star = Vec::from_iter((1..=20_000).map(|it| edge(0, it)));
    let some = Vec::from_iter(star.iter().copied().step_by(2).map(gone));
    let rest = Vec::from_iter(star.iter().copied().skip(1).step_by(2).map(gone));
    let values = |whole: &Whole, far: Option<u64>| {
        whole.vertices.iter().map(|it| (*it, if *it == 0 { Some(0) } else { far })).collect()
    };
    each(vec![star, some, rest], |run| {
        check(run, Direction::Directed, |graph| graph.bfs(0), |whole| values(whole, Some(1)));
        let centre = |whole: &Whole| whole.vertices.iter().map(|it| (*it, 0)).collect();
        check(run, Direction::Undirected, |graph| graph.wcc(), centre);
        let core = |whole: &Whole| whole.vertices.iter().map(|it| (*it, 1)).collect();
        check(run, Direction::Undirected, |graph| graph.kcore(), core);
        let alone = |whole: &Whole| whole.vertices.iter().map(|it| (*it, *it)).collect();
        check(run, Direction::Directed, |graph| graph.scc(), alone);
        let none = |it: &u64| (*it, Motifs::default());
        let motifs = move |whole: &Whole| whole.vertices.iter().map(none).collect();
        check(run, Direction::Undirected, |graph| graph.motifs(), motifs);
        let leaf =
            |it: &u64| (*it, Branch { parent: 0, weight: Real(f64::from(u8::from(*it > 0))) });
        let leaves = move |whole: &Whole| whole.vertices.iter().map(leaf).collect();
        check(run, Direction::Undirected, |graph| graph.msf(), leaves);
        let truss = |whole: &Whole| whole.vertices.iter().map(|it| (*it, 2)).collect();
        check(run, Direction::Undirected, |graph| graph.ktruss(), truss);
    });
}

/// The vertices of a path of so many, cut behind one of them.
fn path(length: u64, cut: u64) -> Vec<Vec<Change>> {
    let whole = Vec::from_iter((1..length).map(|it| edge(it - 1, it)));
    vec![whole, vec![gone(edge(cut, cut + 1))], vec![edge(cut, cut + 1)]]
}

#[test]
fn a_core_grows_around_vertices_that_nothing_came_to() {
    // Once the parts that had much to do raised numbers that others did not hear of in time.
    let path = vec![edge(u64::MAX, 5), edge(5, 8)];
    let more = vec![edge(2, 8), edge(u64::MAX, 2), edge(8, u64::MAX)];
    each(vec![path, more], |run| {
        check(run, Direction::Undirected, |graph| graph.kcore(), Whole::kcore);
    });
}

#[test]
fn a_ring_is_a_core_until_it_is_cut() {
    let ring = Vec::from_iter((0..300).map(|it| edge(it, (it + 1) % 300)));
    let cut = vec![gone(edge(17, 18))];
    let core = |whole: &Whole| {
        let closed = whole.ways.contains(&Edge::new(17, 18));
        whole.vertices.iter().map(|it| (*it, if closed { 2 } else { 1 })).collect()
    };
    each(vec![ring, cut, vec![edge(17, 18)]], |run| {
        check(run, Direction::Undirected, |graph| graph.kcore(), core);
    });
}

#[test]
fn a_vertex_that_comes_again_begins_anew() {
    // An edge that is deleted before it is inserted keeps speaking of its vertices.
    let ghost = vec![gone(edge(7, u64::MAX)), edge(7, 0)];
    each(vec![ghost, vec![gone(edge(7, 0))], vec![edge(7, 7)]], |run| {
        let truss = |whole: &Whole| {
            let truss = if whole.vertices.len() > 1 { 2 } else { 0 };
            whole.vertices.iter().map(|it| (*it, truss)).collect()
        };
        check(run, Direction::Undirected, |graph| graph.ktruss(), truss);
    });
}

#[test]
fn neighbours_forget_what_a_vertex_was_before_it_left_them() {
    let epochs = vec![
        vec![gone(edge(7, 2)), gone(edge(4, 8))],
        vec![edge(8, 7)],
        vec![gone(edge(8, 7)), edge(7, 5)],
        vec![edge(0, 0), edge(7, 8)],
    ];
    each(epochs, super::choices::check_set);
}

#[test]
fn a_long_path_is_cut_and_mended() {
    // With several workers, a length that takes fewer rounds than a test waits for.
    for (workers, length) in [(1, 100_000), (2, 800), (4, 400)] {
        check_path(workers, length, length * 3 / 4);
    }
}

fn check_path(workers: usize, length: u64, cut: u64) {
    let there = move |whole: &Whole| whole.ways.contains(&Edge::new(cut, cut + 1));
    let at = move |whole: &Whole, it: u64| (it <= cut || there(whole)).then_some(it);
    let epochs = path(length, cut).into_iter().map(|epoch| vec![epoch]).collect();
    let run = Run::new(epochs).workers(workers);
    check(
        &run,
        Direction::Directed,
        |graph| graph.bfs(0),
        move |whole| whole.vertices.iter().map(|it| (*it, at(whole, *it))).collect(),
    );
    let component = move |whole: &Whole, it: u64| if at(whole, it).is_some() { 0 } else { cut + 1 };
    check(
        &run,
        Direction::Undirected,
        |graph| graph.wcc(),
        move |whole| whole.vertices.iter().map(|it| (*it, component(whole, *it))).collect(),
    );
}
