"""Recompute the receipts of a store or a suite, and the chain of a log of accesses. Exit 1 on a mismatch.

It prints a line for each thing that is missing or differs. The last hash of a chain stands for all of it: keep it elsewhere.
"""

import argparse
from pathlib import Path

from vitalbench import layout
from vitalbench.chain import SHOWN
from vitalbench.data.store_receipt import broken, differing_records
from vitalbench.errors import ConfigError, GateError
from vitalbench.privacy.access_log import problems as access_problems
from vitalbench.report.receipt import broken_suite
from vitalbench.results import Results


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="results/data/<data set>/<source>")
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="results/<suite>: its runs and the stores they stand on"
    )
    parser.add_argument(
        "--records", action="store_true", help="with --data: read every record of the release again, too"
    )
    parser.add_argument(
        "--elsewhere", action="store_true", help="files alone: code and packages of this machine may be others"
    )


def _accesses(folder: Path) -> bool:
    """Whether the log of accesses, where there is one, was altered."""
    problems, lines, head = access_problems(folder)
    for problem in problems:
        print(problem)
    if lines and not problems:
        print(f"{folder}: the log of accesses holds, {lines} lines, chain {head[:SHOWN]}")
    return bool(problems)


def _told(folder: Path, problems: list[str], head: str) -> bool:
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{folder}: the receipt holds, chain {head[:SHOWN]}")
    return bool(problems)


def run(args: argparse.Namespace) -> None:
    """Verify."""
    if (args.data is None) == (args.results is None):
        raise ConfigError("verify: give one of --data FOLDER and --results FOLDER")
    if args.records and args.data is None:
        raise ConfigError("verify: --records goes with --data FOLDER")
    failed = []
    if args.data:
        problems, head = broken(args.data, args.elsewhere)
        if args.records and not problems:
            problems = differing_records(args.data)
        failed += [args.data] if _told(args.data, problems, head) | _accesses(args.data) else []
    else:
        results = Results(args.results)
        folders = [results.data(name) for name in results.suite["datasets"]]
        for folder in (folder for folder in folders if folder and (folder / layout.DATA_RECEIPT).is_file()):
            failed += [folder] if _told(folder, *broken(folder, args.elsewhere)) | _accesses(folder) else []
        failed += [args.results] if _told(args.results, *broken_suite(results, args.elsewhere)) else []
    if failed:
        raise GateError(f"{', '.join(map(str, failed))}: not as the receipt or the log of accesses says")
