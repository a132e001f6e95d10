"""What a job takes before its work: `python -m tests.benchmarks.start_cost [TIMES]`.

A process of its own imports the module of each command and ends: the least of some times, in seconds of the processor, and the most
memory it had. Beside them python by itself, and torch, which training imports once it knows that it needs it.
"""

import argparse
import os
import sys
from subprocess import Popen

from vitalbench.cli import command_names


def least(program: str, times: int) -> tuple[float, float]:
    """Seconds of the processor and megabytes of a python that runs a program."""
    found = []
    for _ in range(times):
        _, status, used = os.wait4(Popen([sys.executable, "-c", program]).pid, 0)
        if status:
            sys.exit(f"{program}: ended with {status}")
        spent = used.ru_utime + used.ru_stime  # processor time: other work makes it little longer
        found.append((spent, used.ru_maxrss / 1e3))
    return min(found)


def main(times: int) -> None:
    """Measure and print, the dearest first."""
    asked = {"python": "pass", "torch": "import torch"}
    asked |= {name: f"import vitalbench.commands.{name}" for name in command_names()}
    taken = {name: least(program, times) for name, program in asked.items()}
    for name, (seconds, megabytes) in sorted(taken.items(), key=lambda item: -item[1][0]):
        print(f"{name:<12}{seconds:6.2f} s {megabytes:6.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.start_cost", description=__doc__)
    parser.add_argument(
        "times", type=int, nargs="?", default=5, choices=range(1, 1000), metavar="TIMES", help="default: 5"
    )
    main(parser.parse_args().times)
