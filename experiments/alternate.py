"""Runs programs in turn, several rounds of each, and prints the median and the best rate.

    python alternate.py [--rounds 5] "PROGRAM ARGUMENTS" "PROGRAM ARGUMENTS" ...

Each program prints a line with `N million events/s` and `checksum X`, as the studies do; of several
such lines (processes of one job joined with `&`) the rate is the slowest and the checksum their sum. Shared
machines drift, so programs are compared within one call only. A last line says how many different
answers were given: programs that answer the same question must agree.
"""

import argparse
import re
import statistics
import subprocess

RATE = re.compile(r"([\d.]+) million events/s")
CHECKSUM = re.compile(r"checksum ([0-9a-f]{16})")


def run(command):
    """The rate of one run and the answer it gave."""
    done = subprocess.run(["bash", "-c", f"{command}\nwait"], capture_output=True, text=True, check=True)
    rates = [float(it) for it in RATE.findall(done.stdout)]
    if not rates:
        raise SystemExit(f"no rate in the output of: {command}\n{done.stdout}{done.stderr}")
    checksum = sum(int(it, 16) for it in CHECKSUM.findall(done.stdout)) % 2**64
    return min(rates), f"{checksum:016x}"


def main():
    parser = argparse.ArgumentParser(description="alternating runs of several programs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("commands", nargs="+")
    arguments = parser.parse_args()

    rates = {command: [] for command in arguments.commands}
    answers = {command: set() for command in arguments.commands}
    for _ in range(arguments.rounds):
        for command in arguments.commands:
            rate, answer = run(command)
            rates[command].append(rate)
            answers[command].add(answer)
    print("| million events/s, median | best | program | answer |\n|---|---|---|---|")
    for command in arguments.commands:
        median, best = statistics.median(rates[command]), max(rates[command])
        print(f"| {median:.1f} | {best:.1f} | `{command}` | {', '.join(sorted(answers[command]))} |")
    print(f"\n{len(set.union(*answers.values()))} different answers")


if __name__ == "__main__":
    main()
