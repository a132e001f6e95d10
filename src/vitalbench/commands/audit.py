"""Audit a split for leaks: patients, records, samples or windows that cross it, or statistics fitted outside training.

TABLE (CSV, TSV or parquet, packed or not) has record_id, patient_id and split (or split:<fold> columns); for windows
recording_id, start_s, end_s; and, where statistics came with the records, fitted_on (true or false a record). Exit 1 on a leak.
"""

import argparse
from collections import Counter
from pathlib import Path

import pandas as pd

from vitalbench.data.store import read_records
from vitalbench.errors import ConfigError, GateError, InputError, choices
from vitalbench.files import file_digest, write_json, write_text
from vitalbench.measure.device import cpu_count
from vitalbench.progress import say
from vitalbench.split import neighbours
from vitalbench.split.audit import UNMADE, Check, audit, read_table, receipt
from vitalbench.split.fitted import fitted_records
from vitalbench.split.near_copies import near_copies


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=Path, required=True, metavar="TABLE", help="the split to audit")
    parser.add_argument(
        "--store", type=Path, metavar="FILE", help="store.h5 of the same records: finds copies under other names"
    )
    parser.add_argument(
        "--group",
        metavar="A,B",
        help="columns of the table or the store whose sharing between splits is told, not refused; A? only where it is there",
    )
    parser.add_argument(
        "--fitted-on",
        type=Path,
        metavar="FILE",
        help="the records that statistics were fitted on: ids, one a line, or a table with a column record_id",
    )
    parser.add_argument("--pairs", type=Path, metavar="OUT", help="write what crosses, a row a pair")
    parser.add_argument("--receipt", type=Path, metavar="OUT", help="write the receipt that training asks for")
    parser.add_argument("--report-only", action="store_true", help="exit 0 on a leak too; the receipt still says leak")
    parser.add_argument(
        "--unmade", type=Path, metavar="FILE", help="says why the split could not be made; empty where it was"
    )
    parser.add_argument(
        "--price-the-leak",
        type=Path,
        metavar="OUT",
        help="write what the leak is worth in score; needs --store, --labels",
    )
    parser.add_argument("--labels", metavar="SET", help="the label set of the store that --price-the-leak scores")
    parser.add_argument("--threads", type=int, default=cpu_count(), metavar="N", help="default: all cores")


def _stored(store: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The store's table of records, indexed by record_id, if it holds every record to audit."""
    records = read_records(store)
    strangers = set(table["record_id"]) - set(records["record_id"])
    if strangers:
        raise InputError(
            f"{store}: {len(strangers)} records of the table are not in the store, among them {min(strangers)}"
        )
    return records.set_index("record_id")


def _grouped(
    table: pd.DataFrame, asked: str | None, stored: pd.DataFrame | None, path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """The groups to look at, and the table with those it lacks taken from the store's records."""
    known = {*table.columns, *(stored.columns if stored is not None else ())}
    groups = []
    for name in (name.strip() for name in (asked or "").split(",")):
        group = name.removesuffix("?")
        if not group:
            continue
        if group != name and group not in known:
            say(f"{path}: no column '{group}' to look at; {choices(group, map(str, known))}")
            continue
        groups.append(group)
        if group not in known:
            raise InputError(f"{path}: column '{group}' is not in the table; {choices(group, map(str, known))}")
        if group not in table.columns and stored is not None:
            table = table.assign(**{group: table["record_id"].map(stored[group])})
    return table, groups


def _unmade(said: Path | None) -> str:
    """Why there is nothing to audit; empty where there is."""
    if said is None:
        return ""
    try:
        return said.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{said}: not readable: {error}") from None


def _tell(checks: list[Check], verdict: str) -> None:
    for check in checks:
        if check.found:
            print(
                f"{check.verdict}: {check.check} {check.split} fold {check.fold}: {check.found} found, {check.allowed} allowed"
            )
    verdicts = Counter(check.verdict for check in checks)
    print(
        f"{verdict}: {len(checks)} checks, " + ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
    )


def run(args: argparse.Namespace) -> None:
    """Audit, print one line a finding, write what was asked for."""
    if args.threads < 1:
        raise ConfigError(f"--threads is {args.threads}; allowed: 1 or more")
    if args.price_the_leak and not (args.store and args.labels):
        raise ConfigError("--price-the-leak needs --store FILE, whose records it scores, and --labels SET")
    if why := _unmade(args.unmade):
        if args.receipt:
            content = neighbours.store_content(args.store) if args.store else None
            write_json(args.receipt, receipt([], file_digest(args.records), content, why))
        if not args.report_only:
            raise GateError(f"{args.records}: the split cannot be made: {why}")
        print(f"{UNMADE}: {why}")
        return
    table = read_table(args.records)
    stored, content, copies = None, None, None
    if args.store:
        stored, content = _stored(args.store, table), neighbours.store_content(args.store)
        copies = near_copies(args.store, args.threads)
    table, groups = _grouped(table, args.group, stored, args.records)
    fitted = fitted_records(table, args.records, args.fitted_on)
    try:
        checks, pairs = audit(table, None if stored is None else stored["digest"], groups, copies, fitted)
    except InputError as error:
        raise InputError(f"{args.records}: {error}") from None
    if args.pairs:
        write_text(args.pairs, pairs.to_csv(index=False, lineterminator="\n"))
    result = receipt(checks, file_digest(args.records), content)
    if args.receipt:
        write_json(args.receipt, result)
    _tell(checks, result["verdict"])
    if args.price_the_leak:
        from vitalbench.evaluate.leak_price import price

        priced = price(table, pairs, args.store, args.labels)
        write_text(args.price_the_leak, priced.to_csv(index=False, lineterminator="\n"))
    if result["verdict"] == "leak" and not args.report_only:
        raise GateError(f"{args.records}: the split leaks: {result['reason']}")
