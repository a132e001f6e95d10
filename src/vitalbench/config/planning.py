"""A suite becomes a plan: what it names is resolved and held together, and each of its cells has a fate before anything runs."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from vitalbench.config.checks import (
    Sizes,
    check_budget,
    check_claims,
    check_pairs,
    check_prices,
    check_published,
    check_starts,
)
from vitalbench.config.dataset import Dataset, Source
from vitalbench.config.design import Design
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.knobs import Knobs
from vitalbench.config.plan import Cell, Plan, Planned
from vitalbench.config.schema import Suite
from vitalbench.config.sources import find_sources, no_records
from vitalbench.config.target import Target
from vitalbench.config.task_checks import check_asked, check_examined, check_subsets, check_training
from vitalbench.errors import ConfigError
from vitalbench.measure.device import device_here

RESERVED = {"data"}  # results/data holds what suites share


def before(cell: Cell, designs: dict[str, Design]) -> Cell | None:
    """The cell that a cell starts from, where its design names one: the same but for the design."""
    start = designs[cell.design].pretrained
    return replace(cell, design=start) if start else None


def _fate(cell: Cell, plan: Plan) -> Planned:
    first = before(cell, plan.designs)
    if first is not None and (fate := _fate(first, plan)).status:
        return replace(fate, cell=cell, reason=f"starts from {first.design}: {fate.reason}")
    source = plan.sources[cell.dataset]
    dataset, design, target = plan.datasets[cell.dataset], plan.designs[cell.design], plan.targets[cell.target]
    if design.recipe == "ideal-observer" and source not in ("generated", None):
        return Planned(cell, source, "not-allowed", "the ideal observer knows the parameters of generated records only")
    if source is None:
        return Planned(cell, source, "not-run", no_records(dataset, plan.knobs, plan.releases))
    if design.train is not None and design.train.precision == "fp16" and target.device == "cpu":
        return Planned(
            cell, source, "not-allowed", "fp16 needs a GPU, whose gradients are scaled; bf16 runs on a CPU too"
        )
    if design.recipe == "frozen-features" and design.computed.features and target.processes > 1:
        reason = (
            "features are kept by one process and the target declares several; `fast.features: false` shares the work"
        )
        return Planned(cell, source, "not-allowed", reason)
    if design.recipe == "contrastive" and target.processes > 1:
        reason = "a record is told apart from all others of its batch, and the target's processes would have a part of it each"
        return Planned(cell, source, "not-allowed", reason)
    if cell.target in plan.suite.projected or not _is_here(target, plan.knobs):
        return _projected(cell, source, plan)
    return Planned(cell, source)


def _is_here(target: Target, knobs: Knobs) -> bool:
    return knobs.scheduled or device_here(target.device) is not None


def _projected(cell: Cell, source: Source | None, plan: Plan) -> Planned:
    """What becomes of a cell whose target is not here: projected from the same design's cell on one that is, if it can be."""
    design, target = plan.designs[cell.design], plan.targets[cell.target]
    running = [
        name
        for name in plan.run_on
        if _is_here(plan.targets[name], plan.knobs) and not _fate(replace(cell, target=name), plan).status
    ]
    # A GPU before a CPU: from there an interval is narrower.
    running.sort(key=lambda name: plan.targets[name].device == "cpu")
    whys = {name: _not_projectable(design, plan.targets[name], of_source=True) for name in running}
    sources = tuple(name for name, why in whys.items() if not why)
    why = _not_projectable(design, target)
    if not why and not sources:
        why = next(iter(whys.values()), "no cell of it is measured here")
    if why:
        return Planned(cell, source, "not-run", f"target {cell.target} is not here, and it is not projected: {why}")
    return Planned(cell, source, "projected", f"target {cell.target} is not here: projected from {sources[0]}", sources)


def _not_projectable(design: Design, target: Target, of_source: bool = False) -> str:
    """Why a step of a design on a target is not one that times were published of; empty where it is."""
    if design.model is None or design.train is None:
        return "it has no step"
    frozen = [design.computed.precision] if design.recipe == "frozen-features" else []
    precision = {design.train.precision, *frozen}
    if precision != {"fp32"}:
        return f"its arithmetic is {' and '.join(sorted(precision))}, and steps are projected in fp32"
    if target.processes > 1 or target.strategy != "ddp" or target.offload:
        return (
            "one of the targets has several processes or shares a training out, and steps are projected for one device"
        )
    for switch in ("tf32", "compile"):
        if getattr(target, switch):
            return f"one of the targets has {switch}, which the published times are without"
    if not of_source and ("fp32" not in target.peak_tflops or target.bandwidth_gb_s is None):
        return "the target declares no peak_tflops.fp32 and bandwidth_gb_s"
    return ""


