"""Resolved slices of a plan, a file each: what the jobs read instead of configs/.

A slice holds only what its jobs depend on and is written only when that changes, so its time stamp is the reason to run again: a
bare `touch` of a configuration file runs nothing, a changed value runs what depends on it.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vitalbench import layout
from vitalbench.config.checkpointing import Checkpointing
from vitalbench.config.claim_facts import target_facts, targets_named
from vitalbench.config.claims_file import facts_of
from vitalbench.config.code import code_digest
from vitalbench.config.dataset import Dataset, DatasetBuild
from vitalbench.config.design import PRETEXTS, Design
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import Plan
from vitalbench.config.prices import latest_prices, parse_prices, price_file, price_text
from vitalbench.config.published import published_texts
from vitalbench.config.schema import TaskData
from vitalbench.config.storage_prices import read_storage_prices, storage_file
from vitalbench.config.target import EXECUTION, NUMERICS
from vitalbench.config.watching import Watching
from vitalbench.errors import ConfigError
from vitalbench.files import to_json, write_if_changed

# Of a design, what no result depends on: what is only told, and what its jobs ask of a scheduler.
TOLD_ONLY = ("description", "role", "published", "scheduler")
_ENTRY = {
    "split": (
        "vitalbench.data.origins",
        "vitalbench.split.asked",
        "vitalbench.split.assign",
        "vitalbench.split.audit",
        "vitalbench.split.fitted",
        "vitalbench.split.near_copies",
    ),
    "evaluate": ("vitalbench.evaluate.run",),
    "examine": ("vitalbench.report.examination",),
    "explain": ("vitalbench.train.explained", "vitalbench.report.gallery"),
    "tables": ("vitalbench.report.tables",),
    "compare": ("vitalbench.evaluate.compare",),
    "cost": ("vitalbench.cost.table", "vitalbench.cost.reached", "vitalbench.cost.sessions"),
    "projection": ("vitalbench.cost.held_out",),
    "storage": ("vitalbench.cost.storage",),
    "claims": ("vitalbench.claims.ledger",),
    "report": ("vitalbench.report.page",),
    "search": ("vitalbench.search.choice",),
    "memory": ("vitalbench.train.memory_table",),
    "efficiency": ("vitalbench.measure.efficiency", "vitalbench.measure.side_by_side"),
}


def design_code(design: Design) -> str:
    """The code behind a design's runs: the engine, its recipe, its model."""
    recipe = f"vitalbench.train.recipes.{design.recipe.replace('-', '_')}"
    return code_digest("vitalbench.train.cell", recipe, *model_code(design))


def model_code(design: Design) -> list[str]:
    """The modules of a design's model, that of its frozen form among them; a name that has none stands for nothing."""
    if design.model is None:
        return []
    frozen = [f"vitalbench.models.frozen.{design.model.name}"] if design.recipe == "frozen-features" else []
    return [f"vitalbench.models.{design.model.name}", *frozen]


def trial_code(design: Design) -> str:
    """The code behind the trials of a design's search: training, its recipe, its model, scoring, and how values are drawn."""
    recipe = f"vitalbench.train.recipes.{design.recipe.replace('-', '_')}"
    return code_digest("vitalbench.search.trial", recipe, *model_code(design))


def data_code(module: str) -> str:
    """The code behind a store: acquiring, standardising, joining, and the data set's own module."""
    stages = ("vitalbench.data.release", "vitalbench.data.standardise", "vitalbench.data.join")
    return code_digest(*stages, f"vitalbench.data.datasets.{module}")


def _data_slice(plan: Plan, name: str) -> dict[str, Any]:
    dataset, source = plan.datasets[name], plan.sources[name]
    unused = {"generated": {"expected", "download"}, "local": {"standin", "download"}, "download": {"standin"}}
    return {
        "dataset": name,
        "source": source,
        "root": str(plan.roots[name]) if name in plan.roots else None,
        "config": dataset.model_dump(include=set(DatasetBuild.model_fields) - unused[str(source)]),
        "code": data_code(dataset.module),
    }


