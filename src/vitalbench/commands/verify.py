"""Recompute the receipts of a store or a suite, and the chain of a log of accesses. Exit 1 on a mismatch.

It prints a line for each thing that is missing or differs. The last hash of a chain stands for all of it: keep it elsewhere;
--accesses holds the log of accesses against it.
"""

import argparse
import re
from pathlib import Path

from vitalbench import layout
from vitalbench.chain import SHOWN
from vitalbench.data.store_receipt import broken as broken_store
from vitalbench.data.store_receipt import differing_records
from vitalbench.errors import ConfigError, GateError, InputError
from vitalbench.privacy.access_log import problems as access_problems
from vitalbench.report.receipt import broken_suite
from vitalbench.results import Results
from vitalbench.split.neighbours_receipt import broken as broken_neighbours


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
    parser.add_argument(
        "--accesses",
        metavar="HASH",
        default="",
        help="with --data: a hash of the log of accesses that was printed before; the log must still hold its line",
    )


def broken(folder: Path, elsewhere: bool, audited: bool = False) -> tuple[list[str], str]:
    """What does not match the receipts of a store and of the search in it, and the last hash of the store's."""
    problems, head = broken_store(folder, elsewhere)
    try:
        found = broken_neighbours(folder, elsewhere, audited)
    except InputError as error:  # its receipt is damaged: one thing among those that do not match
        found = [f"neighbours: {error}"]
    return list(dict.fromkeys(problems + found)), head


def _accesses(folder: Path, since: str = "") -> bool:
    """Whether the log of accesses was altered, or is missing where there was one."""
    problems, lines, head = access_problems(folder, since)
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
    if args.accesses and (args.data is None or not re.fullmatch(f"[0-9a-f]{{{SHOWN},64}}", args.accesses)):
        raise ConfigError(
            f"verify: --accesses goes with --data FOLDER and takes {SHOWN} to 64 hex digits, as verify prints"
        )
    failed = []
    if args.data:
        accesses = _accesses(args.data, args.accesses)  # told where there is no receipt, too
        problems, head = broken(args.data, args.elsewhere)
        if args.records:
            problems += differing_records(args.data)
        failed += [args.data] if _told(args.data, problems, head) | accesses else []
    else:
        results = Results(args.results)
        for name in results.suite["datasets"]:
            folder = results.data(name)
            if folder is None or not (folder / layout.DATA_RECEIPT).is_file():
                continue
            audited = any(results.folder.glob(layout.RECEIPT.format(dataset=name, task="*", fold="*")))
            failed += [folder] if _told(folder, *broken(folder, args.elsewhere, audited)) | _accesses(folder) else []
        failed += [args.results] if _told(args.results, *broken_suite(results, args.elsewhere)) else []
    if failed:
        raise GateError(f"{', '.join(map(str, failed))}: not as the receipt or the log of accesses says")
