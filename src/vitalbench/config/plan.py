"""A plan: a suite, everything it names, and its cells, each with what will happen to it (planning.py makes it)."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vitalbench.config.dataset import Dataset, Source
from vitalbench.config.design import Design
from vitalbench.config.knobs import Knobs
from vitalbench.config.schema import Size, Suite, Task
from vitalbench.config.sources import no_records
from vitalbench.config.target import Needs, Target


@dataclass(frozen=True, order=True)
class Cell:
    """One point of a suite: data set x task x design x target x seed x fold."""

    dataset: str
    task: str
    design: str
    target: str
    seed: int
    fold: int

    @property
    def path(self) -> str:
        """Its folder below results/<suite>/runs."""
        return f"{self.dataset}/{self.task}/{self.design}/{self.target}/seed{self.seed}-fold{self.fold}"

    @property
    def keys(self) -> dict[str, str | int]:
        """Its columns in the tables."""
        return dict(self.__dict__)

    @property
    def search(self) -> "SearchPlace":
        """Where its design is searched, if it is: all seeds train with what one search chose."""
        return SearchPlace(self.dataset, self.task, self.design, self.target, self.fold)


@dataclass(frozen=True, order=True)
class SearchPlace:
    """What the seeds of a cell share, which are searched for, or examined, once: data set x task x design x target x fold."""

    dataset: str
    task: str
    design: str
    target: str
    fold: int

    @property
    def path(self) -> str:
        """Its folder below results/<suite>/search."""
        return f"{self.dataset}/{self.task}/{self.design}/{self.target}/fold{self.fold}"

    @property
    def keys(self) -> dict[str, str | int]:
        """Its columns in the tables."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Planned:
    """A cell and its fate as far as it is known: `status` is empty for one that will run."""

    cell: Cell
    source: Source | None
    status: str = ""
    reason: str = ""
    # The targets whose cell may stand in its place; the first that is measured does.
    projected_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A suite, everything it names, and its cells."""

    name: str
    suite: Suite
    knobs: Knobs
    datasets: dict[str, Dataset]
    tasks: dict[str, Task]
    designs: dict[str, Design]
    targets: dict[str, Target]
    sources: dict[str, Source | None]
    roots: dict[str, Path]
    releases: dict[str, Dataset] = field(default_factory=dict)  # that data sets of the suite are made of
    cells: list[Planned] = field(default_factory=list)

    @property
    def size(self) -> Size:
        """The size the suite runs its designs at."""
        return self.suite.size

    @cached_property
    def running(self) -> list[Cell]:
        """The cells that will be started."""
        return [planned.cell for planned in self.cells if not planned.status]

    @property
    def run_on(self) -> list[str]:
        """The targets that cells are run on, where they are here."""
        return [name for name in self.targets if name not in self.suite.projected]

    def needs(self, design: str, target: str, attempt: int = 1) -> dict[str, int | str]:
        """What a job of a design on a target asks of a scheduler; a job that ran into its time limit asks for more time.

        GPUs are left out where none is asked for: a scheduler reads a GPU's name alone as a wish for one.
        """
        own, asked = self.targets[target].scheduler, self.designs[design].scheduler or Needs()
        found: dict[str, int | str] = {
            "mem_mb": max(own.mem_mb, asked.mem_mb or 0),
            "runtime": max(own.runtime_min, asked.runtime_min or 0) * attempt,
        }
        if own.gpus:
            found["gpu"] = own.gpus
            found |= {"gpu_model": own.gpu_model} if own.gpu_model else {}
        return found

    @property
    def timed_on(self) -> list[str]:
        """The targets of the cells that will be started: where a job that measures all designs side by side is at home."""
        return list(dict.fromkeys(cell.target for cell in self.running))

    def needs_of_all(self, attempt: int = 1) -> dict[str, int | str]:
        """What one job that measures on all these targets asks of a scheduler: of each the most, and the GPUs of one target.

        Where several targets have GPUs, those of the one with most: a job has one kind, and measures on the targets it finds.
        """
        asked = [
            self.needs(*pair, attempt) for pair in dict.fromkeys((cell.design, cell.target) for cell in self.running)
        ]
        found: dict[str, int | str] = {}
        for needs in asked:
            found |= {key: max(int(found.get(key, 0)), int(needs[key])) for key in ("mem_mb", "runtime")}
        with_gpus = max(asked, key=lambda needs: int(needs.get("gpu", 0)), default={})
        return found | {key: with_gpus[key] for key in ("gpu", "gpu_model") if key in with_gpus}

    @cached_property
    def searches(self) -> list[SearchPlace]:
        """The searches that cells which will be started wait for."""
        return list(dict.fromkeys(cell.search for cell in self.running if self.designs[cell.design].search))

    @cached_property
    def examined(self) -> dict[SearchPlace, list[Cell]]:
        """The cells that are examined, all seeds of a place together."""
        found: dict[SearchPlace, list[Cell]] = {}
        for cell in self.running:
            if cell.design in self.suite.examine:
                found.setdefault(cell.search, []).append(cell)
        return found

    def absent(self) -> list[str]:
        """A line for each data set without records here, with what to do about it."""
        return [
            f"{name}: {no_records(self.datasets[name], self.knobs, self.releases)}"
            for name, source in self.sources.items()
            if not source
        ]

    def drawn_instead(self) -> list[str]:
        """A line for each data set that is split otherwise than by the official folds or splits that it has."""
        found = []
        for item, name in dict.fromkeys((planned.cell.dataset, planned.cell.task) for planned in self.cells):
            dataset, split = self.datasets[item], self.tasks[name].split
            columns = dataset.gives.official_columns if dataset.gives else []
            if columns and split.method.startswith("patient-") and split.official_in(columns) is None:
                has = " and ".join(map(repr, columns))
                found.append(
                    f"{item}: has official folds in {has}; task '{name}' draws patients (split.method {split.method})"
                )
        return found

    def fitted_on(self, dataset: str) -> Path | None:
        """The list of the records that statistics which came with a data set were fitted on; in its release, if it is local."""
        named = self.datasets[dataset].fitted_on
        if named is None:
            return None
        return self.roots[dataset] / named if dataset in self.roots else Path(named)
