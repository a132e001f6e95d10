"""Keep what a suite's measuring jobs timed on a target as a dated reference.

It is baselines/measured/<day>-<target>-<device>.csv, a row a phase, with the code and the packages it was timed by.

`snakemake --cores all measure --config suite=timing targets=TARGET` times every design of that suite, and trains none.
"""

import argparse
from pathlib import Path

from vitalbench.errors import InputError
from vitalbench.gate.measured import measured_rows, reference_path
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--target", default="cpu", metavar="NAME", help="default: cpu")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: by day, target and device")


def run(args: argparse.Namespace) -> None:
    """Keep them."""
    rows = measured_rows(Results(args.results), args.target)
    path = args.out or reference_path(rows)
    if path.exists():
        raise InputError(
            f"{path}: is there already, and a reference is not written over; remove it, or name another --out"
        )
    write_table("measured", rows, path)
    designs = len({(row["dataset"], row["design"]) for row in rows})
    say(f"{path}: {len(rows)} phases of {designs} designs on {rows[0]['device_name']}")
