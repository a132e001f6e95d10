"""A trained run put to use: its model, its scale and its windows, on records that are no part of a store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.chain import contents
from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design
from vitalbench.config.schema import TaskData
from vitalbench.config.strict import validated
from vitalbench.config.target import Target
from vitalbench.data.datasets import Record
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json

WEIGHTS = "model.safetensors"


def physical(record: Record) -> NDArray[np.float32]:
    """A record in millivolt, (leads, samples), or an image in shares of full scale, by the store's arithmetic."""
    signal = record.digital.astype(np.float32)
    each = (len(signal), *(1 for _ in signal.shape[1:]))
    if record.baseline.any():
        signal -= record.baseline.reshape(each)
    signal /= record.gain.reshape(each)
    return signal


@dataclass(frozen=True)
class _OneRecord:
    """A record where a store is expected."""

    signal: NDArray[np.float32]
    rate_hz: int

    @property
    def samples(self) -> int:
        return int(self.signal.shape[-1])

    def read(
        self, rows: NDArray[np.intp], start: int | NDArray[np.intp] = 0, length: int | None = None
    ) -> NDArray[np.float32]:
        first = int(np.asarray(start).flat[0])
        return self.signal[None, ..., first : first + (self.samples if length is None else length)].repeat(len(rows), 0)


class AppliedRun:
    """A measured run that left a model.

    Attributes:
        folder: the run's.
        run_id: what it is called wherever its results stand.
        fold: which of its task's folds it was trained on.
        generated: whether it was trained on generated records, so that what it says of a person's record means nothing.
    """

    def __init__(self, folder: Path) -> None:
        status = read_json(folder / "status.json")
        if status["status"] != "measured":
            raise InputError(f"{folder}: this run ended as {status['status']}: {status['reason']}")
        if not (folder / WEIGHTS).is_file():
            raise InputError(f"{folder}: this run left no model; its recipe trains none")
        evidence, config = read_json(folder / "provenance.json"), read_json(folder / "config.json")
        self._hold(folder, evidence)
        self.folder, self.run_id = folder, str(status["run_id"])
        self.generated = evidence["data_source"] == "generated"
        self.fold = int(config["cell"]["fold"])
        self._facts: dict[str, Any] = evidence["facts"]

        def section(model: Any, name: str) -> Any:
            return validated(model, config[name], f"{folder / 'config.json'}: {name}")

        self.dataset: DatasetBuild = section(DatasetBuild, "dataset")
        self.task: TaskData = section(TaskData, "task")
        self.design: Design = section(Design, "design")

    @staticmethod
    def _hold(folder: Path, evidence: dict[str, Any]) -> None:
        links, problems = contents(evidence.get("chain"), folder / "provenance.json")
        if problems or links.get("output", {}).get(WEIGHTS) != file_digest(folder / WEIGHTS):
            raise InputError(f"{folder}: not as this run left it; `vitalbench verify` says what was altered")

    @property
    def scale(self) -> Any:
        """The scale of its inputs, fitted on its training records."""
        from vitalbench.train.batches import Scale

        return Scale.told(self._facts, self.dataset.shape.unit)

    def model(self, target: Target) -> tuple[Any, Any]:
        """The accelerator of a target, and the model on its device, as it was trained."""
        from safetensors.torch import load_file

        from vitalbench.models import axes, build
        from vitalbench.train.batches import seen
        from vitalbench.train.engine import prepare_torch

        design = self.design
        if design.model is None:
            raise InputError(f"{self.folder}: this run's design names no model")
        accelerator = prepare_torch(target, seed=0)
        shape, _ = seen(design, self.dataset.shape)
        model = build(design.model.name, design.model.options, classes=len(self.task.classes), **axes(shape))
        model.load_state_dict(load_file(self.folder / WEIGHTS))
        return accelerator, model.to(accelerator.device)

    def batches(self, source: Any, batch_size: int) -> Any:
        """Batches of records as the run was given them, standardised, its leads alone.

        Args:
            source: a store, or what can be read like one.
        """
        from vitalbench.train.batches import Batches
        from vitalbench.train.leads import SomeLeads, lead_positions

        positions = lead_positions(self.dataset.shape.names, self.design.leads)
        some = source if self.design.leads is None else SomeLeads(source, positions)
        return Batches(some, self.scale, self.design.window, batch_size)

    def probabilities(self, signal: NDArray[np.float32], target: Target) -> NDArray[np.float64]:
        """A record's probabilities, (classes,), windows aggregated as the design says.

        Args:
            signal: in physical units, of the data set's declared shape.
            target: where to compute.
        """
        from vitalbench.train.engine import score

        accelerator, model = self.model(target)
        batches = self.batches(_OneRecord(signal, self.dataset.shape.rate_hz), batch_size=1)
        rows = np.zeros(1, dtype=np.intp)
        found: NDArray[np.float64] = score(accelerator, model, batches, rows, self.task.kind)
        return found.reshape(-1)
