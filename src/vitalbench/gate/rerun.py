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
from vitalbench.gate.baseline import Accuracy, Speed, key_of
from vitalbench.gate.found import accuracy_of, device_of, measurements, place_of, speeds_of
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
        self._trained: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[tuple[str, ...], Accuracy]] = {}
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
        with TemporaryDirectory() as folder:
            out = Path(folder) / "again.json"
            where = ("--results", str(self._results.folder), "--measurement", name)
            _command("measure", *where, "--exclusive", "--out", str(out))
            self._refuse_another(out)
            return {key_of(speed): (speed, was) for speed, was in speeds_of(out, run, self._results)}

    def _refuse_another(self, timed: Path) -> None:
        here = device_of(timed)
        if here != self._device:
            raise GateError(
                f"{self._results.folder}: is of '{self._device}', and run again here it is of '{here}', which says nothing of it; "
                "run it again there, or take the first verdict, `vitalbench check --no-rerun`"
            )

    def exact(self, key: tuple[str, ...]) -> bool:
        """Whether the same code has to give the same values: on a CPU."""
        return self._results.target(key[3]).device == "cpu"

    def accuracy(self, key: tuple[str, ...], seeds: tuple[str, ...] = ()) -> Accuracy | None:
        """A metric of a design whose cells are trained and scored again, or with further seeds; None where it no longer has one.

        Args:
            seeds: that the results do not have; none for their own.
        """
        place = key[:4]
        if (place, seeds) not in self._trained:
            with self._tried(*place, *seeds):
                which = f"with seeds of the baseline that are not here: {', '.join(seeds)}" if seeds else "again"
                say(f"{'/'.join(place)}: trained {which}")
                self._trained[place, seeds] = self._train(place, [int(seed) for seed in seeds])
        return self._trained[place, seeds].get(key)

    def _train(self, place: tuple[str, ...], seeds: list[int]) -> dict[tuple[str, ...], Accuracy]:
        folder = self._results.folder
        # Beside the results, as paths in them are told from there; begun with a dot, as no suite's name is.
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.again.") as name:
            again = Path(name)
            for part in ("config", "splits"):
                shutil.copytree(folder / part, again / part)
            if (folder / "search").is_dir():
                (again / "search").symlink_to((folder / "search").resolve())
            known = self._results.groups[place]  # type: ignore[index]
            cells = _with_seeds(again, [run.cell for run in known], seeds) if seeds else [run.cell for run in known]
            scratch = Results(again)
            for cell in cells:
                self._started_from(cell, again, train=bool(seeds))
                self._trained_and_scored(scratch, cell)
            metrics = {row["metric"] for run in known for row in run.read("metrics.json")["rows"]}
            return {key_of(row): row for row in accuracy_of(scratch, sorted(metrics))}

    def _trained_and_scored(self, scratch: Results, cell: Cell) -> None:
        _command("train", "--results", str(scratch.folder), "--cell", cell.path)
        self._refuse_another(scratch.run(cell) / "timing.json")
        _command("evaluate", "--results", str(scratch.folder), "--cell", cell.path)

    def _started_from(self, cell: Cell, again: Path, train: bool) -> None:
        """Let a run start from the same pre-training as before, or from one of its own seed."""
        start = self._results.suite["designs"][cell.design].get("pretrained")
        if not start:
            return
        first = replace(cell, design=start)
        of = again / layout.RUN.format(**first.keys)
        if of.exists():
            return
        if train:
            _command("train", "--results", str(again), "--cell", first.path)
            return
        of.parent.mkdir(parents=True, exist_ok=True)
        of.symlink_to((self._results.folder / layout.RUN.format(**first.keys)).resolve())


def _with_seeds(scratch: Path, known: list[Cell], seeds: list[int]) -> list[Cell]:
    """Cells of the same place with other seeds, each fold; the scratch suite is told of them, and of what they start from."""
    path = scratch / layout.SUITE_SLICE
    suite = read_json(path)
    planned = {Cell(**one["cell"]): one for one in suite["cells"]}
    found = []
    for seed in seeds:
        for fold in sorted({cell.fold for cell in known}):
            like = next(cell for cell in known if cell.fold == fold)
            found.append(replace(like, seed=seed))
            start = suite["designs"][like.design].get("pretrained")
            for one in [like, *([replace(like, design=start)] if start else [])]:
                suite["cells"].append(planned[one] | {"cell": replace(one, seed=seed).keys})
    write_json(path, suite)
    return found
