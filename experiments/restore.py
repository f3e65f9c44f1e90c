"""Restores keyed state of several sizes, in memory and on disk, with 1 and 2 workers.

    python restore.py BIN [--rounds 3] [--megabytes 100 1000] [--csv FILE]

BIN is the folder of the built programs. Prints the median rate of a worker and the median time until
the job went on; each run, as it ends, on standard error.
"""

import argparse
import csv
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

SAID = re.compile(r"(\d+) MB restored at (\d+) MB/s per worker; the job went on after ([\d.]+) s")


def run(program, megabytes, workers, on_disk):
    """The megabytes as saved, the rate in MB/s, and the seconds until the job went on."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        command = [program, "--quiet", "-w", str(workers), "--megabytes", str(megabytes)]
        command += ["--checkpoint", place / "saved"]
        if on_disk:
            command += ["--state-dir", place / "state", "--state-mb", "256"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    saved, rate, seconds = SAID.search(done.stdout).groups()
    return int(saved), float(rate), float(seconds)


def main():
    parser = argparse.ArgumentParser(description="how fast keyed state is restored")
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--csv", type=pathlib.Path)
    arguments = parser.parse_args()

    cases = [
        (megabytes, workers, on_disk)
        for megabytes in arguments.megabytes
        for workers in (1, 2)
        for on_disk in (False, True)
    ]
    seen = {case: [] for case in cases}
    for _ in range(arguments.rounds):
        for case in cases:
            seen[case].append(run(arguments.bin / "restore", *case))
            print(*case, *seen[case][-1], file=sys.stderr, flush=True)
    rows = []
    print("| MB of values | saved as MB | workers | state | MB/s per worker | until the job went on |\n|---|---|---|---|---|---|")
    for (megabytes, workers, on_disk), runs in seen.items():
        saved, rate, seconds = (statistics.median(column) for column in zip(*runs))
        state = "on disk" if on_disk else "in memory"
        print(f"| {megabytes} | {saved:.0f} | {workers} | {state} | {rate:.0f} | {seconds:.2f} s |", flush=True)
        rows += [(megabytes, saved, workers, state, rate, seconds) for saved, rate, seconds in runs]
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["megabytes", "saved", "workers", "state", "rate", "seconds"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
