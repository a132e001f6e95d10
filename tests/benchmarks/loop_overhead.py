"""What the engine adds to a plain training loop: `python -m tests.benchmarks.loop_overhead [PAIRS] [EPOCHS] [DESIGN]`.

A cell of the default suite's records is trained by its job's own code (checkpoints, progress, event files, read-ahead), and by a
loop written plainly in torch: same model, batches, optimiser, schedule and validation, and in the end the same weights; in turn, in
one process, on one thread. Held against each other are the seconds of the processor, which other work on the machine changes least.
What a job does beside its training (start, imports, records, model, scores, files) is told apart, of a process of its own.
"""

import copy
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen
from time import perf_counter, process_time
from typing import Any

import torch

from tests.benchmarks.resume_cost import cell_of, prepare
from tests.workflow.conftest import BIN, copy_project
from vitalbench.results import Results
from vitalbench.train import engine
from vitalbench.train.cell import run_cell
from vitalbench.train.job import Job, job_of
from vitalbench.train.losses import loss_function
from vitalbench.train.optimiser import make_optimiser, make_schedule
from vitalbench.watch.of_job import observers_of

SEED = 0
Took = tuple[float, float]  # seconds of the processor, seconds of the wall


def plainly(model: torch.nn.Module, batches: Any, settings: Any, kind: Any, training: Any, validation: Any) -> None:
    """The loop that a paper's appendix would show."""
    torch.manual_seed(SEED)
    optimiser, loss_of = make_optimiser(model, settings), loss_function(kind)
    schedule = make_schedule(optimiser, settings, batches.steps(len(training), settings.drop_last) * settings.epochs)
    for epoch in range(1, settings.epochs + 1):
        model.train()
        for x, y, _ in batches.epoch(training.rows, training.labels, SEED, epoch, settings.drop_last):
            optimiser.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            if settings.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
            optimiser.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            for x, some in batches.windows(validation.rows):
                loss_of(model(x), torch.from_numpy(validation.labels[some])).item()


class Pair:
    """The engine's training and the plain one of one job, in turn."""

    def __init__(self, results: Results, job: Job) -> None:
        self._results, self._job, self._train = results, job, engine.train
        self.engine: list[Took] = []
        self.plain: list[Took] = []

    def run(self) -> None:
        """One of each; the engine's through the whole of the cell's own code."""
        engine.train = self._both  # type: ignore[assignment]
        shutil.rmtree(self._job.out, ignore_errors=True)
        status = run_cell(self._job, observers_of(self._results, self._job))
        if status != "measured":
            sys.exit(f"the cell is {status}: {(self._job.out / 'log.txt').read_text()}")

    def _both(
        self, accelerator: Any, model: Any, batches: Any, settings: Any, kind: Any, *examples: Any, **rest: Any
    ) -> Any:
        other = copy.deepcopy(model)
        torch.manual_seed(SEED)
        trained = self._timed(
            self.engine, lambda: self._train(accelerator, model, batches, settings, kind, *examples, **rest)
        )
        self._timed(self.plain, lambda: plainly(other, batches, settings, kind, *examples))
        found, expected = trained.model.state_dict(), other.state_dict()
        if not all(torch.equal(found[name], expected[name]) for name in expected):
            sys.exit("the two loops do not leave the same weights: they are not the same work")
        return trained

    @staticmethod
    def _timed(into: list[Took], call: Any) -> Any:
        cpu, wall = process_time(), perf_counter()
        made = call()
        into.append((process_time() - cpu, perf_counter() - wall))
        return made


def whole_job(project: Path, design: str) -> float:
    """Seconds of the processor of a training job's process."""
    line = [str(BIN / "vitalbench"), "train", "--results", "results/cost", "--cell", cell_of(design)]
    _, status, used = os.wait4(Popen(line, cwd=project, stderr=DEVNULL).pid, 0)
    if status:
        sys.exit(f"{' '.join(line)}: ended with {status}")
    return used.ru_utime + used.ru_stime


def main(pairs: int, epochs: int, design: str) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        project = copy_project(Path(name))
        target = project / "configs/targets/cpu.yaml"
        target.write_text(target.read_text().replace("threads: 2", "threads: 1"))
        prepare(project, design, epochs)
        job_cpu = whole_job(project, design)
        os.chdir(project)
        results = Results(Path("results/cost"))
        cell = next(result.cell for result in results.cells if result.cell.path == cell_of(design))
        job = job_of(results, cell)
        pair = Pair(results, replace(job, out=project / "again"))
        for _ in range(pairs):
            pair.run()
    ratios = [engines[0] / plain[0] - 1 for engines, plain in zip(pair.engine, pair.plain, strict=True)]
    cpu, plain_cpu = (median(took[0] for took in taken) for taken in (pair.engine, pair.plain))
    print(
        f"load of the machine  {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; {design}, {epochs} epochs, {pairs} pairs"
    )
    print(
        f"the engine           {cpu:.2f} s of a processor, {median(took[1] for took in pair.engine):.2f} s of the wall"
    )
    print(
        f"the plain loop       {plain_cpu:.2f} s of a processor, {median(took[1] for took in pair.plain):.2f} s of the wall"
    )
    print(
        f"the engine adds      {median(ratios):+.1%} (pairs: {', '.join(f'{ratio:+.1%}' for ratio in sorted(ratios))})"
    )
    print(f"  of an epoch        {(cpu - plain_cpu) / epochs * 1e3:+.0f} ms of {plain_cpu / epochs * 1e3:.0f} ms")
    print(
        f"apart: the job's own {job_cpu - cpu:.1f} s of a processor for start, imports, records, model, scores and files"
    )


if __name__ == "__main__":
    given = sys.argv[1:] + ["3", "10", "xresnet1d101"][len(sys.argv) - 1 :]
    main(int(given[0]), int(given[1]), given[2])
