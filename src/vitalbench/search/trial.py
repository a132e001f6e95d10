"""Run one trial of a search: train a design on the training records, score the validation records, leave one file.

A trial has no test record: the table of its context is cut to training and validation, and its store (fence.py) ends the process
that asks for another row. Its file has no time in it, so that a trial gives the same bytes whatever it went through; timing.json
beside it has the seconds.
"""

import importlib
import sys
import traceback
from dataclasses import replace
from typing import Any

import numpy as np

from vitalbench.data.store import Store
from vitalbench.errors import GateError, Interrupted, VitalbenchError
from vitalbench.evaluate.judge import judge_of
from vitalbench.files import only_one_in, read_json, write_json
from vitalbench.interrupt import Interrupt
from vitalbench.measure.clock import Stopwatch, utc_now
from vitalbench.measure.device import device_here, mismatch
from vitalbench.progress import say
from vitalbench.search.fence import Fenced
from vitalbench.search.objective import objective
from vitalbench.search.trial_job import RESULT, TIMING, VALIDATED_ON, TrialJob
from vitalbench.split.audit import barred
from vitalbench.train.among import among
from vitalbench.train.cell import labels_of
from vitalbench.train.checkpoints import Checkpoints, under_way
from vitalbench.train.context import Context, NotAllowed, Outcome, TrainingFailure
from vitalbench.train.keeper import Keeper
from vitalbench.train.launch import launch, ranks_folder
from vitalbench.train.observer import Stop, Unobserved
from vitalbench.train.ranks import is_rank, own_folder, rank
from vitalbench.train.run_log import RunLog
from vitalbench.train.shared_checkpoints import checkpoints_of
from vitalbench.train.spread import as_rank, interrupted, reason_of

_HISTORY = ("epoch", "train_loss", "val_loss")
_FACTS = ("parameters", "steps", "epochs", "kept_epoch")


