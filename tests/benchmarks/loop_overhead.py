"""What the engine adds to a plain training loop: `python -m tests.benchmarks.loop_overhead [EPOCHS] [DESIGN] [small|full]`.

A cell of the default suite's records is trained by its job's own code (checkpoints, progress, event files, read-ahead). After
each of its batches a loop written plainly in torch takes one too: same model, batches, optimiser, schedule and validation, and in
the end the same weights. What other work does to the machine so falls on both alike. Held against each other, epoch by epoch, are
the main thread's seconds of the processor, without the reading of records, which is the same code in both. What a job takes beside
training (start, imports, records, model, scores, files) is told apart, of a process of its own.
"""

import argparse
import copy
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen
from time import thread_time  # processor time: what the rest of the machine makes little longer
from typing import Any

import torch

from tests.benchmarks.resume_cost import cell_of, prepare
from tests.conftest import ROOT
from tests.workflow.conftest import BIN, copy_project
from vitalbench.config.folder import ConfigFolder
from vitalbench.results import Results
from vitalbench.train import engine
from vitalbench.train.cell import run_cell
from vitalbench.train.job import job_of
from vitalbench.train.losses import loss_function
from vitalbench.train.optimiser import make_optimiser, make_schedule
from vitalbench.watch.of_job import observers_of

SEED = 0


class Plain:
    """The loop that a paper's appendix would show, a batch or a validation at a time; `seconds` is what it has taken."""

    def __init__(self, model: Any, batches: Any, settings: Any, kind: Any, training: Any, validation: Any) -> None:
        self.model, self._loss = model, loss_function(kind)
        self._batches, self._settings, self._training, self._validation = batches, settings, training, validation
        self._optimiser = make_optimiser(model, settings)
        steps = batches.steps(len(training), settings.drop_last) * settings.epochs
        self._schedule = make_schedule(self._optimiser, settings, steps)
        self._random = torch.get_rng_state()
        self._left: Any = iter(())
        self.seconds = 0.0

    def batch(self, epoch: int) -> None:
        made = next(self._left, None)
        if made is None:
            those = self._training
            self._left = self._batches.epoch(those.rows, those.labels, SEED, epoch, self._settings.drop_last)
            made = next(self._left)
        others, start = torch.get_rng_state(), thread_time()
        torch.set_rng_state(self._random)
        self.model.train()
        self._optimiser.zero_grad()
        loss = self._loss(self.model(made[0]), made[1])
        loss.backward()
        if self._settings.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.clip_norm)
        self._optimiser.step()
        self._schedule.step()
        loss.item()
        self._random = torch.get_rng_state()
        self.seconds += thread_time() - start
        torch.set_rng_state(others)

    def validate(self) -> None:
        windows = list(self._batches.windows(self._validation.rows))
        start = thread_time()
        self.model.eval()
        with torch.no_grad():
            for x, some in windows:
                self._loss(self.model(x), torch.from_numpy(self._validation.labels[some])).item()
        self.seconds += thread_time() - start


class Beside:
    """Listens as the job's observer does, and has the plain loop do the same work beside."""

    def __init__(self, observer: Any, plain: Plain) -> None:
        self._observer, self._plain = observer, plain
        self._beside, self._since, self._before = 0.0, thread_time(), 0.0
        self.epochs: list[tuple[float, float]] = []  # seconds of the engine, of the plain loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._observer, name)

    def batch(self, course: Any, loss: float) -> None:
        self._observer.batch(course, loss)
        start = thread_time()
        self._plain.batch(course.epoch)
        self._beside += thread_time() - start

    def epoch(self, course: Any, row: Any) -> None:
        self._observer.epoch(course, row)
        start = thread_time()
        self._plain.validate()
        self._beside += thread_time() - start
        self.lap()

    def lap(self) -> None:
        """What is saved after an epoch counts to the next one."""
        now = thread_time()
        self.epochs.append((now - self._since - self._beside, self._plain.seconds - self._before))
        self._since, self._beside, self._before = now, 0.0, self._plain.seconds


def both(train: Any, made: list[Beside]) -> Any:
    """The engine's training with the plain one beside it."""

    def trained(
        accelerator: Any, model: Any, batches: Any, settings: Any, kind: Any, *examples: Any, **rest: Any
    ) -> Any:
        plain = Plain(copy.deepcopy(model), batches, settings, kind, *examples)
        beside = Beside(rest.pop("observer"), plain)
        made.append(beside)
        found = train(accelerator, model, batches, settings, kind, *examples, observer=beside, **rest)
        weights = found.model.state_dict()
        if not all(torch.equal(weights[name], value) for name, value in plain.model.state_dict().items()):
            sys.exit("the two loops do not leave the same weights: they are not the same work")
        return found

    return trained


def whole_job(project: Path, design: str) -> float:
    """Seconds of the processor of a training job's process."""
    line = [str(BIN / "vitalbench"), "train", "--results", "results/cost", "--cell", cell_of(design)]
    _, status, used = os.wait4(Popen(line, cwd=project, stderr=DEVNULL).pid, 0)
    if status:
        sys.exit(f"{' '.join(line)}: ended with {status}")
    return used.ru_utime + used.ru_stime  # processor time: other work makes it little longer


def main(epochs: int, design: str, size: str) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        project = copy_project(Path(name))
        target = project / "configs/targets/cpu.yaml"
        target.write_text(target.read_text().replace("threads: 2", "threads: 1"))
        prepare(project, design, epochs, full=size == "full")
        os.chdir(project)
        results = Results(Path("results/cost"))
        cell = next(result.cell for result in results.cells if result.cell.path == cell_of(design))
        job = replace(job_of(results, cell), out=project / "beside")
        made: list[Beside] = []
        engine.train = both(engine.train, made)
        status = run_cell(job, observers_of(results, job))
        if status != "measured":
            sys.exit((job.out / "log.txt").read_text())
        taken = made[0].epochs
        whole = whole_job(project, design)
    first, later = taken[0], taken[1:]
    ratios = sorted(mine / plain - 1 for mine, plain in later)
    mine, plain = (median(seconds) for seconds in zip(*later, strict=True))
    total = sum(mine for mine, _ in taken) / sum(plain for _, plain in taken) - 1
    print(
        f"load of the machine  {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; {design}, {size}, {epochs} epochs"
    )
    print(f"an epoch             engine {mine:.3f} s, plain {plain:.3f} s of a processor")
    spread = f"{ratios[0]:+.2%} to {ratios[-1]:+.2%}"
    print(f"the engine adds      {median(ratios):+.2%} of an epoch ({spread}), {total:+.2%} in all")
    print(f"the first epoch      engine {first[0]:.3f} s, plain {first[1]:.3f} s: what is set up once is in it")
    beside = whole - sum(mine for mine, _ in taken)
    print(f"the whole job        {whole:.1f} s of a processor, {beside:.1f} s of them beside its epochs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.loop_overhead", description=__doc__)
    parser.add_argument(
        "epochs",
        type=int,
        nargs="?",
        default=10,
        choices=range(2, 1000),
        metavar="EPOCHS",
        help="2 or more; default: 10",
    )
    designs = ConfigFolder(ROOT / "configs").names("designs")
    parser.add_argument("design", nargs="?", default="xresnet1d101", choices=designs, metavar="DESIGN")
    parser.add_argument("size", nargs="?", default="small", choices=["small", "full"])
    given = parser.parse_args()
    main(given.epochs, given.design, given.size)
