"""Run one cell: hold the split against its audit receipt, run the design's recipe, leave the files of a run.

Whatever happens, status.json is written last and says it in one word, so that the tables can always be made.
"""

import importlib
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench import layout
from vitalbench.chain import chained, hashes
from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.plan import Cell
from vitalbench.config.schema import Design, Target, TaskData
from vitalbench.config.slices import design_code
from vitalbench.config.strict import Strict, validated
from vitalbench.data.store import Store, read_records
from vitalbench.errors import GateError, InputError
from vitalbench.files import atomic, digest, file_digest, read_json, write_json, write_text
from vitalbench.measure.clock import utc_now
from vitalbench.measure.device import device_here, mismatch
from vitalbench.measure.phases import Phase
from vitalbench.progress import say
from vitalbench.provenance import environment, provenance
from vitalbench.results import Results
from vitalbench.split.fitted import rows_hash
from vitalbench.train.context import SCORED, TRAINED_ON, Context, Outcome, TrainingFailure

T = TypeVar("T", bound=Strict)
RUN_FILES = (
    "history.csv",
    "model.safetensors",
    "predictions.parquet",
    "metrics.json",
    "timing.json",
    "provenance.json",
)
_EVALUATED = ("replicates.npz",)


@dataclass(frozen=True)
class Job:
    """A cell, its resolved configuration and the files it stands on."""

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

    def config(self) -> dict[str, Any]:
        """Everything the result depends on, as JSON."""
        return {
            "cell": self.cell.keys,
            "dataset": self.dataset.model_dump(exclude={"expected"}),
            "task": self.task.model_dump(),
            "design": self.design.model_dump(exclude={"published"}),
            "target": self.target.model_dump(include={"device", "match", "threads"}),
            "code": self.code,
        }


def job_of(results: Results, cell: Cell) -> Job:
    """The job of a suite's cell, from the slices its rule depends on."""

    def resolved(model: type[T], pattern: str) -> T:
        path = results.folder / pattern.format(**cell.keys)
        return validated(model, read_json(path)["config"], path)

    store = results.store(cell.dataset)
    design, code = (
        resolved(Design, layout.DESIGN_SLICE),
        read_json(results.folder / layout.DESIGN_SLICE.format(**cell.keys))["code"],
    )
    if design_code(design) != code:
        # An image built of older source, or an edit since the workflow started: a result would be filed under the wrong code.
        raise GateError(f"{results.folder}: this is not the code the suite was resolved with; start the workflow again")
    return Job(
        cell=cell,
        dataset=validated(
            DatasetBuild, read_json(store.with_name("config.json"))["config"], store.with_name("config.json")
        ),
        task=resolved(TaskData, layout.TASK_SLICE),
        design=design,
        target=resolved(Target, layout.TARGET_SLICE),
        code=code,
        store=store,
        split=results.split(cell.dataset, cell.task, cell.fold),
        receipt=results.receipt(cell.dataset, cell.task, cell.fold),
        out=results.run(cell),
    )


def labels_of(records: pd.DataFrame, task: TaskData) -> NDArray[np.float32]:
    """(records, classes): 1 where a record carries a class of the task's label set."""
    carried = records[f"labels:{task.labels}"]
    return np.array([[name in labels for name in task.classes] for labels in carried], dtype=np.float32)


def _checked_receipt(job: Job, manifest: dict[str, Any]) -> dict[str, Any]:
    """The audit's receipt, if it was given for this very split and store."""
    receipt: dict[str, Any] = read_json(job.receipt)
    if receipt.get("split_sha256") != file_digest(job.split):
        raise GateError(f"{job.receipt}: this receipt is not for {job.split}; audit the split again")
    if receipt.get("store_content") != manifest["content"]:
        raise GateError(f"{job.receipt}: this receipt is not for the store {job.store}; audit the split again")
    return receipt


def _records(job: Job) -> pd.DataFrame:
    records = read_records(job.store)
    split = pd.read_csv(job.split, dtype=str)
    if set(split["record_id"]) != set(records["record_id"]):
        raise InputError(f"{job.split}: its records are not those of {job.store}; make the split again")
    return records.merge(split[["record_id", "split"]], on="record_id", validate="one_to_one")


def _predictions(context: Context, outcome: Outcome) -> pd.DataFrame:
    at = context.positions(*SCORED)
    scored = context.records.iloc[at].reset_index(drop=True)
    columns: dict[str, Any] = {name: scored[name] for name in ("record_id", "patient_id", "split")}
    columns |= {f"y_true:{name}": context.labels[at, k].astype(np.int8) for k, name in enumerate(context.task.classes)}
    columns |= {f"y_prob:{name}": outcome.probabilities[:, k] for k, name in enumerate(context.task.classes)}
    columns |= {f"group:{name}": scored[f"group:{name}"] for name in context.task.subgroups}
    return pd.DataFrame(columns).assign(n_votes=outcome.n_votes)


