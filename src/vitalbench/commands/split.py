"""Assign a data set's records to train, val and test by patient, for one task and fold."""

import argparse
from pathlib import Path

from vitalbench.data.origins import unused_copies
from vitalbench.data.store import read_records
from vitalbench.files import write_text
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.split.asked import asked_classes
from vitalbench.split.assign import assign


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--fold", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Split."""
    results = Results(args.results)
    records = read_records(results.store(args.dataset))
    task = results.task(args.task)
    copies = unused_copies(results.store_folder(args.dataset), records)
    assigned = assign(records, task, args.fold, copies)
    asked = asked_classes(records, assigned["split"], task)
    write_text(results.classes(args.dataset, args.task, args.fold), asked.to_csv(index=False, lineterminator="\n"))
    write_text(results.split(args.dataset, args.task, args.fold), assigned.to_csv(index=False, lineterminator="\n"))
    if len(copies):
        say(f"{args.dataset}: {len(copies)} records have the samples of another and are not used, as {copies.index[0]}")
    if task.rare_below is not None:
        say(
            f"{args.dataset} {args.task} fold {args.fold}: {asked['asked'].sum()} of {len(asked)} classes are rare and asked"
        )
    counts = assigned["split"].value_counts().to_dict()
    say(
        f"{args.dataset} {args.task} fold {args.fold}: "
        + ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    )
