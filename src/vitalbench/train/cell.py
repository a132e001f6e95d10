"""Run one cell: hold the split against its audit receipt, run the design's recipe, leave the files of a run.

Whatever happens, status.json is written last and says it in one word, so that the tables can always be made.
"""

import importlib
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.chain import chained, hashes
from vitalbench.config.schema import TaskData
from vitalbench.data.store import Store, read_records
from vitalbench.errors import InputError, Interrupted
from vitalbench.files import atomic, file_digest, only_one_in, read_json, write_json, write_text
from vitalbench.interrupt import Interrupt
from vitalbench.measure.clock import utc_now
from vitalbench.measure.device import device_here, mismatch
from vitalbench.measure.phases import Phase
from vitalbench.progress import say
from vitalbench.provenance import environment, provenance
from vitalbench.split.audit import barred, leaks_of
from vitalbench.split.fitted import rows_hash
from vitalbench.train.among import among
from vitalbench.train.checkpoints import under_way
from vitalbench.train.context import SCORED, TRAINED_ON, Context, NotAllowed, Outcome, TrainingFailure
from vitalbench.train.job import Job
from vitalbench.train.keeper import Keeper
from vitalbench.train.observer import Stop, Unobserved
from vitalbench.train.pretrained import AUDITED
from vitalbench.train.pretrained import TRAINED_ON as TRAINED_ON_TABLE
from vitalbench.train.run_log import RunLog
from vitalbench.train.shared_checkpoints import checkpoints_of

STATUS = "status.json"
RUN_FILES = (
    "history.csv",
    TRAINED_ON_TABLE,
    AUDITED,
    "model.safetensors",
    "predictions.parquet",
    "metrics.json",
    "timing.json",
    "provenance.json",
)
_EVALUATED = ("replicates.npz",)


def labels_of(records: pd.DataFrame, task: TaskData) -> NDArray[np.float32]:
    """(records, classes): 1 where a record carries a class of the task's label set."""
    carried = records[f"labels:{task.labels}"]
    return np.array([[name in labels for name in task.classes] for labels in carried], dtype=np.float32)


def records_of(job: Job) -> pd.DataFrame:
    """The records of a job's store with their `split`, in the order of the store."""
    records = read_records(job.store)
    split = pd.read_csv(job.split, dtype=str)
    if set(split["record_id"]) != set(records["record_id"]):
        raise InputError(f"{job.split}: its records are not those of {job.store}; make the split again")
    return records.merge(split[["record_id", "split"]], on="record_id", validate="one_to_one")


def _predictions(context: Context, probabilities: NDArray[np.float64], n_votes: int) -> pd.DataFrame:
    at = context.positions(*SCORED)
    scored = context.records.iloc[at].reset_index(drop=True)
    columns: dict[str, Any] = {name: scored[name] for name in ("record_id", "patient_id", "split")}
    columns |= {f"y_true:{name}": context.labels[at, k].astype(np.int8) for k, name in enumerate(context.task.classes)}
    columns |= {f"y_prob:{name}": probabilities[:, k] for k, name in enumerate(context.task.classes)}
    columns |= {f"group:{name}": scored[f"group:{name}"] for name in context.task.subgroups}
    return pd.DataFrame(columns).assign(n_votes=n_votes)


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


def _write_outcome(job: Job, context: Context, outcome: Outcome, interruptions: dict[str, Any]) -> None:
    if outcome.probabilities is None:
        seen = context.records.iloc[context.positions(*TRAINED_ON)][["record_id", "patient_id", "digest"]]
        write_text(job.out / TRAINED_ON_TABLE, seen.to_csv(index=False, lineterminator="\n"))
    else:
        with atomic(job.out / "predictions.parquet") as temporary:
            _predictions(context, outcome.probabilities, outcome.n_votes).to_parquet(temporary, index=False)
    write_text(job.out / "history.csv", pd.DataFrame(outcome.history).to_csv(index=False, lineterminator="\n"))
    if outcome.weights is not None:
        from safetensors.torch import save_file

        with atomic(job.out / "model.safetensors") as temporary:
            save_file({name: tensor.contiguous() for name, tensor in outcome.weights.items()}, temporary)
    phases = [phase.to_json() for phase in outcome.phases]
    timing = {"device_name": device_here(job.target.device), "phases": phases, "interruptions": interruptions}
    write_json(job.out / "timing.json", timing)


def _status(job: Job, status: str, reason: str, run_id: str) -> None:
    write_json(job.out / STATUS, {**job.cell.keys, "status": status, "reason": reason, "run_id": run_id})


def _chain(job: Job, data: dict[str, str]) -> list[dict[str, Any]]:
    """What the run stands on and what it left, for `vitalbench verify`."""
    left = {name: job.out / name for name in ("config.json", *RUN_FILES) if (job.out / name).is_file()}
    stands_on: dict[str, Any] = {"pretrained": {"run_id": data["pretrained"]}} if "pretrained" in data else {}
    stands_on |= {
        "store": {"content": data["store"], "manifest.json": file_digest(job.store.with_name("manifest.json"))},
        "split": file_digest(job.split),
        "audit": file_digest(job.receipt),
    }
    if job.chosen:
        stands_on["search"] = job.chosen.sha256
    return chained(stands_on | {"code": job.code, "environment": environment(), "output": hashes(left)})


