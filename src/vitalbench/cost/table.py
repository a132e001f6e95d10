"""cost.csv: what each run took, from the step its design's measuring job timed, at each price of its target."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from vitalbench.config.prices import Price
from vitalbench.errors import ConfigError, choices
from vitalbench.files import read_json
from vitalbench.measure.phases import Phase
from vitalbench.results import CellResult, Results

_INFERENCE_RECORDS = 1000


def _quartiles(seconds: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(seconds, [25, 50, 75])
    return float(low), float(middle), float(high)


def hours(run: CellResult, phases: list[Phase]) -> dict[str, tuple[float, float, float]]:
    """Hours by phase, each at the first quartile, the median and the third quartile of what was timed."""
    facts = run.read("provenance.json")["facts"]
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


def cost_rows(results: Results, prices: dict[str, Price]) -> Iterator[dict[str, Any]]:
    """A row a run, phase and price.

    Raises:
        ConfigError: a target names a price the file does not have.
    """
    for run in results.measured:
        path = results.measurement(run.cell)
        if not path.is_file():
            continue
        phases = [Phase(**phase) for phase in read_json(path)["phases"]]
        spent = hours(run, phases)
        for key in results.suite["targets"][run.cell.target]["prices"]:
            if key not in prices:
                raise ConfigError(f"target '{run.cell.target}': no price is named {key!r}; {choices(key, prices)}")
            price = asdict(prices[key])
            del price["key"]
            for name, (low, middle, high) in spent.items():
                yield {
                    **run.cell.keys,
                    "run_id": run.run_id,
                    "phase": name,
                    **price,
                    "hours": middle,
                    "usd": middle * price["usd_per_hour"],
                    "basis": "measured",
                    "usd_low": low * price["usd_per_hour"],
                    "usd_high": high * price["usd_per_hour"],
                }