def _left(trial: TrialJob, status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """A trial's file."""
    return {
        **trial.place.keys, "trial": trial.number, "round": trial.round, "seed": trial.job.cell.seed, "status": status,
        "reason": reason, "parameters": trial.parameters, "metric": trial.metric, "direction": trial.direction,
        "value": None, "permitted": trial.permitted, **more,
    }  # fmt: skip


def _scored(trial: TrialJob, context: Context, outcome: Outcome) -> dict[str, Any]:
    at = context.positions(VALIDATED_ON)
    if not len(at):
        raise TrainingFailure("there is no validation record to search by")
    assert outcome.probabilities is not None  # a design of pre-training is not searched
    if not np.isfinite(outcome.probabilities).all():
        raise TrainingFailure("the model predicts values that are not finite")
    labels, task = context.labels[at], context.task
    value = objective(labels, outcome.probabilities, task, trial.metric)
    history = [{name: row[name] for name in _HISTORY} for row in outcome.history]
    facts = {name: outcome.facts[name] for name in _FACTS if name in outcome.facts}
    return {"value": value, "history": history, "facts": facts}


def _trained(trial: TrialJob, log: RunLog, keeper: Keeper, observer: Unobserved) -> dict[str, Any]:
    """Train and score; returns the trial's file. Only what a training can die of makes a failed trial: a full disk is none."""
    job = trial.job
    wrong_device = mismatch(job.target.device, job.target.match, job.target.processes)
    if wrong_device:
        return _left(trial, "refused", wrong_device)
    if (bar := barred(read_json(job.receipt))) is not None:
        return _left(trial, *bar)
    keeper.checkpoints.open()
    records = trial.records
    why = f"among the {len(records)} training and validation records of this search"
    store = Fenced(Store(job.store), records["row"].to_numpy(dtype=np.intp), why)
    context = Context(
        job.dataset, job.task, job.design, job.target, store, records, labels_of(records, job.task),
        job.cell.seed, log.tell, keeper, observer, judge=judge_of(job.task, trial.metric),
    )  # fmt: skip
    recipe = importlib.import_module(f"vitalbench.train.recipes.{job.design.recipe.replace('-', '_')}")
    try:
        found = _scored(trial, context, recipe.fit(context))
    except (VitalbenchError, OSError):
        raise
    except Stop as stop:  # no result of these values: the trial is run again, and goes on
        raise GateError(f"{trial.label} stopped: {stop}") from None
    except NotAllowed as arithmetic:
        return _left(trial, "not-allowed", str(arithmetic), read=trial.read(store.rows_read))
    except TrainingFailure as failure:
        return _left(trial, "failed", str(failure), read=trial.read(store.rows_read))
    except Exception as error:  # noqa: BLE001 - these values' crash is a result of the search; the log has the traceback
        log.note(traceback.format_exc())
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return _left(trial, "failed", reason, read=trial.read(store.rows_read))
    finally:
        keeper.close()
    return _left(trial, "measured", read=trial.read(store.rows_read), **found)


def _here(trial: TrialJob, observer: Unobserved) -> str:
    """Run a trial in this process, or go on with it where an earlier process was ended."""
    trial.job.data()
    trial.job.out.mkdir(parents=True, exist_ok=True)
    with only_one_in(trial.job.out):
        return _alone(trial, observer)


def _alone(trial: TrialJob, observer: Unobserved) -> str:
    job = trial.job
    (job.out / RESULT).unlink(missing_ok=True)
    identity, started, watch = trial.identity(), utc_now(), Stopwatch()
    log = RunLog(job.out / "log.txt", trial.label, go_on=under_way(job.out, identity))
    log.tell(" ".join(f"{key}={value}" for key, value in trial.parameters.items()))
    together = among()
    checkpoints = checkpoints_of(job, identity, None, log.tell, together)
    observer.open(log.tell)
    try:
        with Interrupt(job.checkpointing.warning_signal) as interrupt:
            keeper = Keeper(checkpoints, job.checkpointing.checkpoint_minutes, interrupt, log.tell, together)
            left = _trained(trial, log, keeper, observer)
            timing = {"started": started, "seconds": round(watch.lap(), 4), "interruptions": keeper.told()}
            write_json(job.out / TIMING, {"device_name": device_here(job.target.device), **timing})
            write_json(job.out / RESULT, left)
            observer.close(str(left["status"]))
            checkpoints.end("none")
    except Interrupted as stop:
        raise Interrupted(f"{trial.label} {stop}; run again, {checkpoints.left()}", stop.number) from None
    finally:
        observer.close("interrupted")  # unless it was closed before
    shown = left["reason"] if left["value"] is None else f"{trial.metric} {left['value']:.4f} on validation"
    log.tell(f"{left['status']}: {shown}")
    return str(left["status"])


def run_trial(trial: TrialJob, observer: Unobserved | None = None) -> str:
    """Run a trial as its target says, and return its status.

    Args:
        observer: is told how it goes.

    Raises:
        GateError: a record was asked for that the search may not see; the receipt is for another split; a budget does not suffice;
            or processes ended before one could say why. Then there is no file, and the trial is run again.
        InputError: an input is missing or damaged. Interrupted: a signal came; run again it goes on.
    """
    job, observer = trial.job, observer or Unobserved()
    if is_rank():
        own = replace(trial, job=replace(job, out=own_folder(), saved_in=job.out)) if rank() else trial
        return as_rank(lambda: _here(own, observer))
    if not job.target.launched:
        return _here(trial, observer)
    job.data()
    (job.out / RESULT).unlink(missing_ok=True)
    with ranks_folder() as folder:
        try:
            code = launch(sys.argv[1:], job.target, folder)
        except Interrupted as stop:
            raise interrupted(
                stop, trial.label, job.out / RESULT, Checkpoints(job.out, trial.identity(), None, say)
            ) from None
        if code == 0 and (job.out / RESULT).is_file():
            return str(read_json(job.out / RESULT)["status"])
        reason = reason_of(job, folder, RESULT)
    if reason is None:
        raise GateError(f"{job.out}: a process of the trial ended with exit code {code} before it could say why")
    write_json(job.out / RESULT, _left(trial, "failed", reason))
    return "failed"
