"""Read data sets and say what they come to: records, patients, classes, what is kept out; real and generated apart.

Each is built in a folder of its own that is gone afterwards, from its stand-in and, with --data-root, from the release found there.
With --document nothing is read: what a document's total is made of is worked out of published counts.
"""

import argparse
from pathlib import Path

import pandas as pd

from vitalbench.config.dataset import Source
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.made_of import made_of
from vitalbench.config.sources import local_release
from vitalbench.data.inventory import Inventory, take
from vitalbench.errors import ConfigError, GateError, InputError, told_as_line
from vitalbench.files import write_text
from vitalbench.measure.device import cpu_count
from vitalbench.progress import say
from vitalbench.split.near_copies import near_copies

_LINES = ("line of the document", "what", "it says", "published", "not its own", "adds")
_ORIGINS = ("data set", "source", "made of", "listed", "kept out", "copies", "near copies", "adds")
_HEAD = (
    "data set",
    "source",
    "recordings",
    "records",
    "patients",
    "classes",
    "kept out",
    "flagged",
    "seconds",
    "records/s",
    "processor s",
    "other work",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("names", nargs="*", metavar="DATASET", help="default: all")
    parser.add_argument("--data-root", type=Path, metavar="FOLDER", help="holds releases, each in a folder of its name")
    parser.add_argument("--no-generated", action="store_true", help="leave out the stand-ins")
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--document", metavar="NAME", help="of configs/made-of: what its total is made of")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table as CSV too")


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {check}" for check, count in counts.items()) or "0"


def _print(head: tuple[str, ...], texts: int, rows: list[list[str]]) -> None:
    """A table in Markdown, its first columns text and the others numbers."""
    print(f"| {' | '.join(head)} |\n|{'---|' * texts}{'---:|' * (len(head) - texts)}")
    for row in rows:
        _print_row(row)


def _print_row(row: list[str]) -> None:
    """At once: what was read so far is not lost with what breaks off."""
    print(f"| {' | '.join(row)} |", flush=True)


def _origin_rows(name: str, source: str, found: Inventory) -> list[list[str]]:
    each = found.origins.items()
    parts = ("listed", "kept_out", "copies", "near", "adds")
    rows = [[name, source, origin, *(str(getattr(o, part)) for part in parts)] for origin, o in each]
    if rows:
        sums = (sum(getattr(o, part) for _, o in each) for part in parts)
        rows.append([name, source, "all", *map(str, sums)])
    return rows


def _row(name: str, source: str, found: Inventory) -> list[str]:
    counts = found.recordings, found.listed, found.patients, len(found.classes)
    told = [f"{count:,}" for count in counts]
    kept_out, flagged = _reasons(found.quarantined), _reasons(found.flagged)
    other = "" if found.foreign is None else f"{found.foreign:.0%}"
    spent = f"{found.seconds:.1f}", f"{found.per_second:,.0f}", f"{found.processor_seconds:.1f}"
    return [name, source, *told, kept_out, flagged, *spent, other]


def _number(count: float | None) -> str:
    return "" if count is None else f"{count:,.0f}"


def document_rows(folder: ConfigFolder, name: str) -> list[list[str]]:
    """A row a line of a document's total, and the sums: as it says, of what is recorded, with what is generated, and beyond."""
    lines, total = made_of(folder, name)
    rows = [
        [line.name, line.why, *map(_number, (line.says, line.published, line.not_its_own, line.adds))] for line in lines
    ]
    listed = [line for line in lines if line.says is not None]
    recorded = [line.adds for line in listed if not line.generated]
    sums = (
        ("what the document adds up", f"its total is {total:,.0f}", sum(line.says or 0 for line in listed), None),
        ("recorded, each once", "published counts", None, sum(recorded)),
        ("with the generated ones", "", None, sum(line.adds for line in listed)),
        ("with what it does not list, too", "", None, sum(line.adds for line in lines)),
    )
    return rows + [[f"**{what}**", why, _number(says), "", "", _number(adds)] for what, why, says, adds in sums]


def _read_by(problem: GateError | InputError | OSError) -> GateError | InputError:
    """Why a data set could not be read, in one line; what is no file's fault is a defect, and stays one."""
    if not isinstance(problem, OSError):
        return problem
    if (line := told_as_line(problem)) is None:
        raise problem
    return InputError(line)


def run(args: argparse.Namespace) -> None:
    """Read and tell.

    Raises:
        GateError, InputError: a data set was refused; the table has all others.
    """
    folder = ConfigFolder(args.configs)
    if args.document:
        lines = document_rows(folder, args.document)
        if args.out:
            write_text(args.out, pd.DataFrame(lines, columns=list(_LINES)).to_csv(index=False, lineterminator="\n"))
        _print(_LINES, 2, lines)
        return
    if args.data_root is not None and not args.data_root.is_dir():
        raise ConfigError(f"--data-root: {args.data_root}: no such folder")
    rows: list[list[str]] = []
    origins: list[list[str]] = []
    refused: list[GateError | InputError] = []
    for name in args.names or folder.names("datasets"):
        dataset = folder.dataset(name, "vitalbench sources")
        task = folder.asked_of(name)
        labels = folder.task(task).labels if task else None
        root = local_release(dataset, args.data_root, "--data-root") if args.data_root else None
        if args.data_root and root is None and name in args.names:
            say(f"{name}: no {dataset.title} in {args.data_root}")
        found_at: dict[Source, Path | None] = {"local": root} if root else {}
        found_at |= {"generated": None} if dataset.standin and not args.no_generated else {}
        for source, folder_of in found_at.items():
            try:
                found = take(name, dataset, source, folder_of, labels, lambda store: near_copies(store, cpu_count()))
            except (GateError, InputError, OSError) as problem:  # of this one; the others are still to be told
                refusal = _read_by(problem)
                refused.append(refusal)
                say(f"{name}, {source}: refused: {refusal}")
                continue
            if not rows:
                _print(_HEAD, 2, [])
            rows.append(_row(name, source, found))
            _print_row(rows[-1])
            origins += _origin_rows(name, source, found)
    if not rows and not refused:
        raise ConfigError(f"--data-root: {args.data_root} holds none of the data sets that were named")
    if args.out:
        write_text(args.out, pd.DataFrame(rows, columns=list(_HEAD)).to_csv(index=False, lineterminator="\n"))
    if origins:
        print()
        _print(_ORIGINS, 3, origins)
    if refused:
        more = f" ({len(refused) - 1} more were refused, told above)" if len(refused) > 1 else ""
        raise type(refused[0])(f"{refused[0]}{more}")
