"""A cell as a job: its resolved configuration, the files it stands on, and the id that both give its run."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from vitalbench import layout
from vitalbench.config.checkpointing import Checkpointing
from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design
from vitalbench.config.plan import Cell
from vitalbench.config.schema import TaskData
from vitalbench.config.slices import design_code
from vitalbench.config.strict import Strict, validated
from vitalbench.config.target import NUMERICS, Target
from vitalbench.errors import GateError
from vitalbench.files import digest, file_digest, read_json
from vitalbench.results import Results
from vitalbench.split.asked import of_split
from vitalbench.train.chosen import Chosen, read_chosen
from vitalbench.train.context import Judge
from vitalbench.train.pretrained import PretrainedRun

T = TypeVar("T", bound=Strict)


@dataclass(frozen=True)
class Job:
    """A cell, its resolved configuration and the files it stands on; `chosen` is the search that gave the design its values."""

    cell: Cell
    dataset: DatasetBuild
    task: TaskData
    design: Design
    target: Target
    code: str
    store: Path
    split: Path
    receipt: Path
    out: Path
    saved_in: Path | None = None  # the run's folder, where `out` is another: that of a process other than the first
    checkpointing: Checkpointing = field(default_factory=Checkpointing)
    backup: Path | None = None  # the folder of this run's copies
    chosen: Chosen | None = None
    pretrained: PretrainedRun | None = None  # what the design starts from
    judge: Judge | None = None  # of validation records; no course of a training depends on it

    @property
    def label(self) -> str:
        """What lines about it begin with."""
        return f"[{self.cell.task} {self.cell.design} seed{self.cell.seed}]"

    def config(self) -> dict[str, Any]:
        """Everything the result depends on, as JSON."""
        return {
            "cell": self.cell.keys,
            "dataset": self.dataset.model_dump(exclude={"expected"}),
            "task": self.task.model_dump(),
            "design": self.design.model_dump(exclude={"published", "scheduler"}),
            "target": self.target.model_dump(include=set(NUMERICS)),
            "code": self.code,
        } | ({"search": self.chosen.identity} if self.chosen else {})

    def data(self) -> dict[str, str]:
        """What it stands on: the hashes of the store's content and of the split, and the id of the run it starts from.

        Raises:
            GateError: the audit's receipt is for another split or store. InputError: a file is missing or damaged.
        """
        receipt, content = read_json(self.receipt), read_json(self.store.with_name("manifest.json"))["content"]
        if receipt.get("split_sha256") != file_digest(self.split):
            raise GateError(f"{self.receipt}: this receipt is not for {self.split}; audit the split again")
        if receipt.get("store_content") != content:
            raise GateError(f"{self.receipt}: this receipt is not for the store {self.store}; audit the split again")
        start = {"pretrained": self.pretrained.run_id} if self.pretrained else {}
        return {"store": content, "split": receipt["split_sha256"], **start}

    def run_id(self) -> str:
        """The hash of configuration, code and records; raises as `data` does."""
        return digest({"config": self.config(), "data": self.data()})


def backup_of(results: Results, cell: Cell, backup: str | None) -> Path | None:
    """Where the copies of a cell's checkpoints lie below a backup folder, which may serve several suites."""
    return Path(backup) / results.folder.resolve().name / layout.RUN.format(**cell.keys) if backup else None


def _slice(results: Results, cell: Cell, model: type[T], pattern: str) -> T:
    path = results.folder / pattern.format(**cell.keys)
    return validated(model, read_json(path)["config"], path)


def inputs_of(results: Results, cell: Cell) -> dict[str, Any]:
    """What a training at a cell's place stands on whatever its design: that part of a Job."""
    store = results.store(cell.dataset)
    built = store.with_name("config.json")
    saved = results.folder / layout.CHECKPOINT_SLICE
    return {
        "cell": cell,
        "dataset": validated(DatasetBuild, read_json(built)["config"], built),
        "task": of_split(
            results.classes(cell.dataset, cell.task, cell.fold), _slice(results, cell, TaskData, layout.TASK_SLICE)
        ),
        "target": _slice(results, cell, Target, layout.TARGET_SLICE),
        "store": store,
        "split": results.split(cell.dataset, cell.task, cell.fold),
        "receipt": results.receipt(cell.dataset, cell.task, cell.fold),
        "checkpointing": validated(Checkpointing, read_json(saved) if saved.is_file() else {}, saved),
    }


def same_code(results: Results, stated: str, here: str) -> None:
    """Refuse an image built of older source, or an edit since the workflow started: it would be filed wrongly."""
    if stated != here:
        raise GateError(f"{results.folder}: this is not the code the suite was resolved with; start the workflow again")


def job_of(results: Results, cell: Cell) -> Job:
    """The job of a suite's cell, from the slices its rule depends on."""
    inputs, path = inputs_of(results, cell), results.folder / layout.DESIGN_SLICE.format(**cell.keys)
    design, code = _slice(results, cell, Design, layout.DESIGN_SLICE), read_json(path)["code"]
    same_code(results, code, design_code(design))
    chosen = read_chosen(results, cell.search) if design.search else None
    return Job(
        **inputs,
        design=chosen.applied_to(design, path) if chosen else design,
        code=code,
        out=results.run(cell),
        backup=backup_of(results, cell, inputs["checkpointing"].backup),
        chosen=chosen,
        pretrained=PretrainedRun(results.run(replace(cell, design=design.pretrained))) if design.pretrained else None,
    )
