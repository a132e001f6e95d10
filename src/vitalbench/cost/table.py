"""cost.csv: what each run took, from the step its design's measuring job timed, at each price of its target.

A cell whose target is not here has the same rows, projected from the cell that was measured in its place.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from vitalbench.cell_result import CellResult
from vitalbench.config.plan import Cell
from vitalbench.config.prices import Price
from vitalbench.cost.absent import Absent
from vitalbench.cost.timed import timed_alone
from vitalbench.errors import ConfigError, choices
from vitalbench.measure.phases import Phase
from vitalbench.results import Results

_INFERENCE_RECORDS = 1000
_TIMED_AS = dict.fromkeys(("inference_1000", "validation", "scoring"), "inference")  # all else is of steps
RUN_PARTS = ("train", "loading", "validation", "scoring")  # whose sum is the phase `run`

Hours = dict[str, tuple[float, float, float]]  # by phase, each at the first quartile, the median and the third quartile


def _quartiles(seconds: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(seconds, [25, 50, 75])
    return float(low), float(middle), float(high)


@dataclass(frozen=True)
class Scale:
    """A training of another size than the run's: records of the training split, and epochs."""

    records: int
    epochs: int

    def facts(self, phases: list[Phase], drop_last: bool = False, featured: float = 1.0) -> dict[str, Any]:
        """What a run of that size would say of itself, its batches being those that were timed.

        Args:
            drop_last: whether the design leaves out a last batch that is not whole.
            featured: records whose features are computed, of all splits, over those that are trained on.
        """
        batch = next((phase.batch_size for phase in phases if phase.name == "train_step"), None)
        if not batch:
            return {}
        whole = self.records // batch
        steps = whole if drop_last and whole else -(-self.records // batch)
        return {"steps": steps * self.epochs, "steps_an_epoch": steps, "featured_records": self.records * featured}


def _scaled(scale: Scale, run: CellResult, design: dict[str, Any], phases: list[Phase]) -> dict[str, Any]:
    facts = run.read("provenance.json")["facts"]
    trained = next((phase["items"] for phase in run.read("timing.json")["phases"] if phase["name"] == "epoch"), 0)
    featured = facts.get("featured_records", 0) / trained if trained else 1.0
    return scale.facts(phases, bool((design["train"] or {}).get("drop_last")), featured)


def hours(facts: dict[str, Any], phases: list[Phase]) -> Hours:
    """Hours by phase, from what the measuring job timed.

    Args:
        facts: of the run: its optimiser steps, those of an epoch, its epochs, the records that were validated on after each and
            scored at the end, and the records whose features a frozen encoder computed, which no later pass computes again.
    """
    found: Hours = {}
    featured = facts.get("featured_records")
    step = next((phase for phase in phases if phase.name == "train_step"), None)
    if step and facts.get("steps"):
        found["train"] = _times(_quartiles(step.seconds), facts["steps"])
        found["epoch"] = _times(_quartiles(step.seconds), facts["steps_an_epoch"])
        once = next((phase for phase in phases if phase.name == "features"), None)
        if once and featured:
            found["train"] = _sum([found["train"], _times(_quartiles(once.seconds), featured / once.items)])
        loaded = next((phase for phase in phases if phase.name == "loaded_step"), None)
        if loaded:
            without = reversed(_quartiles(step.seconds))  # the least that loading adds is over the longest step
            ends = zip(_quartiles(loaded.seconds), without, strict=True)
            low, middle, high = (max(with_it - alone, 0.0) for with_it, alone in ends)
            found["loading"] = _times((low, middle, high), facts["steps"])
    passes = [phase for phase in phases if phase.name == "inference"]
    if passes:
        # The batch with the highest throughput: what a batch job would use.
        best = max(passes, key=lambda phase: phase.items / _quartiles(phase.seconds)[1])
        records = {"inference_1000": _INFERENCE_RECORDS}
        if not featured:
            records["validation"] = facts.get("validation_records", 0) * facts.get("epochs", 0)
            records["scoring"] = facts.get("scored_records", 0)
        found |= {name: _times(_quartiles(best.seconds), n / best.items) for name, n in records.items() if n}
    return with_sum(found)


def _times(seconds: tuple[float, float, float], repeats: float) -> tuple[float, float, float]:
    low, middle, high = (second * repeats / 3600 for second in seconds)
    return low, middle, high


def _sum(parts: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    low, middle, high = (sum(ends) for ends in zip(*parts, strict=True))
    return low, middle, high


def with_sum(spent: Hours) -> Hours:
    """The same with `run`, the sum of the parts of a run that are there; as they are where nothing was trained."""
    if "train" not in spent:
        return spent
    return spent | {"run": _sum([spent[name] for name in RUN_PARTS if name in spent])}


def electricity(target: str, power_w: float | None, devices: int, usd_per_kwh: float, date: str) -> Price | None:
    """An hour of the electricity of one's own devices at the power their target declares; None where that declares none.

    The vendor's rating is of the device alone: the rest of the machine comes on top, and a device seldom draws all of it.
    """
    if power_w is None:
        return None
    sku = f"{target}: {devices} x {power_w:g} W declared, the devices alone"
    usd = devices * power_w / 1000 * usd_per_kwh
    return Price(
        "electricity", "electricity", sku, "", "owned", devices, usd, date, f"{usd_per_kwh:g} USD/kWh as given"
    )


def _prices_of(results: Results, target: str, prices: Mapping[str, Price], own: Mapping[str, Price]) -> Iterator[Price]:
    for key in results.suite["targets"][target]["prices"]:
        if key not in prices:
            raise ConfigError(f"target '{target}': no price is named {key!r}; {choices(key, prices)}")
        yield prices[key]
    if target in own:
        yield own[target]


def first_price(results: Results, target: str, prices: Mapping[str, Price]) -> Price | None:
    """The first price a target names; None where it names none."""
    named = results.suite["targets"][target]["prices"]
    return next(_prices_of(results, target, prices, {})) if named else None


def _spent(results: Results, run: CellResult, scale: Scale | None) -> Hours:
    """Hours of a measured run by phase; nothing where its design was not timed with the machine to itself."""
    phases = timed_alone(results.measurement(run.cell))
    if not phases:
        return {}
    design = results.suite["designs"][run.cell.design]
    if scale:
        return hours(_scaled(scale, run, design, phases), phases)
    told = run.read("timing.json")["phases"]
    scored = next((phase["items"] for phase in told if phase["name"] == "evaluation"), 0)
    return hours(run.read("provenance.json")["facts"] | {"scored_records": scored}, phases)


def spent_away(results: Results, absent: Absent, away: CellResult, scale: Scale | None = None) -> Hours:
    """Hours of a projected cell by phase: those of the cell measured in its place, over the interval of the ratio of times.

    Loading is left out: it is the work of a machine's processor and disk, of which a ratio of GPUs says nothing.
    """
    spent = _spent(results, results.of[away.origin], scale)
    if not spent:
        return {}
    told = absent.ratio(away.origin, away.cell.target)
    return with_sum(
        {
            name: (low * told.low, middle * told.ratio, high * told.high)
            for name, (low, middle, high) in spent.items()
            if name != "loading"
        }
    )


def _priced(cell: Cell, prices: Iterable[Price], spent: Hours, **said: Any) -> Iterator[dict[str, Any]]:
    for told in prices:
        price = asdict(told)
        del price["key"]
        for name, (low, middle, high) in spent.items():
            usd = (bound * told.usd_per_hour for bound in (middle, low, high))
            money = dict(zip(("usd", "usd_low", "usd_high"), usd, strict=True))
            yield {**cell.keys, "phase": name, **price, "hours": middle, **money, **said}


def _before(results: Results, cell: Cell, spent: Mapping[Cell, Hours]) -> Hours:
    """The whole run that a cell starts from, where its design names one: several may share it, so it is in none of theirs."""
    start = results.suite["designs"][cell.design].get("pretrained")
    run = spent.get(replace(cell, design=start), {}).get("run") if start else None
    return {"pretraining": run} if run else {}


def cost_rows(
    results: Results,
    prices: dict[str, Price],
    scale: Scale | None = None,
    own: dict[str, Price] | None = None,
    absent: Absent | None = None,
) -> Iterator[dict[str, Any]]:
    """A row a run, phase and price.

    Args:
        scale: price trainings of this size instead; their hours are projected.
        own: by target, a price beside those it names.
        absent: projects what was measured to targets that are not here; without it their cells have no rows.

    Raises:
        ConfigError: a target names a price the file does not have.
    """
    spent = {run.cell: _spent(results, run, scale) for run in results.measured}
    for run in results.measured:
        told = [*_prices_of(results, run.cell.target, prices, own or {})]
        for name, taken in (spent[run.cell] | _before(results, run.cell, spent)).items():
            basis = "projected" if scale and name != "inference_1000" else "measured"
            yield from _priced(run.cell, told, {name: taken}, run_id=run.run_id, basis=basis)
    if absent is None:
        return
    spent = {away.cell: spent_away(results, absent, away, scale) for away in results.projected}
    for away in results.projected:
        told = [*_prices_of(results, away.cell.target, prices, own or {})]
        for name, taken in (spent[away.cell] | _before(results, away.cell, spent)).items():
            said = {
                "projected_from": away.origin.target,
                "outside": absent.outside(away, _TIMED_AS.get(name, "train_step")),
            }
            yield from _priced(away.cell, told, {name: taken}, basis="projected", **said)
