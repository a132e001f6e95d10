"""What a design loses on another source than it was trained on, as rows of external.csv and of the page."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.cell_result import CellResult
from vitalbench.config.schema import MACRO
from vitalbench.evaluate.bootstrap import interval
from vitalbench.evaluate.run import Key, read_replicates
from vitalbench.results import Results
from vitalbench.tables import number, read_table

Row = dict[str, Any]
_THIN = "too few patients of one kind in one of the sources"
_FEW = f"no interval: {_THIN}"


class _Scores:
    """One metric of one design's runs, by source and class."""

    def __init__(self, runs: list[CellResult], grouping: str, metric: str) -> None:
        self._kept: list[dict[Key, NDArray[np.float32]]] = [read_replicates(run.folder) for run in runs]
        self._grouping, self._metric = grouping, metric
        self._values: dict[tuple[str, str], list[float]] = {}
        self.patients: dict[str, int] = {}
        for run in runs:
            for row in run.read("metrics.json")["rows"]:
                kind, _, source = row["subgroup"].partition("=")
                if (row["split"], kind, row["metric"]) != ("test", grouping, metric):
                    continue
                self.patients[source] = max(self.patients.get(source, 0), row["n_patients"])
                if row["value"] is not None and row["label"] != MACRO:
                    self._values.setdefault((source, row["label"]), []).append(row["value"])
        self._runs = len(runs)

    def common(self, sources: tuple[str, str], classes: list[str]) -> list[str]:
        """The classes that every run has a value of in both sources."""
        return [name for name in classes if all(len(self._values.get((s, name), ())) == self._runs for s in sources)]

    def mean(self, source: str, classes: list[str]) -> float:
        """Over classes and runs."""
        return float(np.mean([np.mean(self._values[source, name]) for name in classes]))

    def replicates(self, source: str, classes: list[str]) -> NDArray[np.float64] | None:
        """The same in every resample of the source's patients; None where a class has none."""
        keys = [("test", f"{self._grouping}={source}", self._metric, name) for name in classes]
        if not all(key in one for one in self._kept for key in keys):
            return None
        mean: NDArray[np.float64] = np.mean(
            [[one[key] for key in keys] for one in self._kept], axis=(0, 1), dtype=float
        )
        return mean


def external_rows(results: Results) -> Iterator[Row]:
    """A row a design, other source and class, of tasks with an external split; macro first, over the classes that bear an interval.

    The two sources share no patient, so their resamples are drawn apart and the replicates of the drop are differences of theirs.
    """
    for (dataset, task, design, target), runs in results.scored_groups.items():
        asked = results.task(task)
        if asked.split.method != "external":
            continue
        grouping, own = str(asked.split.column).removeprefix("group:"), str(asked.split.train_on)
        scores = _Scores(runs, grouping, asked.primary)
        place = {"dataset": dataset, "task": task, "design": design, "target": target, "metric": asked.primary}
        for other in asked.split.test_on:
            both = own, other
            common = scores.common(both, asked.classes)
            told = place | {"trained_on": own, "tested_on": other, "n_seeds": len({run.cell.seed for run in runs})}
            told |= {"n_internal": scores.patients.get(own), "n_external": scores.patients.get(other)}
            if not common:
                yield told | {"label": MACRO, "n_labels": 0, "reason": "no class has a value in both sources"}
                continue
            supported = [name for name in common if all(scores.replicates(s, [name]) is not None for s in both)]
            thin = [name for name in common if name not in supported] if supported else []
            row = told | _drop(scores, both, MACRO, supported or common, supported)
            yield row | ({"reason": f"without {', '.join(thin)}: {_THIN}"} if thin else {})
            for name in common:
                yield told | _drop(scores, both, name, [name], supported)


def _drop(scores: _Scores, both: tuple[str, str], label: str, classes: list[str], supported: list[str]) -> Row:
    internal, external = (scores.mean(source, classes) for source in both)
    row: Row = {"label": label, "internal": internal, "external": external, "drop": internal - external}
    row |= {"n_labels": len(classes)}
    if any(name not in supported for name in classes):
        return row | {"reason": _FEW}
    drawn = [scores.replicates(source, classes) for source in both]
    if drawn[0] is None or drawn[1] is None:
        return row | {"reason": _FEW}
    row["ci_low"], row["ci_high"] = interval(drawn[0] - drawn[1])
    return row


def shown_rows(results: Results) -> list[list[str]]:
    """The macro rows for the page."""
    rows = []
    for row in read_table("external", results.table("external")):
        if row["label"] != MACRO:
            continue
        values = [number(row[name]) for name in ("internal", "external", "drop", "ci_low", "ci_high")]
        numbers = ["" if value is None else f"{value:.3f}" for value in values]
        span = f"{numbers[3]} to {numbers[4]}" if numbers[3] else row["reason"]
        named = [row["dataset"], row["task"], row["design"], row["trained_on"], row["tested_on"]]
        rows.append([*named, *numbers[:3], span, row["n_internal"], row["n_external"], row["n_labels"]])
    return rows
