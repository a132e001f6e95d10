"""A training of a whole release laid out from batches that were timed in turn: what an epoch and all epochs come to, projected."""

import math
from collections.abc import Iterator
from statistics import median
from typing import Any

from vitalbench.config.design import Design
from vitalbench.measure.side_by_side import Measured


def _hours(design: Design, measured: Measured, records: int | None) -> dict[str, Any]:
    """The first epoch and all of them, from medians. Features that are kept are computed in the first alone."""
    assert design.train is not None
    if records is None:
        return {}
    steps = math.ceil(records / design.train.batch_size)
    features, step = (median(getattr(batch, part) for batch in measured.batches) for part in ("features", "step"))
    return {
        "records": records,
        "steps_an_epoch": steps,
        "epochs": design.train.epochs,
        "epoch_h": steps * (features + step) / 3600,
        "training_h": steps * (features + design.train.epochs * step) / 3600,
        "basis": "projected",
    }


def _against(this: dict[str, Any], before: dict[str, Any], ours: Measured, theirs: Measured) -> dict[str, Any]:
    """How many times as fast as the design before it, a round at a time."""
    times = [slow.seconds / fast.seconds for slow, fast in zip(theirs.batches, ours.batches, strict=True)]
    found = {
        "over": before["design"],
        "batch_times": median(times),
        "batch_times_low": min(times),
        "batch_times_high": max(times),
        "record_times": median(times) * this["batch_size"] / before["batch_size"],
    }
    return found | ({"training_times": before["training_h"] / this["training_h"]} if "training_h" in this else {})


def efficiency_rows(
    designs: dict[str, Design], measured: dict[str, Measured], records: int | None
) -> Iterator[dict[str, Any]]:
    """A row a design, in their order, each held against the one before it.

    Args:
        measured: of each, by name, in the same rounds.
        records: of the training split of the whole release; None where nobody declares them.
    """
    previous: tuple[dict[str, Any], Measured] | None = None
    for name, design in designs.items():
        assert design.train is not None
        found = measured[name]
        seconds = [batch.seconds for batch in found.batches]
        foreign = [batch.foreign for batch in found.batches if batch.foreign is not None]
        row: dict[str, Any] = {
            "design": name,
            "batch_size": design.train.batch_size,
            "rounds": len(seconds),
            "batch_s": median(seconds),
            "batch_low_s": min(seconds),
            "batch_high_s": max(seconds),
            "features_s": median(batch.features for batch in found.batches) or None,
            "step_s": median(batch.step for batch in found.batches),
            "foreign_load": median(foreign) if foreign else None,
            "parameters": found.sizes.parameters,
            "trained": found.sizes.trained,
            "numbers": found.sizes.numbers,
            "file_mib": found.sizes.file_bytes / 2**20,
            "peak_memory_mb": found.peak_memory_mb,
        } | _hours(design, found, records)
        if previous is not None:
            row |= _against(row, previous[0], found, previous[1])
        previous = row, found
        yield row
