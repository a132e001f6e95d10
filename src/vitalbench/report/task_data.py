"""What the tables say of one task on one data set and target."""

from functools import cached_property

import numpy as np
import pandas as pd

from vitalbench import layout
from vitalbench.cell_result import CellResult
from vitalbench.config.plan import SearchPlace
from vitalbench.config.schema import MACRO
from vitalbench.evaluate.score import ALL
from vitalbench.results import Results
from vitalbench.split.assign import SPLITS
from vitalbench.tables import number, read_table

Row = dict[str, str]


def mean_of(rows: list[Row], column: str) -> float | None:
    """The mean of a column over rows, empty cells left out; None where nothing is left."""
    values = [value for value in (number(row[column]) for row in rows) if value is not None]
    return float(np.mean(values)) if values else None


class TaskData:
    """The rows of one (data set, task, target), and the questions the page asks of them."""

    def __init__(self, results: Results, dataset: str, task: str, target: str) -> None:
        self.results, self.dataset, self.name, self.target = results, dataset, task, target
        self.task = results.task(task)
        self.runs: list[CellResult] = [
            run
            for run in results.scored
            if (run.cell.dataset, run.cell.task, run.cell.target) == (dataset, task, target)
        ]
        self.designs = list(dict.fromkeys(run.cell.design for run in self.runs))
        self.slug = f"{dataset}-{task}-{target}"
        self.summary = self._rows("summary")
        self.comparison = self._rows("comparison")
        self.timing = [row for row in self._rows("timing") if row["exclusive"] == "true"]
        self.cost = [row for row in self._rows("cost") if row["basis"] == "measured"]
        self.matrix = self._rows("matrix")

    def _rows(self, table: str) -> list[Row]:
        place = {"dataset": self.dataset, "task": self.name, "target": self.target}
        rows = read_table(table, self.results.table(table))
        return [row for row in rows if all(row[key] == value for key, value in place.items())]

    @property
    def examined(self) -> list[SearchPlace]:
        """What the suite examines of it."""
        here = (self.dataset, self.name, self.target)
        return [place for place in self.results.examined if (place.dataset, place.task, place.target) == here]

    def described(self, design: str) -> dict[str, str]:
        """A design's configuration."""
        found: dict[str, str] = self.results.suite["designs"][design]
        return found

    def is_control(self, design: str) -> bool:
        """Whether a design is there to be beaten, or never to be."""
        return self.described(design)["role"] == "control"

    @property
    def lower_controls(self) -> list[str]:
        """The controls a design has to beat."""
        return [
            name
            for name in self.designs
            if self.is_control(name) and self.described(name)["recipe"] != "ideal-observer"
        ]

    @property
    def folds(self) -> list[int]:
        """The folds with a run."""
        return sorted({run.cell.fold for run in self.runs})

    @cached_property
    def rows_by_fold(self) -> list[list[dict[str, object]]]:
        """The metrics of the first run of each fold: sizes and class counts, which all its designs and seeds share."""
        first = {run.cell.fold: run for run in reversed(self.runs)}
        return [first[fold].read("metrics.json")["rows"] for fold in self.folds]

    @cached_property
    def positives(self) -> dict[str, int]:
        """Test records of each class, added over folds."""
        found: dict[str, int] = {}
        for row in (row for rows in self.rows_by_fold for row in rows):
            place = (row["split"], row["subgroup"], row["metric"])
            if place == ("test", ALL, self.task.primary) and row["label"] != MACRO:
                found[str(row["label"])] = found.get(str(row["label"]), 0) + int(str(row.get("n_positive") or 0))
        return found

    @cached_property
    def split_sizes(self) -> dict[str, tuple[int, int]]:
        """Records and patients of each split of the first run, in the order they are used."""
        place = {"dataset": self.dataset, "task": self.name, "fold": self.runs[0].cell.fold}
        split = pd.read_csv(self.results.folder / layout.SPLIT.format(**place), dtype=str)
        groups = split.groupby("split")["patient_id"]
        sizes = zip(groups.size().items(), groups.nunique(), strict=True)
        found = {str(name): (int(records), int(patients)) for (name, records), patients in sizes}
        return {name: found[name] for name in SPLITS if name in found and name != "unused"}

    @cached_property
    def sizes(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Records and patients by split and subgroup, added over folds.

        Of each fold, those of the row that has the most, for a class may leave some unlabelled.
        """
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for rows in self.rows_by_fold:
            of_fold: dict[tuple[str, str], tuple[int, int]] = {}
            for row in rows:
                place = str(row["split"]), str(row["subgroup"])
                size = int(str(row["n_records"])), int(str(row["n_patients"]))
                of_fold[place] = max(of_fold.get(place, size), size)
            for place, (records, patients) in of_fold.items():
                before = found.get(place, (0, 0))
                found[place] = before[0] + records, before[1] + patients
        return found

    @property
    def patients(self) -> int:
        """Patients in the test split, added over folds."""
        return self.sizes["test", ALL][1]

    def score(self, design: str, metric: str, label: str = MACRO, subgroup: str = ALL) -> Row | None:
        """A row of summary.csv on the test split."""
        wanted = {"design": design, "metric": metric, "label": label, "subgroup": subgroup, "split": "test"}
        return next((row for row in self.summary if all(row[key] == value for key, value in wanted.items())), None)

    def primary(self, design: str) -> float | None:
        """A design's primary metric, macro, all test patients."""
        row = self.score(design, self.task.primary)
        return float(row["mean"]) if row else None

    @property
    def primary_pairs(self) -> list[Row]:
        """The comparisons of the primary metric, macro, all test patients."""
        key = (self.task.primary, MACRO, ALL)
        return [row for row in self.comparison if (row["metric"], row["label"], row["subgroup"]) == key]

    @cached_property
    def hours(self) -> dict[str, float]:
        """Training hours by design, measured step x steps, the mean over runs."""
        found = {}
        for design in self.designs:
            mean = mean_of([r for r in self.cost if r["design"] == design and r["phase"] == "train"], "hours")
            if mean is not None:
                found[design] = mean
        return found

    @property
    def first_sku(self) -> str:
        """The machine the page prices training on: the target's first price."""
        return next((row["sku"] for row in self.cost), "")

    def usd(self, design: str) -> float | None:
        """What training cost on that machine."""
        first = {name: self.cost[0][name] for name in ("provider", "sku", "purchase")} if self.cost else {}
        wanted = first | {"design": design, "phase": "train"}
        return mean_of([row for row in self.cost if all(row[k] == v for k, v in wanted.items())], "usd")

    def disturbed(self, design: str) -> bool:
        """Whether foreign work ran beside the measurement of its training step."""
        return any(
            row["disturbed"] == "true" for row in self.timing if (row["design"], row["phase"]) == (design, "train_step")
        )

    def latency(self, design: str) -> float | None:
        """Seconds for one record in a batch of one."""
        wanted = {"design": design, "phase": "inference", "batch_size": "1"}
        return mean_of([row for row in self.timing if all(row[k] == v for k, v in wanted.items())], "median_s")

    def parameters(self, design: str) -> int | None:
        """Trainable parameters."""
        return next(
            (int(row["parameters"]) for row in self.matrix if row["design"] == design and row["parameters"]), None
        )

    @property
    def ceiling(self) -> dict[str, float]:
        """The AUROC the generator's parameters allow, by class; empty for real records."""
        for run in self.runs:
            facts = run.read("provenance.json")["facts"]
            if "attainable_auroc" in facts:
                return {name: value for name, value in facts["attainable_auroc"].items() if value is not None}
        return {}
