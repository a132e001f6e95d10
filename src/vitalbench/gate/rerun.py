"""Again what did not pass: a measuring job or a training, as processes of their own, beside the suite's results."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vitalbench import layout
from vitalbench.cell_result import CellResult
from vitalbench.config.plan import Cell
from vitalbench.errors import GateError, InputError, plain, told_as_line
from vitalbench.files import read_json, write_json
from vitalbench.gate.again import DidNotTrainError
from vitalbench.gate.baseline import Accuracy, Speed, key_of
from vitalbench.gate.found import accuracy_of, device_of, measurements, place_of, speeds_of
from vitalbench.interrupt import Interrupt
from vitalbench.measure.device import device_here
from vitalbench.progress import say
from vitalbench.results import Results


def _command(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vitalbench.cli", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        raise InputError(f"vitalbench {arguments[0]}, run again: exit code {done.returncode}: {plain(said[0])}")


class Rerun:
    """Runs parts of a suite again; a training and each further measuring job once, however many of its numbers are asked for.

    What cannot be run again is an InputError, each time that it is asked for; it is tried once.
    What is run again on another device than the results are of is a GateError that names both.

    Args:
        device: that the results are of.
    """

    def __init__(self, results: Results, device: str) -> None:
        self._results, self._device = results, device
        self._measured: dict[tuple[str, int], dict[tuple[str, ...], tuple[Speed, bool]]] = {}
        self._trained: dict[tuple[tuple[str, ...], str | None], dict[tuple[str, ...], Accuracy]] = {}
        self._not: dict[tuple[object, ...], InputError] = {}

    @contextmanager
    def _tried(self, *what: object) -> Iterator[None]:
        """Keep why it could not be run; where that is known, tell it instead of trying again."""
        if what in self._not:
            raise self._not[what]
        try:
            yield
        except InputError as error:
            self._not[what] = error
            raise
        except OSError as error:  # no room for it, or no right to write beside the results
            self._not[what] = InputError(told_as_line(error) or plain(str(error)))
            raise self._not[what] from None

    def speed(self, key: tuple[str, ...], further: int = 1) -> tuple[Speed, bool] | None:
        """A phase of the first, second, ... further job, and whether it was disturbed; None where it no longer has the phase."""
        folder = self._results.folder
        for run, path in measurements(self._results):
            if place_of(run) == key[:4]:
                name = str(path.relative_to(folder / "measure").with_suffix(""))
                if (name, further) not in self._measured:
                    with self._tried(name):
                        say(f"{'/'.join(key[:4])}: measured again, further job {further}")
                        self._measured[name, further] = self._measure(name, run)
                return self._measured[name, further].get(key)
        return None

    def _measure(self, name: str, run: CellResult) -> dict[tuple[str, ...], tuple[Speed, bool]]:
        with TemporaryDirectory() as folder, Interrupt("USR1"):
            out = Path(folder) / "again.json"
            where = ("--results", str(self._results.folder), "--measurement", name)
            _command("measure", *where, "--exclusive", "--out", str(out))
            self._refuse_another(device_of(out))
            return {key_of(speed): (speed, was) for speed, was in speeds_of(out, run, self._results)}

    def _refuse_another(self, here: str) -> None:
        if here != self._device:
            raise GateError(
                f"{self._results.folder}: is of '{self._device}', and run again here it is of '{here}', which says nothing of it; "
                "run it again there, or take the first verdict, `vitalbench check --no-rerun`"
            )

    def exact(self, key: tuple[str, ...]) -> bool:
        """Whether the same code has to give the same values: on a CPU."""
        return self._results.target(key[3]).device == "cpu"

    def accuracy(self, key: tuple[str, ...], seed: str | None = None) -> Accuracy | None:
        """A metric of a design whose cells are trained and scored again, or with another seed; None where it has none.

        Args:
            seed: that the results do not have; None for their own.

        Raises:
            DidNotTrainError: a training of it failed.
        """
        place = key[:4]
        if seed is not None and not self._results.design(place[2]).stochastic:
            return None
        if (place, seed) not in self._trained:
            with self._tried(*place, seed):
                say(f"{'/'.join(place)}: trained {'again' if seed is None else f'with seed {seed} of the baseline'}")
                self._trained[place, seed] = self._train(place, seed)
        return self._trained[place, seed].get(key)

    def _train(self, place: tuple[str, ...], seed: str | None) -> dict[tuple[str, ...], Accuracy]:
        folder = self._results.folder
        here = device_here(self._results.target(place[3]).device)
        if here is not None:
            self._refuse_another(here)
        # Beside the results, as paths in them are told from there; begun with a dot, as no suite's name is.
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.again.") as name, Interrupt("USR1"):
            again = Path(name)
            for part in ("config", "splits"):
                shutil.copytree(folder / part, again / part)
            if (folder / "search").is_dir():
                (again / "search").symlink_to((folder / "search").resolve())
            _leave_no_trace(again)
            known = self._results.groups[place]  # type: ignore[index]
            cells = [run.cell for run in known] if seed is None else _with_seed(again, known, int(seed))
            scratch = Results(again)
            for cell in cells:
                self._started_from(cell, again, train=seed is not None)
                _trained(again, cell)
                _command("evaluate", "--results", str(again), "--cell", cell.path)
            metrics = {row["metric"] for run in known for row in run.read("metrics.json")["rows"]}
            return {key_of(row): row for row in accuracy_of(scratch, sorted(metrics))}

    def _started_from(self, cell: Cell, again: Path, train: bool) -> None:
        """Let a run start from the same pre-training as before, or from one of its own seed."""
        start = self._results.suite["designs"][cell.design].get("pretrained")
        if not start:
            return
        first = replace(cell, design=start)
        of = layout.RUN.format(**first.keys)
        if (again / of).exists():
            return
        if train:
            _trained(again, first)
            return
        (again / of).parent.mkdir(parents=True, exist_ok=True)
        (again / of).symlink_to((self._results.folder / of).resolve())


def _trained(again: Path, cell: Cell) -> None:
    """Train a cell; an InputError where it did not run, and a DidNotTrainError where it failed, with its reason."""
    _command("train", "--results", str(again), "--cell", cell.path)
    left = read_json(again / layout.RUN.format(**cell.keys) / "status.json")
    if left["status"] != "measured":
        error = DidNotTrainError if left["status"] == "failed" else InputError
        raise error(f"{cell.path} is {left['status']}: {plain(str(left['reason']))}")


def _leave_no_trace(again: Path) -> None:
    """Neither second copies nor trackers, and no budget: it is a look at the results, and not one of their runs."""
    for name, nothing in (
        (layout.CHECKPOINT_SLICE, {"backup": None}),
        (layout.WATCH_SLICE, {"trackers": [], "budget_usd": None, "budget_hours": None, "budget_suite_usd": None}),
    ):
        if (again / name).is_file():
            write_json(again / name, read_json(again / name) | nothing)


def _with_seed(again: Path, known: list[CellResult], seed: int) -> list[Cell]:
    """A place's cells with another seed, one a fold, in a suite that is told of them and of what they start from."""
    path = again / layout.SUITE_SLICE
    suite = read_json(path)
    planned = {Cell(**one["cell"]): one for one in suite["cells"]}
    by_fold = {run.cell.fold: run.cell for run in known}
    for cell in by_fold.values():
        start = suite["designs"][cell.design].get("pretrained")
        for one in [cell, *([replace(cell, design=start)] if start else [])]:
            suite["cells"].append(planned[one] | {"cell": replace(one, seed=seed).keys})
    write_json(path, suite)
    return [replace(cell, seed=seed) for cell in by_fold.values()]
