"""Score a run's validation and test records again and again with its dropout on: a predictions file a pass.

`vitalbench examine` takes the files together: their mean, how much they disagree, and whether that tells what is wrong.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from vitalbench.config.strict import validated
from vitalbench.config.target import Target
from vitalbench.data.store import Store, read_records
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import atomic
from vitalbench.progress import say
from vitalbench.results import Results, find_run, suite_of
from vitalbench.train.applied import AppliedRun

_CPU = {"device": "cpu", "threads": 1, "scheduler": {"mem_mb": 4000, "runtime_min": 60}}
_BATCH = 64


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="a run's folder, or its run_id (the first digits will do)")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where run_ids are looked up (default results)"
    )
    parser.add_argument("--passes", type=int, default=20, metavar="N", help="how often (default 20)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of what is dropped (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="the folder that pass-00.parquet and on go to")


def rows_of(run: AppliedRun, predictions: pd.DataFrame) -> tuple[Path, np.ndarray]:
    """The store that a run was trained from, and the rows in it of the records that its predictions name.

    Raises:
        InputError: the store is not here, or is another one.
    """
    store = Results(suite_of(run.folder)).store(run.folder.parents[3].name)
    rows = read_records(store).set_index("record_id")["row"]
    missing = ~predictions["record_id"].isin(rows.index)
    if missing.any():
        raise InputError(f"{store}: has no record {predictions['record_id'][missing].iloc[0]}, which the run scored")
    return store, rows[predictions["record_id"]].to_numpy(dtype=np.intp)


def emptied(out: Path) -> None:
    """A folder without the passes that lie there already: what takes them together is not to mix two commands' files."""
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob("pass-[0-9]*.parquet"):
        stale.unlink()


def run(args: argparse.Namespace) -> None:
    """Score."""
    if args.passes < 1 or args.seed < 0:
        raise ConfigError("--passes must be 1 or more, --seed 0 or more")
    applied = AppliedRun(find_run(args.run, args.results))
    predictions = pd.read_parquet(applied.folder / "predictions.parquet")
    store, rows = rows_of(applied, predictions)
    accelerator, model = applied.model(validated(Target, _CPU, "passes"))
    from vitalbench.train.dropout_passes import keep_dropout_on, seeds
    from vitalbench.train.engine import score

    keep_dropout_on(model)
    batches = applied.batches(Store(store), _BATCH)
    emptied(args.out)
    columns = [f"y_prob:{name}" for name in applied.task.classes]
    for number in seeds(accelerator, args.passes, args.seed):
        found = predictions.copy()
        found[columns] = score(accelerator, model, batches, rows, applied.task.kind)
        with atomic(args.out / f"pass-{number:02d}.parquet") as temporary:
            found.to_parquet(temporary, index=False)
    say(f"{args.out}: {args.passes} passes of {len(rows)} records, run {applied.run_id}")
