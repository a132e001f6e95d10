"""Examine predictions as a clinic would: operating points, calibration, conformal sets, subgroup gaps, failures.

FILE (.parquet or .csv) is what `vitalbench evaluate` scores. Several are taken together: their mean is examined, and they are held
against it. Thresholds and maps are chosen on its `val` rows, all that is told is of its `test` rows.
"""

import argparse
from pathlib import Path

from vitalbench.config.plan import SearchPlace
from vitalbench.config.schema import EXAMINED
from vitalbench.errors import ConfigError, InputError, choices
from vitalbench.evaluate.ensemble import aligned
from vitalbench.evaluate.failures import FEW
from vitalbench.evaluate.operating import CHOSEN_ON, SPLIT
from vitalbench.evaluate.predictions import Predictions, read_predictions
from vitalbench.files import read_json
from vitalbench.layout import STAGE_SLICE
from vitalbench.progress import say
from vitalbench.report.examination import LEVEL, TABLES, examined
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="predictions; several are taken together")
    parser.add_argument("--task", metavar="KIND", help=f"the task's kind: {', '.join(EXAMINED)}")
    parser.add_argument("--level", type=float, default=LEVEL, help=f"coverage that sets are to have (default {LEVEL})")
    parser.add_argument("--failures", type=int, default=FEW, metavar="N", help=f"of a class and kind (default {FEW})")
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples of the patients (default 1000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the resamples (default 0)")
    parser.add_argument("--out", type=Path, help="the folder that the tables go to")
    parser.add_argument("--results", type=Path, help="instead of FILE: results/<suite>, with --place")
    parser.add_argument(
        "--place", help="<data set>/<task>/<design>/<target>/fold<F> that the suite examines: all its seeds"
    )


def place_of(results: Results, named: str) -> SearchPlace:
    """A place that a suite examines, by its path.

    Raises:
        InputError: the suite examines none of that name.
    """
    places = {place.path: place for place in results.examined}
    if named not in places:
        raise InputError(f"{results.folder}: nothing that is examined is named {named!r}; {choices(named, places)}")
    return places[named]


def _of_suite(results: Results, place: SearchPlace, level: float, failures: int) -> None:
    """Write the tables of a place; without rows where none of its runs was measured, so that the page can be made."""
    kind = results.task(place.task).kind
    files = [run.folder / "predictions.parquet" for run in results.examined[place] if run.measured]
    drawn = read_json(results.folder / STAGE_SLICE.format(stage="examine"))
    members = aligned({path: read_predictions(path, kind) for path in files}) if files else []
    out = results.examination(place)
    told = examined(members, level, drawn["bootstrap"], drawn["seed"], failures) if members else {}
    for name in TABLES:
        write_table(name, told.get(name, []), out / f"{name}.csv")
    say(f"{out}: {len(members)} of {len(results.examined[place])} runs")


def _each_once(paths: list[Path]) -> None:
    """Raise an InputError where a file is named twice: it would count as one member and say nothing of the others."""
    seen: dict[Path, Path] = {}
    for path in paths:
        if (file := path.resolve()) in seen:
            raise InputError(
                f"{path}: the file is named twice, as {seen[file]} too; members are predictions of their own"
            )
        seen[file] = path


def _apart(found: Predictions, path: Path) -> None:
    """Raise an InputError where there is nothing to choose or tell on, or a patient is in both. A suite's splits are audited."""
    for split in (CHOSEN_ON, SPLIT):
        if not (found.split == split).any():
            raise InputError(f"{path}: no row is in the split '{split}': there is nothing to choose or tell on")
    chosen, told = (set(found.patient_id[found.split == split]) for split in (CHOSEN_ON, SPLIT))
    if both := sorted(chosen & told):
        raise InputError(
            f"{path}: {len(both)} of {len(told)} patients in the split '{SPLIT}' are in '{CHOSEN_ON}' too, such as {both[0]}: "
            "what is chosen on a patient cannot be told of the same one"
        )


def run(args: argparse.Namespace) -> None:
    """Examine."""
    if not 0 < args.level < 1:
        raise ConfigError(f"--level is {args.level:g}; it must lie between 0 and 1")
    if args.bootstrap < 1 or args.seed < 0 or args.failures < 1:
        raise ConfigError("--bootstrap and --failures must be 1 or more, --seed 0 or more")
    if (args.results is None) != (args.place is None) or bool(args.files) == bool(args.results):
        raise ConfigError("vitalbench examine: needs FILE ..., or --results and --place together")
    if args.results:
        results = Results(args.results)
        _of_suite(results, place_of(results, args.place), args.level, args.failures)
        return
    if args.task not in EXAMINED:
        raise ConfigError(f"--task is {args.task!r}; {choices(str(args.task), EXAMINED)}")
    if args.out is None:
        raise ConfigError("vitalbench examine: needs --out, the folder that the tables go to")
    _each_once(args.files)
    members = aligned({path: read_predictions(path, args.task) for path in args.files})
    _apart(members[0], args.files[0])
    tables = examined(members, args.level, args.bootstrap, args.seed, args.failures)
    written = [name for name in TABLES if name != "ensemble" or len(members) > 1]
    for name in written:
        write_table(name, tables[name], args.out / f"{name}.csv")
    for stale in set(TABLES) - set(written):
        (args.out / f"{stale}.csv").unlink(missing_ok=True)  # of several files that an earlier command took together
    say(f"{args.out}: {', '.join(f'{name}.csv' for name in written)}")