def _download_slice(plan: Plan, dataset: Dataset) -> dict[str, Any]:
    """From where and in how many streams: what is downloaded does not depend on it, so no job does."""
    if dataset.download is None:
        raise ConfigError(f"data set '{dataset.title}' defines no 'download'")
    url = dataset.download.url
    if plan.knobs.mirror:
        url = plan.knobs.mirror.rstrip("/") + urlsplit(url).path
    return {"url": url, "streams": plan.knobs.streams}


def _describe_slice(plan: Plan, name: str) -> dict[str, Any]:
    """What a store is described by, beside itself: a changed citation builds nothing."""
    told = set(Dataset.model_fields) - set(DatasetBuild.model_fields) | {"version"}
    return {
        "dataset": name,
        "source": plan.sources[name],
        "about": plan.datasets[name].model_dump(include=told),
        "code": code_digest("vitalbench.data.croissant"),
    }


def _trial_slice(name: str, design: Design) -> dict[str, Any]:
    """What a trial depends on. How many there are is no part of it, so that a search with more goes on with those it has."""
    left_out: dict[str, Any] = {**dict.fromkeys(TOLD_ONLY, True), "search": {"trials"}}
    return {"name": name, "config": design.model_dump(exclude=left_out), "code": trial_code(design)}


def _suite_slice(plan: Plan) -> dict[str, Any]:
    return {
        "format": layout.SUITE_FORMAT,
        "suite": plan.name,
        "description": plan.suite.description,
        "size": plan.size,
        "bootstrap": plan.suite.bootstrap,
        "bootstrap_seed": plan.suite.bootstrap_seed,
        "gate": plan.suite.gate.model_dump(),
        "efficiency": plan.suite.efficiency,
        "examine": plan.suite.examine,
        "sources": plan.sources,
        "datasets": {name: dataset.model_dump() for name, dataset in plan.datasets.items()},
        "tasks": {name: task.model_dump() for name, task in plan.tasks.items()},
        "designs": {name: design.model_dump() for name, design in plan.designs.items()},
        "targets": {name: target.model_dump() for name, target in plan.targets.items()},
        "cells": [
            {
                "cell": planned.cell.keys,
                "source": planned.source,
                "status": planned.status,
                "reason": planned.reason,
                **({"projected_from": planned.projected_from} if planned.projected_from else {}),
            }
            for planned in plan.cells
        ],
    }


