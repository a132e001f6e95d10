"""Times of cells whose target is not here, from the cell that was measured in their place."""

from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vitalbench.cell_result import CellResult
from vitalbench.config.plan import Cell
from vitalbench.config.published import PER_IMAGE, Device, parse_published
from vitalbench.cost.projector import Projection, Projector
from vitalbench.cost.sheets import sheet_of
from vitalbench.cost.timed import timed_alone
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.measure.phases import Phase
from vitalbench.results import Results

_TERA, _GIGA = 1e12, 1e9
_PHASES = ("train_step", "features", "inference")


class Absent:
    """Projects what a suite measured to its targets that are not here.

    Args:
        published: the texts of configs/projection, by their places below configs/.
    """

    def __init__(self, results: Results, published: dict[str, str]) -> None:
        self._results = results
        self._known, self._timings = parse_published(published, Path("configs"))
        self._sheets: dict[str, Device] = dict(self._known)

    @cached_property
    def _projector(self) -> Projector:
        return Projector(self._timings, self._sheets)

    def _phases(self, cell: Cell) -> list[Phase]:
        return [phase for phase in timed_alone(self._results.measurement(cell)) if phase.name in _PHASES]

    @cache  # noqa: B019 - lives as long as its command
    def _rates(self, target: str) -> tuple[float, float] | None:
        """TFLOP/s and GB/s of a CPU, one for all designs: the best that its measuring jobs found, which other work only lessens."""
        places = {self._results.measurement(run.cell) for run in self._results.measured if run.cell.target == target}
        found = [
            (phase["limits"]["flops"]["rate"] / _TERA, phase["limits"]["bytes"]["rate"] / _GIGA)
            for path in sorted(places)
            if path.is_file()
            for phase in read_json(path)["phases"]
            if {"flops", "bytes"} <= set(phase["limits"])
        ]
        return (max(flops for flops, _ in found), max(bytes_s for _, bytes_s in found)) if found else None

    def _source(self, cell: Cell) -> str:
        """The device a cell was measured on; of a CPU, at the rates its measuring jobs found."""
        target = self._results.target(cell.target)
        if target.device == "cuda":
            sheet = sheet_of(cell.target, target, self._known)
        else:
            rates = self._rates(cell.target)
            sheet = Device(f"{cell.target} as measured", *rates, "cpu") if rates else None
        if sheet is None:
            raise InputError(
                f"{self._results.measurement(cell)}: no rates of the device, by which it could be projected"
            )
        self._sheets[sheet.name] = sheet
        return sheet.name

    def _target(self, name: str) -> str:
        sheet = sheet_of(name, self._results.target(name), self._known)
        if sheet is None:
            raise InputError(f"target '{name}': it declares no peak_tflops.fp32 and bandwidth_gb_s to be projected to")
        self._sheets[sheet.name] = sheet
        return sheet.name

    def ratio(self, origin: Cell, target: str) -> Projection:
        """How many times as long a step of a measured cell takes on another target.

        Raises:
            InputError: nothing published says how far that would be off.
        """
        source, other = self._source(origin), self._target(target)
        if not self._projector.connects(source, other):
            raise InputError(
                f"configs/projection/timings.csv: too few CPUs have times beside GPUs to project {origin.target} to {target}"
            )
        return self._projector.project(source, other)

    @cached_property
    def _shortest(self) -> float:
        """Seconds of the shortest step that was published of a GPU; times of an image out of a batch are none."""
        steps = [t for t in self._timings if self._known[t.device].kind == "gpu" and t.workload[2] != PER_IMAGE]
        return min(timing.seconds for timing in steps)

    def _outside(self, target: str, seconds: float) -> str:
        device, told = self._target(target), []
        if not self._projector.knows(device):
            told.append(f"no time of {device} was published: by its data sheet alone")
        if seconds < self._shortest:
            told.append(f"shorter than any published step, {self._shortest * 1000:.2g} ms: launches may prolong it")
        return "; ".join(told)

    def outside(self, away: CellResult, phase: str) -> str:
        """What no published time speaks for of a cost that rests on a phase of a projected cell: of the shortest of its batches."""
        timed = [told for told in self._phases(away.origin) if told.name == phase]
        if not timed:
            return ""
        ratio = self.ratio(away.origin, away.cell.target).ratio
        return self._outside(away.cell.target, min(float(np.median(told.seconds)) for told in timed) * ratio)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows of projected.csv: a projected cell and a phase."""
        for away in self._results.projected:
            origin = away.origin
            told = self.ratio(origin, away.cell.target)
            device = read_json(self._results.measurement(origin))["device_name"]
            for phase in self._phases(origin):
                low, middle, high = np.percentile(phase.seconds, [25, 50, 75])
                yield {
                    **away.cell.keys,
                    "phase": phase.name,
                    "batch_size": phase.batch_size,
                    "projected_s": float(middle) * told.ratio,
                    "projected_low_s": float(low) * told.low,
                    "projected_high_s": float(high) * told.high,
                    "projected_ratio": told.ratio,
                    "projected_from": origin.target,
                    "from_device": device,
                    "measured_s": float(middle),
                    "projected_to": self._target(away.cell.target),
                    "outside": self._outside(away.cell.target, float(middle) * told.ratio),
                    "by": "peaks" if self._results.target(origin.target).device == "cpu" else "fit",
                    "basis": "projected",
                    "disturbed": phase.disturbed,
                }
