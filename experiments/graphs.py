"""Runs the studies of graphs in turn, and draws what they measure.

    python graphs.py BIN [--rounds 3] [--algorithms bfs wcc ...] [--shapes uniform rmat] [--csv FILE]
    python graphs.py --draw FILE.csv PICTURE.svg

BIN is the folder of the built programs. Prints a table per shape of the medians: seconds until the first
answer and megabytes at most; then milliseconds until the answer to a batch of swapped edges is complete,
the median and the 99th percentile. Each run, as it ends, on standard error.
"""

import argparse
import collections
import csv
import itertools
import pathlib
import re
import statistics
import subprocess
import sys

FIRST = re.compile(r"first answer ([\d.]+)(µs|ms|s), (\d+) MB")
BATCH = re.compile(r"^(\d+) swaps: median ([\d.]+) ms, p99 ([\d.]+) ms")
SUSTAINED = re.compile(r"^sustained: (\d+) changes/s")
SECONDS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}


def run(command):
    """What one run says: pairs of a quantity and a number."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = {}
    for line in done.stdout.splitlines():
        if found := FIRST.search(line):
            said["first s"], said["MB"] = float(found[1]) * SECONDS[found[2]], float(found[3])
        elif found := BATCH.match(line):
            said[f"{found[1]} ms"], said[f"{found[1]} p99"] = float(found[2]), float(found[3])
        elif found := SUSTAINED.match(line):
            said["changes/s"] = float(found[1])
    return said


def commands(arguments, shape, algorithm):
    """The programs that answer a question: name, workers, command."""
    yield "plain", 1, ["graph_plain", "--shape", shape, algorithm]
    for name, workers in itertools.product(("tidemill", "differential"), (1, 2)):
        slow = algorithm == "iterations" or (name == "differential" and algorithm == "pagerank")
        if name == "differential" and algorithm == "pagerank":
            continue
        more = ["--rounds", "3", "--batches", "1,1000"] if slow else ["--rounds", str(arguments.swaps)]
        if name == "tidemill" and not slow:
            more += ["--sustained", str(arguments.sustained)]
        yield name, workers, [f"graph_{name}", "-w", str(workers), "--shape", shape, *more, algorithm]


def measure(arguments):
    rows = []
    for _ in range(arguments.rounds):
        for shape, algorithm in itertools.product(arguments.shapes, arguments.algorithms):
            for name, workers, (program, *more) in commands(arguments, shape, algorithm):
                for quantity, value in run([arguments.bin / program, *more]).items():
                    rows.append((shape, algorithm, name, workers, quantity, value))
                    print(*rows[-1], file=sys.stderr, flush=True)
    return rows


def medians(rows):
    seen = collections.defaultdict(list)
    for *case, value in rows:
        seen[tuple(case)].append(float(value))
    return {case: statistics.median(values) for case, values in seen.items()}


def tables(middle):
    columns = ["first s", "MB", "1 ms", "1 p99", "100 ms", "100 p99", "1000 ms", "1000 p99", "10000 ms", "10000 p99", "changes/s"]
    for shape in sorted({case[0] for case in middle}, reverse=True):
        print(f"\n{shape}\n\n| | workers |", " | ".join(columns), "|\n|---|---|" + "---|" * len(columns))
        for algorithm, name, workers in dict.fromkeys(case[1:4] for case in middle if case[0] == shape):
            cells = (middle.get((shape, algorithm, name, workers, it)) for it in columns)
            cells = ("" if it is None else f"{it:,.0f}" if it >= 1000 else f"{it:.3g}" for it in cells)
            print(f"| {algorithm}, {name} | {workers} |", " | ".join(cells), "|")


def draw(middle, picture):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    colours = {"plain": "#888888", "tidemill": "#1f77b4", "differential": "#d95f02"}
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(3, 2))
    algorithms = list(dict.fromkeys(case[1] for case in middle))
    bars = [("plain", 1), ("tidemill", 1), ("tidemill", 2), ("differential", 1), ("differential", 2)]
    for place, (name, workers) in enumerate(bars):
        heights = [middle.get(("uniform", it, name, workers, "first s"), 0) for it in algorithms]
        label = name if name == "plain" else f"{name}, {workers} worker" + "s" * (workers > 1)
        at = [number + (place - 2) * 0.17 for number in range(len(algorithms))]
        left.bar(at, heights, 0.16, color=colours[name], alpha=0.55 if workers == 1 and name != "plain" else 1, label=label)
    left.set(yscale="log", ylabel="first answer (s)", title="1 million vertices, 5 million edges")
    left.set_xticks(range(len(algorithms)), algorithms)
    left.legend(frameon=False, fontsize=8)
    left.grid(alpha=0.3, axis="y")

    styles = {"bfs": "-", "wcc": "--", "pagerank": ":"}
    for (name, colour), (algorithm, line) in itertools.product(colours.items(), styles.items()):
        of = ("uniform", algorithm, name, 2)
        sizes = [it for it in (1, 100, 1000, 10000) if (*of, f"{it} ms") in middle]
        if sizes:
            times = [middle[*of, f"{it} ms"] for it in sizes]
            right.plot(sizes, times, line, color=colour, marker="o", label=f"{algorithm}, {name}")
    right.set(xscale="log", yscale="log", xlabel="edges swapped at once", ylabel="until the answer is complete (ms)", title="Changes, 2 workers")
    right.legend(frameon=False, fontsize=8)
    right.grid(alpha=0.3)
    figure.savefig(picture)


def main():
    parser = argparse.ArgumentParser(description="studies of graphs that change")
    parser.add_argument("bin", type=pathlib.Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--swaps", type=int, default=500)
    parser.add_argument("--sustained", type=int, default=200)
    parser.add_argument("--algorithms", nargs="+", default=["bfs", "wcc", "iterations", "pagerank"])
    parser.add_argument("--shapes", nargs="+", default=["uniform", "rmat"])
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--draw", type=pathlib.Path, nargs=2)
    arguments = parser.parse_args()
    if arguments.draw:
        with arguments.draw[0].open(newline="") as file:
            _, *rows = csv.reader(file)
        rows = [(shape, algorithm, name, int(workers), *more) for shape, algorithm, name, workers, *more in rows]
        tables(medians(rows))
        return draw(medians(rows), arguments.draw[1])
    rows = measure(arguments)
    tables(medians(rows))
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["shape", "algorithm", "program", "workers", "quantity", "value"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
