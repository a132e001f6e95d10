"""cost.csv: what each run took, from the step its design's measuring job timed, at each price of its target."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitalbench.config.prices import Price
from vitalbench.errors import ConfigError, choices
from vitalbench.files import read_json
from vitalbench.measure.phases import Phase
from vitalbench.results import Results

_INFERENCE_RECORDS = 1000


def _quartiles(seconds: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(seconds, [25, 50, 75])
    return float(low), float(middle), float(high)


@dataclass(frozen=True)
class Scale:
    """A training of another size than the run's: records of the training split, and epochs."""

    records: int
    epochs: int

    def facts(self, phases: list[Phase]) -> dict[str, Any]:
        """What a run of that size would say of itself, its batches being those that were timed."""
        batch = next((phase.batch_size for phase in phases if phase.name == "train_step"), None)
        if not batch:
            return {}
        steps = math.ceil(self.records / batch)
        return {"steps": steps * self.epochs, "steps_an_epoch": steps, "featured_records": self.records}


def hours(facts: dict[str, Any], phases: list[Phase]) -> dict[str, tuple[float, float, float]]:
    """Hours by phase, each at the first quartile, the median and the third quartile of what was timed.

    Args:
        facts: of the run: its optimiser steps, those of an epoch, and the records whose features a frozen encoder computed.
    """
    found: dict[str, tuple[float, float, float]] = {}
    step = next((phase for phase in phases if phase.name == "train_step"), None)
    if step and facts.get("steps"):
        low, middle, high = (second / 3600 for second in _quartiles(step.seconds))
        for name, steps in (("train", facts["steps"]), ("epoch", facts["steps_an_epoch"])):
            found[name] = (low * steps, middle * steps, high * steps)
        once = next((phase for phase in phases if phase.name == "features"), None)
        if once and facts.get(
            "featured_records"
        ):  # of a frozen encoder, computed before the first epoch and never again
            hour = facts["featured_records"] / once.items / 3600
            spent = (second * hour for second in _quartiles(once.seconds))
            found["train"] = tuple(a + b for a, b in zip(found["train"], spent, strict=True))
    passes = [phase for phase in phases if phase.name == "inference"]
    if passes:
        # The batch with the highest throughput: what a batch job would use.
        best = max(passes, key=lambda phase: phase.items / _quartiles(phase.seconds)[1])
        low, middle, high = (second / best.items * _INFERENCE_RECORDS / 3600 for second in _quartiles(best.seconds))
        found["inference_1000"] = (low, middle, high)
    return found


def electricity(target: str, power_w: float | None, usd_per_kwh: float, date: str) -> Price | None:
    """An hour of a machine of one's own, at the power its target declares; None where that declares none."""
    if power_w is None:
        return None
    sku = f"{target} at {power_w:g} W declared"
    usd = power_w / 1000 * usd_per_kwh
    return Price("electricity", "own machine", sku, "", "owned", 0, usd, date, f"{usd_per_kwh:g} USD/kWh as given")


def _prices_of(results: Results, target: str, prices: dict[str, Price], own: dict[str, Price]) -> Iterator[Price]:
    for key in results.suite["targets"][target]["prices"]:
        if key not in prices:
            raise ConfigError(f"target '{target}': no price is named {key!r}; {choices(key, prices)}")
        yield prices[key]
    if target in own:
        yield own[target]


def cost_rows(
    results: Results, prices: dict[str, Price], scale: Scale | None = None, own: dict[str, Price] | None = None
) -> Iterator[dict[str, Any]]:
    """A row a run, phase and price.

    Args:
        scale: price trainings of this size instead; their hours are projected.
        own: by target, a price beside those it names.

    Raises:
        ConfigError: a target names a price the file does not have.
    """
    for run in results.measured:
        path = results.measurement(run.cell)
        if not path.is_file():
            continue
        phases = [Phase(**phase) for phase in read_json(path)["phases"]]
        spent = hours(scale.facts(phases) if scale else run.read("provenance.json")["facts"], phases)
        for told in _prices_of(results, run.cell.target, prices, own or {}):
            price = asdict(told)
            del price["key"]
            for name, (low, middle, high) in spent.items():
                yield {
                    **run.cell.keys,
                    "run_id": run.run_id,
                    "phase": name,
                    **price,
                    "hours": middle,
                    "usd": middle * price["usd_per_hour"],
                    "basis": "projected" if scale and name != "inference_1000" else "measured",
                    "usd_low": low * price["usd_per_hour"],
                    "usd_high": high * price["usd_per_hour"],
                }
