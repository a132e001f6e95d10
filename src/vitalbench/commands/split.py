"""Assign a data set's records to train, val and test by patient, for one task and fold."""

import argparse
from pathlib import Path

from vitalbench.data.origins import copies_are_unused, unused_copies
from vitalbench.data.store import read_records
from vitalbench.errors import InputError
from vitalbench.files import write_text
from vitalbench.measure.device import cpu_count
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.split.asked import asked_classes, none_asked
from vitalbench.split.assign import all_unused, assign
from vitalbench.split.near_copies import near_copies


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument(
        "--report-only",
        action="store_true",
        help="exit 0 where the split cannot be made, too: no record is in it then, its cells fail and say why",
    )


def run(args: argparse.Namespace) -> None:
    """Split.

    Raises:
        InputError: it cannot be made of these records, and that was not to be reported only.
    """
    results = Results(args.results)
    store, folder = results.store(args.dataset), results.store_folder(args.dataset)
    records = read_records(store)
    task = results.task(args.task)
    near = near_copies(store, cpu_count()) if copies_are_unused(folder) else None
    copies = unused_copies(folder, records, near)
    why = ""
    try:
        assigned = assign(records, task, args.fold, copies)
        asked = asked_classes(records, assigned["split"], task)
    except InputError as problem:
        if not args.report_only:
            raise
        why, assigned, asked = str(problem), all_unused(records), none_asked(task)
    write_text(results.unmade(args.dataset, args.task, args.fold), why)
    write_text(results.classes(args.dataset, args.task, args.fold), asked.to_csv(index=False, lineterminator="\n"))
    write_text(results.split(args.dataset, args.task, args.fold), assigned.to_csv(index=False, lineterminator="\n"))
    if why:
        say(f"{args.dataset} {args.task} fold {args.fold}: the split cannot be made: {why}")
        return
    if len(copies):
        say(
            f"{args.dataset}: {len(copies)} records are one recording with another and are not used, as {copies.index[0]}"
        )
    if task.rare_below is not None:
        say(
            f"{args.dataset} {args.task} fold {args.fold}: {asked['asked'].sum()} of {len(asked)} classes are rare and asked"
        )
    counts = assigned["split"].value_counts().to_dict()
    say(
        f"{args.dataset} {args.task} fold {args.fold}: "
        + ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    )
