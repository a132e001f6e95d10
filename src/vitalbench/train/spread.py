"""Run a cell as its target says: in this process, or as several that this one starts."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vitalbench.errors import Interrupted
from vitalbench.files import read_json, write_json
from vitalbench.progress import say
from vitalbench.train.cell import STATUS, run_cell
from vitalbench.train.checkpoints import Checkpoints
from vitalbench.train.job import Job
from vitalbench.train.launch import launch, ranks_folder
from vitalbench.train.observer import Unobserved
from vitalbench.train.ranks import is_rank, own_folder, rank


def _failures(job: Job, folder: Path, result: str) -> list[tuple[int, str]]:
    """Which processes failed and why, the first to fail first."""
    found = []
    for number in range(job.target.processes):
        left = (own_folder(folder, number) if number else job.out) / result
        if left.is_file() and (status := read_json(left))["status"] == "failed":
            found.append((left.stat().st_mtime_ns, number, str(status["reason"])))
    return [(number, reason) for _, number, reason in sorted(found)]


def reason_of(job: Job, folder: Path, result: str = STATUS) -> str | None:
    """Why processes failed. What one of them died of comes before what the others then missed of it; None where none says.

    Args:
        folder: where the processes other than the first left theirs.
        result: the file in which each says how it ended.
    """
    failures = _failures(job, folder, result)
    if not failures:
        return None
    number, reason = failures[0]
    if reason in [told for other, told in failures if other == 0]:
        return reason
    (job.out / "log.txt").write_bytes((own_folder(folder, number) / "log.txt").read_bytes())
    return f"process {number} of {job.target.processes}: {reason}"


def as_rank(work: Callable[[], str]) -> str:
    """Do the work of one of several processes. Of a signal that ends all of them their launcher tells."""
    try:
        return work()
    except Interrupted as stop:
        raise SystemExit(stop.exit_code) from None


def interrupted(stop: Interrupted, label: str, result: Path, checkpoints: Checkpoints) -> Interrupted:
    """What is told of a run of several processes that a signal ended; what one of them then made of the others' end is no result.

    Args:
        result: the file in which the first process says how the run ended.
    """
    if result.is_file() and read_json(result)["status"] == "failed":
        result.unlink()
    return Interrupted(f"{label} {stop}; run again, {checkpoints.left()}", stop.number)


def run_spread(job: Job, observer: Unobserved) -> str:
    """Run a cell and return its status, `failed` with the reason of the process that failed first.

    Args:
        observer: is told how the process goes that writes the run's files; of several, the first.

    Raises:
        GateError: the receipt is for another split. InputError: an input is missing or damaged. Interrupted: a signal came.
    """
    if is_rank():
        own = replace(job, out=own_folder(), saved_in=job.out) if rank() else job
        return as_rank(lambda: run_cell(own, observer))
    if not job.target.launched:
        return run_cell(job, observer)
    run_id = job.run_id()
    (job.out / STATUS).unlink(missing_ok=True)
    with ranks_folder() as folder:
        try:
            code = launch(sys.argv[1:], job.target, folder)
        except Interrupted as stop:
            raise interrupted(
                stop, job.label, job.out / STATUS, Checkpoints(job.out, run_id, job.backup, say)
            ) from None
        left = read_json(job.out / STATUS) if (job.out / STATUS).is_file() else {}
        if left and code == 0:
            return str(left["status"])
        failed = {
            **job.cell.keys,
            "status": "failed",
            "reason": reason_of(job, folder) or f"a process ended with exit code {code} before it could say why",
            "run_id": run_id,
        }
    write_json(job.out / STATUS, failed)
    return "failed"
