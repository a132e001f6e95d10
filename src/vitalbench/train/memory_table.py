"""The memory of a training on targets, here or not, by every way of sharing it out, and the largest micro-batch that fits."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design, Train
from vitalbench.config.schema import TaskData
from vitalbench.config.target import Target
from vitalbench.models import axes, build
from vitalbench.train.activations import Activations, count_activations
from vitalbench.train.batches import seen
from vitalbench.train.memory_plan import MemoryPlan, plan_memory
from vitalbench.train.stepped import stepped

STRATEGIES = ("ddp", "zero1", "zero2", "zero3")
_MOST = 2**24  # records at once; more is no answer


def largest_micro_batch(plan_of: Callable[[int], MemoryPlan]) -> int | None:
    """The most records at once whose plan fits, by halving an interval; None where no memory is declared, 0 where none fits."""
    if plan_of(1).available is None:
        return None
    low, high = 0, 1
    while high <= _MOST and plan_of(high).fits:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if plan_of(middle).fits else (low, middle)
    return min(low, _MOST)


def _row(plan: MemoryPlan, largest: int | None) -> dict[str, Any]:
    parts = ("parameters", "gradients", "optimiser", "buckets", "activations")
    return {f"{part}_mb": getattr(plan, part) / 1e6 for part in parts} | {
        "records": plan.records,
        "host_mb": plan.on_host / 1e6,
        "needed_gb": plan.needed / 1e9,
        "memory_gb": None if plan.available is None else plan.available / 1e9,
        "fits": None if plan.available is None else plan.fits,
        "largest_micro_batch": largest,
        "basis": "computed",
    }


def _plans(
    parameters: int, frozen: int, settings: Train, target: Target, counted: Activations
) -> Iterator[tuple[Target, MemoryPlan, int | None]]:
    for strategy in STRATEGIES:
        spread = target.model_copy(update={"strategy": strategy, "offload": target.offload and strategy != "ddp"})

        def plan_of(records: int, spread: Target = spread) -> MemoryPlan:
            sizes = {"batch_size": records * spread.processes, "micro_batch": records}
            return plan_memory(parameters, counted, settings.model_copy(update=sizes), spread, frozen)

        yield spread, plan_memory(parameters, counted, settings, spread, frozen), largest_micro_batch(plan_of)


def memory_rows(
    design: Design, dataset: DatasetBuild, task: TaskData, targets: dict[str, Target], processes: Iterable[int]
) -> Iterator[dict[str, Any]]:
    """A row a target, number of processes and strategy.

    Args:
        design: with a model and settings of its training.
        processes: how many share the work, beside what a target declares.
    """
    if design.model is None or design.train is None:
        return
    seen_shape, _ = seen(design, dataset.shape)
    model = build(design.model.name, design.model.options, classes=len(task.classes), **axes(seen_shape))
    made = stepped(design, model, seen_shape, dataset.shape.rate_hz, task.kind, torch.device("cpu"))
    model, shape, (parameters, frozen) = made.trained, made.shape, made.sizes
    switches = {target.gradient_checkpointing for target in targets.values()}
    counted = {on: count_activations(model, shape, design.train.precision, on) for on in switches}
    for name, target in targets.items():
        for n in dict.fromkeys([target.processes, *processes]):
            spread = target.model_copy(update={"processes": n})
            kept = counted[target.gradient_checkpointing]
            for used, plan, largest in _plans(parameters, frozen, design.train, spread, kept):
                declared = (n, used.strategy) == (target.processes, target.strategy)
                keys = {"target": name, "strategy": used.strategy, "processes": n, "declared": declared}
                yield keys | {"precision": design.train.precision} | _row(plan, largest)
