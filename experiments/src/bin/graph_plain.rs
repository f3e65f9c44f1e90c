//! The graph study by hand: one thread, arrays, vertices that are numbered from zero.

use std::time::Instant;

use clap::Parser;
use mimalloc::MiMalloc;
use tidemill_experiments::graphs::{Algorithm, Drawn, GraphSettings, peak_megabytes};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let settings = GraphSettings::parse();
    let count = settings.vertices as usize;
    let edges = Drawn::new(&settings).first;
    let began = Instant::now();
    let answer = match settings.algorithm {
        Algorithm::Bfs => steps(&Lists::of(count, edges.iter().copied())),
        Algorithm::Wcc => components(count, &edges),
        Algorithm::Iterations | Algorithm::Pagerank => {
            ranks(&Lists::of(count, edges.iter().copied()), 20)
        }
    };
    let took = began.elapsed();
    println!(
        "plain {:?}: first answer {took:?}, {} MB, {answer}",
        settings.algorithm,
        peak_megabytes()
    );
}

/// Where one can go from each vertex.
struct Lists {
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Lists {
    fn of(count: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0; count + 1];
        edges.clone().for_each(|(from, _)| starts[from as usize + 1] += 1);
        (1..=count).for_each(|it| starts[it] += starts[it - 1]);
        let mut next = starts.clone();
        let mut ends = vec![0; starts[count] as usize];
        for (from, to) in edges {
            ends[next[from as usize] as usize] = to;
            next[from as usize] += 1;
        }
        Self { starts, ends }
    }

    fn from(&self, vertex: usize) -> &[u32] {
        &self.ends[self.starts[vertex] as usize..self.starts[vertex + 1] as usize]
    }
}

fn steps(lists: &Lists) -> String {
    let mut steps = vec![u32::MAX; lists.starts.len() - 1];
    steps[0] = 0;
    let mut queue = vec![0];
    let mut at = 0;
    while let Some(&vertex) = queue.get(at) {
        at += 1;
        for &to in lists.from(vertex as usize) {
            if steps[to as usize] == u32::MAX {
                steps[to as usize] = steps[vertex as usize] + 1;
                queue.push(to);
            }
        }
    }
    format!("{} reached", queue.len())
}

fn components(count: usize, edges: &[(u32, u32)]) -> String {
    let mut up: Vec<u32> = (0..count as u32).collect();
    fn least(up: &mut [u32], mut it: u32) -> u32 {
        while up[it as usize] != it {
            up[it as usize] = up[up[it as usize] as usize];
            it = up[it as usize];
        }
        it
    }
    for &(from, to) in edges {
        let (one, other) = (least(&mut up, from), least(&mut up, to));
        up[one.max(other) as usize] = one.min(other);
    }
    let roots = (0..count as u32).filter(|it| least(&mut up, *it) == *it).count();
    format!("{roots} components")
}

fn ranks(lists: &Lists, iterations: usize) -> String {
    let count = lists.starts.len() - 1;
    let mut ranks = vec![1.0 / count as f64; count];
    for _ in 0..iterations {
        let mut next = vec![0.0; count];
        let mut left = 0.0;
        for (vertex, rank) in ranks.iter().enumerate() {
            let ends = lists.from(vertex);
            if ends.is_empty() {
                left += rank;
            }
            let share = rank / ends.len() as f64;
            ends.iter().for_each(|it| next[*it as usize] += share);
        }
        let base = (0.15 + 0.85 * left) / count as f64;
        next.iter_mut().for_each(|it| *it = base + 0.85 * *it);
        ranks = next;
    }
    format!("a sum of {}", ranks.iter().sum::<f64>())
}
