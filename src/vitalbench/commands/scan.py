"""Report what looks identifying in a release's headers and tables, as shapes of values, never the values.

It reads WFDB headers (.hea) and tables (.csv, .tsv) and prints a row a finding, as CSV: which field, in how many files, and the
shape of one value, in which X and x stand for letters and 9 for a digit. Other formats (DICOM, EDF) are not looked at.
"""

import argparse
import csv
import sys
from pathlib import Path

from vitalbench.config.folder import ConfigFolder
from vitalbench.errors import GateError
from vitalbench.privacy.scan import Finding, scan
from vitalbench.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a release")
    parser.add_argument("--dataset", metavar="NAME", help="say of each column whether this data set's YAML carries it")
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--fail", action="store_true", help="exit 1 where anything is found")


def _carried(finding: Finding, carry: list[str] | None) -> str:
    if carry is None:
        return ""
    return "yes" if finding.field.removeprefix("column '").removesuffix("'") in carry else "no"


def run(args: argparse.Namespace) -> None:
    """Scan."""
    carry = ConfigFolder(args.configs).dataset(args.dataset).carry if args.dataset else None
    findings, read = scan(args.folder)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["file", "field", "why", "files", "count", "example", "carried"])
    for finding in findings:
        table.writerow([*vars(finding).values(), _carried(finding, carry)])
    say(f"{args.folder}: {len(findings)} findings in {read} headers and tables")
    if findings and args.fail:
        raise GateError(f"{args.folder}: {len(findings)} fields look identifying")
