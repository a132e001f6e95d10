"""Keep what a suite's measuring jobs timed on a target as a dated reference.

It is baselines/measured/<day>-<target>-<device>.csv, a row a phase, with the code and the packages it was timed by.

`snakemake --cores all measure --config suite=timing targets=TARGET` times every design of that suite, and trains none.
With --summary a reference that is there is printed as two tables: the noise floor by phase, and the share of the device's limits.
"""

import argparse
from pathlib import Path

from vitalbench.errors import InputError, refuse_beside
from vitalbench.gate.measured import measured_rows, reference_path
from vitalbench.gate.measured_tables import summary
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, help="results/<suite>")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="instead: print a reference in short, in Markdown")
    parser.add_argument("--target", metavar="NAME", help="default: cpu")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: by day, target and device")


def run(args: argparse.Namespace) -> None:
    """Keep them, or print what was kept."""
    if args.summary:
        others = {"--results": args.results, "--target": args.target, "--out": args.out}
        refuse_beside("vitalbench measured: --summary", others)
        print("\n".join(summary(args.summary)))
        return
    if args.results is None:
        raise InputError("vitalbench measured: needs --results results/<suite>, or --summary FILE")
    rows = measured_rows(Results(args.results), args.target or "cpu")
    path = args.out or reference_path(rows)
    if path.exists():
        raise InputError(
            f"{path}: is there already, and a reference is not written over; remove it, or name another --out"
        )
    write_table("measured", rows, path)
    designs = len({(row["dataset"], row["design"]) for row in rows})
    say(f"{path}: {len(rows)} phases of {designs} designs on {rows[0]['device_name']}")
