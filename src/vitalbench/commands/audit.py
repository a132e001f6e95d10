"""Audit a split for leaks: patients, records, samples or windows that cross it. Exit 1 on a leak.

TABLE (CSV or parquet) has record_id, patient_id and split (or split:<fold> columns), and for windows recording_id, start_s, end_s.
"""

import argparse
from collections import Counter
from pathlib import Path

import pandas as pd

from vitalbench.data.store import read_records
from vitalbench.errors import GateError, InputError
from vitalbench.files import file_digest, read_json, write_json, write_text
from vitalbench.split.audit import audit, read_table, receipt


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=Path, required=True, metavar="TABLE", help="the split to audit")
    parser.add_argument(
        "--store", type=Path, metavar="FILE", help="store.h5 of the same records: finds copies under other names"
    )
    parser.add_argument("--group", metavar="A,B", help="columns whose sharing between splits is told, not refused")
    parser.add_argument("--pairs", type=Path, metavar="OUT", help="write what crosses, a row a pair")
    parser.add_argument("--receipt", type=Path, metavar="OUT", help="write the receipt that training asks for")
    parser.add_argument("--report-only", action="store_true", help="exit 0 on a leak too; the receipt still says leak")


def _digests(store: Path, table: pd.DataFrame) -> tuple[pd.Series, str]:
    records = read_records(store)
    strangers = set(table["record_id"]) - set(records["record_id"])
    if strangers:
        raise InputError(
            f"{store}: {len(strangers)} records of the table are not in the store, among them {min(strangers)}"
        )
    return records.set_index("record_id")["digest"], str(read_json(store.with_name("manifest.json"))["content"])


def run(args: argparse.Namespace) -> None:
    """Audit, print one line a finding, write what was asked for."""
    table = read_table(args.records)
    digests, content = _digests(args.store, table) if args.store else (None, None)
    try:
        checks, pairs = audit(table, digests, args.group.split(",") if args.group else None)
    except InputError as error:
        raise InputError(f"{args.records}: {error}") from None
    if args.pairs:
        write_text(args.pairs, pairs.to_csv(index=False, lineterminator="\n"))
    result = receipt(checks, file_digest(args.records), content)
    if args.receipt:
        write_json(args.receipt, result)
    for check in checks:
        if check.found:
            print(
                f"{check.verdict}: {check.check} {check.split} fold {check.fold}: {check.found} found, {check.allowed} allowed"
            )
    verdicts = Counter(check.verdict for check in checks)
    print(
        f"{result['verdict']}: {len(checks)} checks, "
        + ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
    )
    if result["verdict"] == "leak" and not args.report_only:
        raise GateError(f"{args.records}: the split leaks: {result['reason']}")
