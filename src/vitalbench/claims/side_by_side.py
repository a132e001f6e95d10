"""Designs side by side: their batches, which were measured, and what a training comes to, which is projected from them.

Batches ask for no release, so generated records serve. `times` is named by the design it is over: the same table in another order
is another ratio. What is projected is steps x batch on the target that was timed, and on a target that is not here the same times
the ratio of step times that published ones give (cost/projector.py), whose interval comes on top of that of the batches.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vitalbench.claims.facts import Facts
from vitalbench.config.claim_facts import EFFICIENCY, PROJECTED, TIMES, TRAINING_TIMES, targets_named
from vitalbench.config.expression import Interval
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.published import parse_published, published_texts
from vitalbench.cost.projector import LEVEL, Projection, Projector
from vitalbench.cost.sheets import sheets_of
from vitalbench.errors import InputError
from vitalbench.results import Results
from vitalbench.tables import names, number, read_table

_NAMES = ("dataset", "task", "design", "size", "target", "device_name", "over", "basis")
_NEEDED = ("rounds", "batch_s", "batch_low_s", "batch_high_s")
_NEEDED_OVER = ("batch_times", "batch_times_low", "batch_times_high")  # of a row that is over another's


def _scaled(value: float, middle: float, low: float, high: float) -> Interval:
    """As far below and above a value as a measured one goes below and above its median."""
    return value * (low / middle), value * (high / middle)


@dataclass(frozen=True)
class _Row:
    """A design of the table, its numbers by column."""

    dataset: str
    target: str
    design: str
    over: str
    numbers: dict[str, float]

    def name(self, beginning: str, what: str, target: str | None = None) -> str:
        return f"{beginning}.{self.dataset}.{EFFICIENCY}.{target or self.target}.{self.design}.{what}"

    def ends(self, of: str, by: str = "batch{}_s") -> Interval:
        """The interval of a column that moves as another that was measured, and has `low` and `high`."""
        middle, low, high = (self.numbers[by.format(part)] for part in ("", "_low", "_high"))
        return _scaled(self.numbers[of], middle, low, high)


def _rows(results: Results) -> Iterator[_Row]:
    path, columns = results.table("efficiency"), [name for name in names("efficiency") if name not in _NAMES]
    for row in read_table("efficiency", path) if path.is_file() else []:
        if row["size"] != "full":
            continue
        numbers = {column: value for column in columns if (value := number(row[column])) is not None}
        lacking = [name for name in (*_NEEDED, *(_NEEDED_OVER if row["over"] else ())) if name not in numbers]
        if lacking:
            raise InputError(f"{path}: {row['design']} on {row['target']}: {lacking[0]} is empty; make the table again")
        yield _Row(row["dataset"], row["target"], row["design"], row["over"], numbers)


_LEAST_ROUNDS = 3  # fewer have no spread to be judged by
_OF_ANOTHER = ("batch_times", "batch_times_low", "batch_times_high", "training_times")


_TIMED = ("batch_s", "batch_low_s", "batch_high_s", "features_s", "step_s", "record_times")


def add_efficiency(
    facts: Facts, results: Results, folder: ConfigFolder | None = None, named: Iterable[str] = ()
) -> None:
    """The table of designs side by side, where the suite has one.

    Args:
        folder: where the targets and the published times are that other targets are projected by.
        named: the facts that are asked for; nothing is projected to a target that none of them names.
    """
    every = list(_rows(results))
    rows = [row for row in every if row.numbers["rounds"] >= _LEAST_ROUNDS]
    for row in every:
        for column, value in row.numbers.items():
            if column not in (*_TIMED, *PROJECTED[1:], *_OF_ANOTHER):
                facts.add(row.name("measured", column), value)
    for row in rows:
        for column in _TIMED:
            if column in row.numbers:
                facts.add(row.name("measured", column), row.numbers[column])
        facts.intervals[row.name("measured", "batch_s")] = row.ends("batch_s")
        for column in PROJECTED[1:]:
            if column in row.numbers:
                facts.add(row.name("projected", column), row.numbers[column], row.ends(column))
        if not row.over:
            continue
        over = f"{TIMES}.{row.over}"
        facts.add(row.name("measured", over), row.numbers["batch_times"], row.ends("batch_times", "batch_times{}"))
        if TRAINING_TIMES in row.numbers:
            name = row.name("projected", f"{TRAINING_TIMES}.{row.over}")
            facts.add(name, row.numbers[TRAINING_TIMES], row.ends(TRAINING_TIMES, "batch_times{}"))
    if not rows or folder is None:
        return
    timed = {row.target for row in rows}
    absent = [name for name in targets_named(named, folder.names("targets")) if name not in timed]
    if absent:
        _add_elsewhere(facts, results, rows, _Elsewhere(folder, [*absent, *sorted(timed)]), absent)


class _Elsewhere:
    """Targets that are not here, by the published step times of others."""

    def __init__(self, folder: ConfigFolder, targets: list[str]) -> None:
        known, self._timings = parse_published(published_texts(folder.path), folder.path)
        self._sheets, self.meant = sheets_of({name: folder.target(name) for name in targets}, known)

    @cached_property
    def _fitted(self) -> Projector:
        return Projector(self._timings, self._sheets)

    def ratio(self, source: str, target: str) -> Projection:
        """How many times as long a step takes."""
        return self._fitted.project(self.meant[source], self.meant[target])


def _add_elsewhere(facts: Facts, results: Results, rows: list[_Row], elsewhere: _Elsewhere, targets: list[str]) -> None:
    """What the same batches are projected to take on the targets that were not timed."""
    for target in targets:
        for row in rows:
            why = _not_projected(results, row, target, elsewhere)
            if why:
                facts.unprojected[target] = why
                continue
            told = elsewhere.ratio(row.target, target)
            note = f"{row.target}'s batches and published fp32 times, {LEVEL:.0%} interval"
            for column in PROJECTED:
                if column in row.numbers:
                    low, high = row.ends(column)
                    ends = low * told.low, high * told.high
                    facts.add(row.name("projected", column, target), row.numbers[column] * told.ratio, ends, note)


def _not_projected(results: Results, row: _Row, target: str, elsewhere: _Elsewhere) -> str:
    """Why a design's batches say nothing of a target; the published times are of GPUs, in fp32 without TF32."""
    if not {row.target, target} <= set(elsewhere.meant):
        return f"no published time connects {row.target} with {target}"
    design: dict[str, Any] = results.suite["designs"].get(row.design) or {}
    precision = (design.get("train") or {}).get("precision")
    if precision != "fp32":
        return f"published times are of fp32, and '{row.design}' was timed in {precision or 'an unknown precision'}"
    if results.suite["targets"][row.target]["tf32"]:
        return f"published times are of fp32 without TF32, which target '{row.target}' allows"
    return ""