def _cells(suite: Suite, knobs: Knobs, designs: dict[str, Design], targets: list[str]) -> Iterator[Cell]:
    """Every cell; on a target that is only projected to, of the designs that are no control and have a step to project."""
    for grid in suite.grids:
        seeds = knobs.seeds or grid.seeds
        for dataset, task, name, target, fold in product(grid.datasets, grid.tasks, grid.designs, targets, grid.folds):
            if target in suite.projected and (designs[name].model is None or designs[name].role == "control"):
                continue
            for seed in seeds if designs[name].stochastic else seeds[:1]:
                yield Cell(dataset, task, name, target, seed, fold)


def _check_together(folder: ConfigFolder, suite: Suite, sizes: Sizes, datasets: dict[str, Dataset]) -> None:
    """Refuse a design that does not go with a data set it meets: within a grid, so that one suite may hold several modalities."""
    for grid in suite.grids:
        asked = dict.fromkeys(
            [*grid.designs, *(sizes[name][size].pretrained for name in grid.designs for size in sizes[name])]
        )
        check_pairs(
            folder, {name: sizes[name] for name in asked if name}, {name: datasets[name] for name in grid.datasets}
        )
    laid_out = next((grid for grid in suite.grids if set(grid.designs) & set(suite.efficiency)), suite.grids[0])
    first = laid_out.datasets[0]
    check_pairs(folder, {name: sizes[name] for name in suite.efficiency}, {first: datasets[first]})


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
    run_on = list(dict.fromkeys(knobs.targets or suite.targets))
    suite = suite.model_copy(
        update={"projected": [item for item in dict.fromkeys(suite.projected) if item not in run_on]}
    )
    target_names = [*run_on, *suite.projected]
    targets_asked = knobs.said_in("targets") if knobs.targets else f"{file}: targets"

    def named(kind: str) -> list[str]:
        return list(dict.fromkeys(item for grid in suite.grids for item in getattr(grid, kind)))

    datasets = {item: folder.dataset(item, f"{file}: datasets") for item in named("datasets")}
    tasks = {item: folder.task(item, f"{file}: tasks") for item in named("tasks")}
    sizes = {item: folder.design_sizes(item, f"{file}: designs") for item in named("designs")}
    sizes |= {item: folder.design_sizes(item, f"{file}: efficiency") for item in suite.efficiency if item not in sizes}
    sizes |= check_starts(folder, sizes)
    designs = {item: size[suite.size] for item, size in sizes.items()}
    targets = {item: folder.target(item, targets_asked) for item in run_on}
    targets |= {item: folder.target(item, f"{file}: projected") for item in suite.projected}
    check_examined(f"{file}: examine", suite, designs, tasks)
    check_published(folder)
    _check_together(folder, suite, sizes, datasets)
    check_prices(folder, knobs, targets)
    check_budget(folder, knobs, {item: targets[item] for item in run_on})
    check_claims(folder)
    found = find_sources(datasets, suite, knobs)
    sources = {item: source for item, (source, _) in found.items()}
    check_subsets(datasets, sources, f"{file}: datasets")
    asked_of = [(dataset, task) for grid in suite.grids for dataset in grid.datasets for task in grid.tasks]
    check_asked(f"{file}: datasets", tasks, datasets, folder.path / "tasks", asked_of)
    check_training(f"{file}: tasks", tasks, datasets, sources, asked_of)
    for task_name, fold in ((task, fold) for grid in suite.grids for task in grid.tasks for fold in grid.folds):
        rounds = tasks[task_name].split.rounds
        if fold >= rounds:
            raise ConfigError(f"{file}: fold {fold}: task '{task_name}' has folds 0 to {rounds - 1}")
    plan = Plan(
        name=name,
        suite=suite,
        knobs=knobs,
        datasets=datasets,
        tasks=tasks,
        designs=designs,
        targets=targets,
        sources=sources,
        roots={item: root for item, (_, root) in found.items() if root},
        releases={
            part: folder.dataset(part, f"{folder.path / 'datasets' / item}.yaml: made_of")
            for item, dataset in datasets.items()
            for part in dataset.made_of
        },
    )
    for item in datasets:
        listed = plan.fitted_on(item) if plan.sources[item] else None
        if listed and not listed.is_file():
            raise ConfigError(f"{folder.path / 'datasets' / item}.yaml: fitted_on: {listed}: no such file")
    cells = list(_cells(suite, knobs, designs, target_names))
    starts = dict.fromkeys(first for cell in cells if (first := before(cell, designs)))
    cells = [first for first in starts if first not in cells] + cells
    if knobs.seeds:  # one list in the place of several: grids that differed in seeds alone may now meet
        cells = list(dict.fromkeys(cells))
    if len(set(cells)) < len(cells):
        twice = next(cell for cell in cells if cells.count(cell) > 1)
        raise ConfigError(f"{file}: grids: the cell {twice.path} is asked for twice")
    plan.cells.extend(_fate(cell, plan) for cell in cells)
    return plan
