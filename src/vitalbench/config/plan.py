"""A suite becomes a list of cells, each with what will happen to it, before anything runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path

from vitalbench.config.checks import check_claims, check_prices, check_windows
from vitalbench.config.dataset import Dataset, Source
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.knobs import Knobs
from vitalbench.config.schema import Design, Size, Suite, Target, Task
from vitalbench.config.sources import find_sources, no_records
from vitalbench.errors import ConfigError
from vitalbench.measure.device import device_here

RESERVED = {"data"}  # results/data holds what suites share


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


@dataclass(frozen=True)
class Planned:
    """A cell and its fate as far as it is known: `status` is empty for one that will run."""

    cell: Cell
    source: Source | None
    status: str = ""
    reason: str = ""


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
    cells: list[Planned] = field(default_factory=list)

    @property
    def size(self) -> Size:
        """The size the suite runs its designs at."""
        return self.suite.size

    @cached_property
    def running(self) -> list[Cell]:
        """The cells that will be started."""
        return [planned.cell for planned in self.cells if not planned.status]

    def fitted_on(self, dataset: str) -> Path | None:
        """The list of the records that statistics which came with a data set were fitted on; in its release, if it is local."""
        named = self.datasets[dataset].fitted_on
        if named is None:
            return None
        return self.roots[dataset] / named if dataset in self.roots else Path(named)


def _fate(cell: Cell, plan: Plan) -> Planned:
    source = plan.sources[cell.dataset]
    dataset, design, target = plan.datasets[cell.dataset], plan.designs[cell.design], plan.targets[cell.target]
    if design.recipe == "ideal-observer" and source not in ("generated", None):
        return Planned(cell, source, "not-allowed", "the ideal observer knows the parameters of generated records only")
    if source is None:
        return Planned(cell, source, "not-run", no_records(dataset, plan.knobs))
    here = device_here(target.device)
    if here is None:
        return Planned(
            cell, source, "not-run", f"target {cell.target} is not here, and nothing is calibrated to project it"
        )
    return Planned(cell, source)


def _cells(suite: Suite, knobs: Knobs, designs: dict[str, Design], targets: list[str]) -> Iterator[Cell]:
    for grid in suite.grids:
        seeds = knobs.seeds or grid.seeds
        for dataset, task, name, target, fold in product(grid.datasets, grid.tasks, grid.designs, targets, grid.folds):
            for seed in seeds if designs[name].stochastic else seeds[:1]:
                yield Cell(dataset, task, name, target, seed, fold)


def make_plan(folder: ConfigFolder, knobs: Knobs) -> Plan:
    """Resolve and validate everything a suite names, and list its cells in a fixed order.

    Raises ConfigError, in one line, for anything misspelt or inconsistent.
    """
    name = knobs.suite
    asked = knobs.said_in("suite")
    if name in RESERVED:
        raise ConfigError(f"{asked}: {name!r} is reserved for what suites share")
    suite = folder.suite(name, asked)
    file = folder.path / "suites" / f"{name}.yaml"
    target_names = list(dict.fromkeys(knobs.targets or suite.targets))
    targets_asked = knobs.said_in("targets") if knobs.targets else f"{file}: targets"

    def named(kind: str) -> list[str]:
        return list(dict.fromkeys(item for grid in suite.grids for item in getattr(grid, kind)))

    datasets = {item: folder.dataset(item, f"{file}: datasets") for item in named("datasets")}
    tasks = {item: folder.task(item, f"{file}: tasks") for item in named("tasks")}
    sizes = {item: folder.design_sizes(item, f"{file}: designs") for item in named("designs")}
    designs = {item: size[suite.size] for item, size in sizes.items()}
    targets = {item: folder.target(item, targets_asked) for item in target_names}
    check_windows(folder, sizes, datasets)
    check_prices(folder, knobs, targets)
    check_claims(folder)
    found = find_sources(datasets, suite, knobs)
    for task_name, fold in ((task, fold) for grid in suite.grids for task in grid.tasks for fold in grid.folds):
        if fold >= tasks[task_name].split.folds:
            raise ConfigError(
                f"{file}: fold {fold}: task '{task_name}' has folds 0 to {tasks[task_name].split.folds - 1}"
            )
    plan = Plan(
        name=name,
        suite=suite,
        knobs=knobs,
        datasets=datasets,
        tasks=tasks,
        designs=designs,
        targets=targets,
        sources={item: source for item, (source, _) in found.items()},
        roots={item: root for item, (_, root) in found.items() if root},
    )
    for item in datasets:
        listed = plan.fitted_on(item) if plan.sources[item] else None
        if listed and not listed.is_file():
            raise ConfigError(f"{folder.path / 'datasets' / item}.yaml: fitted_on: {listed}: no such file")
    cells = list(_cells(suite, knobs, designs, target_names))
    if knobs.seeds:  # one list in the place of several: grids that differed in seeds alone may now meet
        cells = list(dict.fromkeys(cells))
    if len(set(cells)) < len(cells):
        twice = next(cell for cell in cells if cells.count(cell) > 1)
        raise ConfigError(f"{file}: grids: the cell {twice.path} is asked for twice")
    plan.cells.extend(_fate(cell, plan) for cell in cells)
    return plan