def _memory(phases: list[Phase]) -> None:
    from vitalbench.measure.memory import peak_memory_mb

    for phase in phases:
        if phase.name == "epoch":
            phase.peak_memory_mb = peak_memory_mb()


def run_cell(job: Job, observer: Unobserved | None = None) -> str:
    """Run a cell, or go on with it where an earlier process was ended, and return its status.

    Args:
        observer: is told how it goes.

    Raises:
        GateError: the receipt is for another split, or another process is at work on the cell. InputError: an input is missing or
        damaged. Interrupted: a signal came; there is no status, so that the cell is run again, and goes on. A failure of the
        training itself is not raised: it is the cell's status.
    """
    run_id = job.run_id()
    job.out.mkdir(parents=True, exist_ok=True)
    with only_one_in(job.out):
        return _run_alone(job, run_id, observer or Unobserved())


def _run_alone(job: Job, run_id: str, observer: Unobserved) -> str:
    for name in (STATUS, *RUN_FILES, *_EVALUATED):
        (job.out / name).unlink(missing_ok=True)  # what an earlier run left says nothing about this one
    write_json(job.out / "config.json", job.config())
    label = job.label
    log = RunLog(job.out / "log.txt", label, go_on=under_way(job.out, run_id))
    together = among()
    checkpoints = checkpoints_of(job, run_id, job.backup, log.tell, together)
    observer.open(log.tell)
    try:
        with Interrupt(job.checkpointing.warning_signal) as interrupt:
            keeper = Keeper(checkpoints, job.checkpointing.checkpoint_minutes, interrupt, log.tell, together)
            status, reason = _run(job, run_id, log, keeper, observer)
            log.note(f"{status} {reason}")
            observer.close(status)
            _status(job, status, reason, run_id)
            if status == "measured":
                checkpoints.end(job.checkpointing.checkpoint_keep)
    except Interrupted as stop:
        left = checkpoints.left()
        log.note(f"{stop}; run again, {left}")
        raise Interrupted(f"{label} {stop}; run again, {left}", stop.number) from None
    finally:
        observer.close("interrupted")  # unless it was closed before
    if status != "measured":
        say(f"{label} {status}: {reason}")
    return status


def _bytes_of(store: Path) -> int:
    """A store and its parts."""
    return sum(path.stat().st_size for path in (store, *store.parent.glob("parts/*")) if path.is_file())


def _run(job: Job, run_id: str, log: RunLog, keeper: Keeper, observer: Unobserved) -> tuple[str, str]:
    """Run a cell; returns status and reason."""
    manifest, receipt = read_json(job.store.with_name("manifest.json")), read_json(job.receipt)
    if (bar := barred(receipt)) is not None:
        return bar
    wrong_device = mismatch(job.target.device, job.target.match, job.target.processes)
    if wrong_device:
        return "refused", wrong_device
    if job.chosen and job.chosen.hindrance:
        return job.chosen.hindrance
    records = records_of(job)
    if job.pretrained is not None:
        status, reason = job.pretrained.ended()
        if status != "measured":
            return (
                "not-allowed" if status == "not-allowed" else "failed",
                f"the run it starts from is {status}: {reason}",
            )
        checks = job.pretrained.audited(records, records.set_index("record_id")["digest"])
        write_json(job.out / AUDITED, {"run_id": job.pretrained.run_id, "checks": [asdict(check) for check in checks]})
        if leaks := leaks_of(checks):
            return "not-allowed", f"the pre-training has seen those that are to be held out: {leaks}"
    keeper.checkpoints.open()
    context = Context(
        job.dataset,
        job.task,
        job.design,
        job.target,
        Store(job.store),
        records,
        labels_of(records, job.task),
        job.cell.seed,
        log.tell,
        keeper,
        observer,
        job.pretrained.encoder if job.pretrained else None,
        _bytes_of(job.store),
        job.judge,
    )
    recipe = importlib.import_module(f"vitalbench.train.recipes.{job.design.recipe.replace('-', '_')}")
    started = utc_now()
    try:
        outcome: Outcome = recipe.fit(context)
        if outcome.probabilities is not None and not np.isfinite(outcome.probabilities).all():
            raise TrainingFailure("the model predicts values that are not finite")
        statistics = _statistics(context, outcome)
    except Interrupted:
        raise
    except (NotAllowed, Stop) as arithmetic:
        return "not-allowed", str(arithmetic)
    except TrainingFailure as failure:
        return "failed", str(failure)
    except Exception as error:  # noqa: BLE001 - a design's crash is a result of the suite; the log has the traceback
        log.note(traceback.format_exc())
        return "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        keeper.close()
    _memory(outcome.phases)
    _write_outcome(job, context, outcome, keeper.told())
    data = job.data()
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
        "interruptions": keeper.told(),
    } | ({"search": job.chosen.evidence} if job.chosen else {})
    write_json(job.out / "provenance.json", provenance() | evidence | {"chain": _chain(job, data)})
    return "measured", ""