def _statistics(context: Context, outcome: Outcome) -> dict[str, Any] | None:
    """Which records the run's statistics were fitted on: how many, and a hash of their ids.

    Raises:
        TrainingFailure: one of them is no training record.
    """
    if outcome.fitted_on is None:
        return None
    rows = context.records["row"].to_numpy(dtype=np.intp)
    stranger = np.setdiff1d(outcome.fitted_on, rows[context.positions(*TRAINED_ON)])
    fitted = context.records.loc[np.isin(rows, outcome.fitted_on), "record_id"]
    if len(stranger):
        first = context.records.loc[np.isin(rows, stranger), "record_id"].tolist()[:1] or ["one of no split"]
        raise TrainingFailure(
            f"statistics-outside-train: fitted on {len(stranger)} records outside the training split, among them {first[0]}"
        )
    return {"records": len(fitted), "sha256": rows_hash(fitted)}


def _write_outcome(job: Job, context: Context, outcome: Outcome) -> None:
    with atomic(job.out / "predictions.parquet") as temporary:
        _predictions(context, outcome).to_parquet(temporary, index=False)
    write_text(job.out / "history.csv", pd.DataFrame(outcome.history).to_csv(index=False, lineterminator="\n"))
    if outcome.weights is not None:
        from safetensors.torch import save_file

        with atomic(job.out / "model.safetensors") as temporary:
            save_file({name: tensor.contiguous() for name, tensor in outcome.weights.items()}, temporary)
    phases = [phase.to_json() for phase in outcome.phases]
    write_json(job.out / "timing.json", {"device_name": device_here(job.target.device), "phases": phases})


def _status(job: Job, status: str, reason: str, run_id: str) -> None:
    write_json(job.out / "status.json", {**job.cell.keys, "status": status, "reason": reason, "run_id": run_id})


def _chain(job: Job, data: dict[str, str]) -> list[dict[str, Any]]:
    """What the run stands on and what it left, for `vitalbench verify`."""
    left = {name: job.out / name for name in ("config.json", *RUN_FILES) if (job.out / name).is_file()}
    return chained(
        {
            "store": {"content": data["store"], "manifest.json": file_digest(job.store.with_name("manifest.json"))},
            "split": file_digest(job.split),
            "audit": file_digest(job.receipt),
            "code": job.code,
            "environment": environment(),
            "output": hashes(left),
        }
    )


def _memory(phases: list[Phase]) -> None:
    from vitalbench.measure.memory import peak_memory_mb

    for phase in phases:
        if phase.name == "epoch":
            phase.peak_memory_mb = peak_memory_mb()


def run_cell(job: Job) -> str:
    """Run a cell and return its status.

    Raises:
        GateError: the receipt is for another split. InputError: an input is missing or damaged. A failure of the training
        itself is not raised: it is the cell's status.
    """
    manifest = read_json(job.store.with_name("manifest.json"))
    receipt = _checked_receipt(job, manifest)
    job.out.mkdir(parents=True, exist_ok=True)
    for name in ("status.json", *RUN_FILES, *_EVALUATED):
        (job.out / name).unlink(missing_ok=True)  # what an earlier run left says nothing about this one
    config = job.config()
    data = {"store": manifest["content"], "split": receipt["split_sha256"]}
    run_id = digest({"config": config, "data": data})
    write_json(job.out / "config.json", config)
    label = f"[{job.cell.task} {job.cell.design} seed{job.cell.seed}]"
    lines: list[str] = []

    def tell(text: str) -> None:
        lines.append(f"{utc_now()} {text}")
        say(f"{label} {text}")

    def done(status: str, reason: str = "") -> str:
        write_text(job.out / "log.txt", "\n".join([*lines, f"{utc_now()} {status} {reason}".rstrip()]) + "\n")
        _status(job, status, reason, run_id)
        if status != "measured":
            say(f"{label} {status}: {reason}")
        return status

    if receipt["verdict"] != "clean":
        return done("not-allowed", f"the split leaks: {receipt['reason']}")
    wrong_device = mismatch(job.target.device, job.target.match)
    if wrong_device:
        return done("refused", wrong_device)
    records = _records(job)
    context = Context(
        job.dataset,
        job.task,
        job.design,
        job.target,
        Store(job.store),
        records,
        labels_of(records, job.task),
        job.cell.seed,
        tell,
    )
    recipe = importlib.import_module(f"vitalbench.train.recipes.{job.design.recipe.replace('-', '_')}")
    started = utc_now()
    try:
        outcome: Outcome = recipe.fit(context)
        if not np.isfinite(outcome.probabilities).all():
            raise TrainingFailure("the model predicts values that are not finite")
        statistics = _statistics(context, outcome)
    except TrainingFailure as failure:
        return done("failed", str(failure))
    except Exception as error:  # noqa: BLE001 - a design's crash is a result of the suite; the log has the traceback
        lines.append(traceback.format_exc())
        return done("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    _memory(outcome.phases)
    _write_outcome(job, context, outcome)
    evidence = {
        "run_id": run_id,
        "data": data,
        "data_source": manifest["release"]["source"],
        "release": {key: manifest["release"][key] for key in ("version", "records", "patients", "complete")},
        "seed": job.cell.seed,
        "threads": job.target.threads,
        "started": started,
        "facts": outcome.facts,
        "statistics": statistics,
    }
    write_json(job.out / "provenance.json", provenance() | evidence | {"chain": _chain(job, data)})
    return done("measured")