def _watch_slice(plan: Plan, prices: Path) -> dict[str, Any]:
    """How runs are watched, and what an hour of each target costs."""
    known = parse_prices(price_text(prices), prices)
    first = {name: known[target.prices[0]] for name, target in plan.targets.items() if target.prices}
    told = ("key", "usd_per_hour", "price_date")
    return plan.knobs.model_dump(include=set(Watching.model_fields)) | {
        "prices": {name: {field: getattr(price, field) for field in told} for name, price in first.items()}
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable: {error}") from None


def _claims_slice(folder: ConfigFolder) -> dict[str, Any]:
    """The claims files, and of prices, targets and published times what their claims name."""
    facts = list(facts_of(folder.documents))
    keys = [fact.removeprefix("price.") for fact in facts if fact.startswith("price.")]
    prices = latest_prices(folder.path) if keys else {}
    told: dict[str, Any] = {
        "files": {path.name: _text(path) for path in sorted((folder.path / "claims").glob("*.yaml"))},
        "prices": {key: asdict(prices[key]) for key in keys},
        "targets": {
            name: target_facts(name, folder.target(name).model_dump())
            for name in targets_named(facts, folder.names("targets"))
        },
    }
    if any(fact.startswith("projected.") for fact in facts):
        told["times"] = {path.name: _text(path) for path in sorted((folder.path / "projection").glob("*.csv"))}
    return told


def within(path: Path, project: Path) -> str:
    """A path as it is told: from the project's root where it lies below, so that a project can be moved."""
    whole, root = path.resolve(), project.resolve()
    return str(whole.relative_to(root) if whole.is_relative_to(root) else whole)


def slices(plan: Plan, folder: ConfigFolder, results: Path) -> dict[Path, dict[str, Any]]:
    """Every slice of a plan, by the path it is written to.

    Args:
        results: the folder of all suites' results.
    """
    suite = results / plan.name
    found: dict[Path, dict[str, Any]] = {suite / layout.SUITE_SLICE: _suite_slice(plan)}
    for name, source in plan.sources.items():
        if source:
            data = results / layout.DATA.format(dataset=name, source=source)
            found[data / "config.json"] = _data_slice(plan, name)
            if source == "download":
                found[data / layout.DOWNLOAD_SLICE] = _download_slice(plan, plan.datasets[name])
            found[data / layout.DESCRIBE_SLICE] = _describe_slice(plan, name)
            found[data / layout.NEIGHBOURS_SLICE] = {"code": code_digest("vitalbench.split.neighbours")}
    for name, dataset in plan.datasets.items():
        found[suite / layout.PICTURES_SLICE.format(dataset=name)] = {
            "dataset": name,
            "source": plan.sources[name],
            **dataset.model_dump(include={"access", "encrypt"}),
            "code": code_digest("vitalbench.privacy.pictures"),
        }
    for name, task in plan.tasks.items():
        found[suite / layout.TASK_SLICE.format(task=name)] = {
            "name": name,
            "config": task.model_dump(include=set(TaskData.model_fields)),
        }
    for name, design in plan.designs.items():
        found[suite / layout.DESIGN_SLICE.format(design=name)] = {
            "name": name,
            "config": design.model_dump(exclude=set(TOLD_ONLY)),
            "code": design_code(design),
        }
        found[suite / layout.MEASURE_SLICE.format(design=name)] = {
            "name": name,
            "config": design.model_dump(include={"model", "window", "train", "recipe", "leads", "fast", *PRETEXTS}),
            "protocol": plan.suite.protocol.model_dump(),
            "code": code_digest("vitalbench.measure.steps", *model_code(design)),
        }
        if design.search is not None:
            found[suite / layout.TRIAL_SLICE.format(design=name)] = _trial_slice(name, design)
    if any(design.search for design in plan.designs.values()):
        for name, task in plan.tasks.items():
            asked = {"metric": task.primary, "direction": task.direction}
            found[suite / layout.OBJECTIVE_SLICE.format(task=name)] = asked
    for name, target in plan.targets.items():
        used = target.model_dump(include={*NUMERICS, *EXECUTION})
        found[suite / layout.TARGET_SLICE.format(target=name)] = {"name": name, "config": used}

    found[suite / layout.CHECKPOINT_SLICE] = plan.knobs.model_dump(include=set(Checkpointing.model_fields))

    def stage(name: str) -> Path:
        return suite / layout.STAGE_SLICE.format(stage=name)

    for name, entry in _ENTRY.items():
        found[stage(name)] = {"stage": name, "code": code_digest(*entry)}
    found[stage("evaluate")] |= {"bootstrap": plan.suite.bootstrap, "seed": plan.suite.bootstrap_seed}
    found[stage("examine")] |= {"bootstrap": plan.suite.bootstrap, "seed": plan.suite.bootstrap_seed}
    found[stage("explain")] |= {"bootstrap": plan.suite.bootstrap, "seed": plan.suite.bootstrap_seed}
    prices = price_file(plan.knobs, folder.path)
    found[stage("cost")] |= {"prices": price_text(prices)}
    storage = storage_file(folder.path)
    read_storage_prices(storage)  # what is wrong with it is told before any job starts
    found[stage("storage")] |= {"prices": price_text(storage), "file": within(storage, folder.path.parent)}
    found[stage("projection")] |= {"published": published_texts(folder.path)}
    found[suite / layout.WATCH_SLICE] = _watch_slice(plan, prices)
    found[suite / layout.RESOLVED] = {
        "knobs": plan.knobs.model_dump(include={"suite", "targets", "seeds", "data_root", "download"}),
        "price_file": within(prices, folder.path.parent),
    }
    found[stage("claims")] |= _claims_slice(folder)
    return found


def write_slices(plan: Plan, folder: ConfigFolder, results: Path, missing_only: bool = False) -> None:
    """Write the slices whose content changed, or only those that are not there."""
    for path, content in slices(plan, folder, results).items():
        if not (missing_only and path.is_file()):
            write_if_changed(path, to_json(content))
