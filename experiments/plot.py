"""Draws what `restore.py` and `recovery.py` have measured.

    python plot.py restore.csv recovery.csv restore.svg
"""

import csv
import statistics
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def main():
    restores, kills, picture = sys.argv[1:]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")

    runs = table(restores)
    styles = {"in memory": ("#1f77b4", "o"), "on disk": ("#d95f02", "s")}
    for state, (colour, marker) in styles.items():
        for workers, line in (("1", "--"), ("2", "-")):
            of = [it for it in runs if it["state"] == state and it["workers"] == workers]
            sizes = sorted({float(it["saved"]) for it in of})
            times = [statistics.median(float(it["seconds"]) for it in of if float(it["saved"]) == size) for size in sizes]
            label = f"{state}, {workers} worker" + ("s" if workers == "2" else "")
            left.plot(sizes, times, line, color=colour, marker=marker, label=label)
    left.set(xscale="log", yscale="log", xlabel="saved state (MB)", ylabel="until the job goes on (s)", title="Restore")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    left.legend(frameon=False, fontsize=8)
    left.grid(alpha=0.3)

    seconds = [float(it["seconds"]) for it in table(kills)]
    right.bar(range(1, len(seconds) + 1), seconds, color="#1f77b4")
    right.axhline(3, color="#888", linestyle=":", label="goal: 3 s")
    right.set(xlabel="kill", ylabel="until answers are in time again (s)", title="Recovery of a small job, two processes")
    right.legend(frameon=False, fontsize=8)
    figure.savefig(picture)


if __name__ == "__main__":
    main()
