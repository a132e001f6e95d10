"""Report what looks identifying in a release's headers, tables and names of files, as shapes of values, never the values.

It reads WFDB headers (.hea) and tables (.csv, .tsv) and prints a row a finding, as CSV: where, which field, in how many files, and
the shape of one value, in which X and x stand for letters and 9 for a digit. Names of files and columns may be values too: words
that do not name fields, and digits, are shapes in them; `number` is the file's place in `find -type f | LC_ALL=C sort`. Other
formats (DICOM, EDF) are looked at by their names alone.
"""

import argparse
import csv
import sys
from pathlib import Path

from vitalbench.config.folder import ConfigFolder
from vitalbench.errors import GateError
from vitalbench.privacy.scan import Finding, is_declared, scan
from vitalbench.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a release")
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="say of each column whether this data set's YAML carries it, and leave out the ids that it declares",
    )
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--fail", action="store_true", help="exit 1 where anything is found")
    parser.add_argument(
        "--names", action="store_true", help="show names of files and columns as they are: they may be values"
    )


def _row(finding: Finding, carry: list[str] | None, names: bool) -> list[object]:
    carried = "" if carry is None else "yes" if finding.name in carry else "no"
    file, field = finding.file, finding.field
    if names:
        file, field = finding.path, f"column '{finding.name}'" if finding.name else finding.field
    places = [finding.number, file, finding.line or ""]
    return [*places, field, finding.why, finding.files, finding.count, finding.example, carried]


def run(args: argparse.Namespace) -> None:
    """Scan."""
    carry = ConfigFolder(args.configs).dataset(args.dataset).carry if args.dataset else None
    done = scan(args.folder)
    findings = [finding for finding in done.findings if not is_declared(finding, carry or [])]
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["number", "file", "line", "field", "why", "files", "count", "example", "carried"])
    table.writerows(_row(finding, carry, args.names) for finding in findings)
    declared = len(done.findings) - len(findings)
    say(
        f"{args.folder}: {len(findings)} findings in {done.read} headers and tables"
        + (f"; {done.others} other files looked at by name alone" if done.others else "")
        + (f"; {declared} columns of ids that the data set declares" if declared else "")
    )
    if findings and args.fail:
        raise GateError(f"{args.folder}: {len(findings)} fields look identifying")
