"""Who watches a job: everyone that the suite's configuration names, from the slice it was resolved to."""

import shlex
from pathlib import Path

from vitalbench import layout
from vitalbench.config.strict import validated
from vitalbench.config.watching import Watch
from vitalbench.files import read_json
from vitalbench.results import Results
from vitalbench.train.job import Job
from vitalbench.watch.aside import Aside
from vitalbench.watch.budget import Budget, Others
from vitalbench.watch.event_files import EventFiles
from vitalbench.watch.identity import Identity
from vitalbench.watch.mlflow_run import MlflowRun
from vitalbench.watch.observers import Listener, Observers
from vitalbench.watch.progress import ProgressFile
from vitalbench.watch.spent import Spent, usd_of_suite
from vitalbench.watch.wandb_run import WandbRun


def read_watch(results: Path) -> Watch:
    """How a suite's runs are watched; the defaults where it was resolved without saying so."""
    path = results / layout.WATCH_SLICE
    return validated(Watch, dict(read_json(path)) if path.is_file() else {}, path)


def observers_of(results: Results, job: Job) -> Observers:
    """Everyone who is told of a job.

    Raises:
        GateError, InputError: what the job stands on is not what it should be.
    """
    run_id, watch = job.run_id(), read_watch(results.folder)
    told = _Told(results.folder, watch, job, run_id)
    identity = Identity.of(job, run_id, results.folder.name)
    trackers: list[Listener] = [EventFiles(job.out, run_id)]
    if "wandb" in watch.trackers:
        trackers.append(Aside(WandbRun(job.out, identity)))
    if "mlflow" in watch.trackers:
        trackers.append(Aside(MlflowRun(results.folder, identity)))
    resume = f"vitalbench runs resume {job.cell.path} --results {shlex.quote(str(results.folder))}"
    return Observers([told.progress, *trackers], told.budget(resume))


def observers_of_trial(results: Results, job: Job, identity: str) -> Observers:
    """Who is told of a trial of a search: whoever watches, and the budget, a cell's for each trial and the suite's for all.

    Args:
        identity: the hash of what the trial's course depends on.
    """
    told = _Told(results.folder, read_watch(results.folder), job, identity)
    return Observers([told.progress], told.budget("snakemake"))


class _Told:
    """The progress file of a job, and the budget that counts on it."""

    def __init__(self, results: Path, watch: Watch, job: Job, run_id: str) -> None:
        self._watch, self._target, self._session_hours = watch, job.cell.target, job.target.session_hours
        self._spent = Spent(job.out, run_id)
        self._others = Others(
            (lambda: usd_of_suite(results, watch, job.out)) if watch.budget_suite_usd is not None else lambda: 0.0
        )
        self.progress = ProgressFile(
            job.out, run_id, job.target, self._target, watch, self._spent, besides=self._others.refresh
        )

    def budget(self, resume: str) -> Budget:
        """`resume`: the command that lets the job go on."""
        return Budget(self._watch, self._target, self._spent, self._others, resume, self._session_hours)
