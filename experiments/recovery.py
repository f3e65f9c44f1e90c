"""Kills processes of a running job, and measures how long its answers stay away.

    python recovery.py BIN [--kills 10] [--csv FILE]

BIN is the folder of the built programs. `tidemill launch` runs `paced` in two processes with a
checkpoint every half second; again and again one of them is killed with SIGKILL. A job has recovered
once both processes give the results of a window no later than half a second after its end: the
failure is noticed, all processes are stopped and started, the state is restored and what was missed is
caught up with.
"""

import argparse
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import tempfile
import threading
import time

WINDOW = re.compile(r"^\[(\d+)\] window (\d+) at (\d+) by (\d+)")
TIMELY_MS = 500


class Watch:
    """What the processes have said."""

    def __init__(self, launched):
        self.said = threading.Condition()
        self.current, self.gone = {}, set()
        self.thread = threading.Thread(target=self.read, args=(launched.stdout,), daemon=True)
        self.thread.start()

    def read(self, lines):
        for line in lines:
            found = WINDOW.match(line)
            if not found:
                continue
            index, end, at, number = (int(it) for it in found.groups())
            with self.said:
                if at - end <= TIMELY_MS and number not in self.gone:
                    self.current.setdefault(index, at)
                self.said.notify_all()

    def all_current_without(self, gone, limit=60):
        """When both processes had given an answer in time, those that are gone not counted."""
        with self.said:
            self.gone, self.current = set(gone), {}

            def both():
                return len(self.current) == 2

            if not self.said.wait_for(both, timeout=limit):
                raise SystemExit(f"the job did not recover in {limit} s")
            return max(self.current.values())


def children(pid):
    """The processes that `pid` has started."""
    found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(it) for it in found.split()]


def main():
    parser = argparse.ArgumentParser(description="how long a killed job stays away")
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--csv", type=pathlib.Path)
    arguments = parser.parse_args()

    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.bin / "tidemill", "launch", "-n", "2", "--restart", f"fixed:{arguments.kills + 1}:0s"]
        command += ["--", arguments.bin / "paced", "--begin", str(int(time.time() * 1000)), "--quiet"]
        command += ["--checkpoint", folder, "--checkpoint-ms", "500"]
        launched = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watch = Watch(launched)
        took = []
        try:
            watch.all_current_without([])
            for _ in range(arguments.kills):
                time.sleep(chance.uniform(1.5, 3))
                running = children(launched.pid)
                victim = chance.choice(running)
                killed = int(time.time() * 1000)
                os.kill(victim, signal.SIGKILL)
                took.append(watch.all_current_without(running) - killed)
                print(f"killed {victim}: answers in time again after {took[-1] / 1000:.2f} s")
        finally:
            launched.send_signal(signal.SIGINT)
            try:
                launched.wait(20)
            except subprocess.TimeoutExpired:
                launched.kill()
        print(f"median {statistics.median(took) / 1000:.2f} s, longest {max(took) / 1000:.2f} s")
        if arguments.csv:
            arguments.csv.write_text("kill,seconds\n" + "".join(f"{n},{ms / 1000}\n" for n, ms in enumerate(took, 1)))


if __name__ == "__main__":
    main()
