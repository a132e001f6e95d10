"""What saving and going on cost: `python -m tests.benchmarks.resume_cost [MINUTES] [DESIGN]`, by default 5 minutes.

A cell of the default suite's records is trained for about so long by a process of its own, ended by SIGTERM half way and gone on
with. Every figure is the run's own, of timing.json and provenance.json: the wall time of a shared machine tells little. Imports and
setting up, which the second process does again, and work that was lost are told apart. The load of the machine is printed beside.
"""

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from tests.workflow.conftest import BIN, copy_project, snakemake
from vitalbench.files import read_json
from vitalbench.measure.clock import Stopwatch
from vitalbench.train.checkpoints import listed, position_of
from vitalbench.train.sealed import size_of


def cell_of(design: str) -> str:
    return f"ptbxl/superdiagnostic/{design}/cpu/seed0-fold0"


def prepare(project: Path, design: str, epochs: int, full: bool = False) -> None:
    """Write the design with so many epochs, its network whole or the small one, and make all that its training job asks for."""
    path = project / "configs/designs" / f"{design}.yaml"
    described = yaml.safe_load(path.read_text())
    described["small"].setdefault("train", {})["epochs"] = epochs
    if full:
        described["small"].pop("model", None)
    described["train"]["early_stopping"] = None
    path.write_text(yaml.safe_dump(described))
    suite = yaml.safe_load((project / "configs/suites/quick.yaml").read_text())
    suite["grids"] = [{"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": [design]}]
    (project / "configs/suites/cost.yaml").write_text(yaml.safe_dump(suite))
    found = snakemake(project, "--cores", "2", "split", "--config", "suite=cost")
    if found.returncode:
        sys.exit(found.stdout[-3000:])


def started(project: Path, design: str) -> subprocess.Popen[bytes]:
    command = [str(BIN / "vitalbench"), "train", "--results", "results/cost", "--cell", cell_of(design)]
    return subprocess.Popen(command, cwd=project, stderr=subprocess.DEVNULL)


def seconds_of(run: Path, phase: str) -> list[float]:
    return next((one["seconds"] for one in read_json(run / "timing.json")["phases"] if one["name"] == phase), [])


def interrupted(project: Path, design: str, epochs: int) -> tuple[Path, float]:
    """Train, end it by SIGTERM half way, go on; the run's folder and the wall time of both processes."""
    run, watch = project / "results/cost/runs" / cell_of(design), Stopwatch()
    first = started(project, design)
    while True:
        there = [path for folder in (run / "checkpoints").glob("*") for path in listed(folder)]
        if there and position_of(there[-1].name)[0] > epochs // 2:
            break
        try:
            first.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
        sys.exit("the run ended before it was interrupted")
    first.send_signal(signal.SIGTERM)
    if first.wait() != 128 + signal.SIGTERM or started(project, design).wait() != 0:
        sys.exit((run / "log.txt").read_text())
    return run, watch.lap()


def report(run: Path, wall: float) -> None:
    """Print the figures."""
    told: dict[str, Any] = read_json(run / "provenance.json")["interruptions"]
    epochs, saves = seconds_of(run, "epoch"), seconds_of(run, "checkpoint")
    (last,) = [listed(folder)[-1] for folder in (run / "checkpoints").glob("*")]
    cost = told["resume_seconds"] + max(saves)
    print(f"load of the machine  {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"training             {sum(epochs):.1f} s in {len(epochs)} epochs, {median(epochs):.2f} s each")
    print(
        f"a checkpoint         {size_of(last) / 1e6:.2f} MB, {median(saves) * 1e3:.1f} ms, {max(saves) * 1e3:.1f} ms at most"
    )
    print(f"checkpoints          {len(saves)}, {sum(saves):.2f} s, {sum(saves) / sum(epochs):.2%} of training")
    print(
        f"going on once        {cost:.3f} s: {told['resume_seconds']:.3f} s to check and read, the rest the longest save"
    )
    print(f"  of training        {cost / sum(epochs):.3%}")
    print(
        f"apart: set up again  {told['setup_again_seconds']:.1f} s of imports, opening the store, fitting the scale, building"
    )
    print(f"apart: done again    {told['lost_steps']} batches, {told['lost_seconds']:.1f} s")
    print(f"wall                 {wall:.1f} s, both processes")


def main(minutes: float, design: str) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        project = copy_project(Path(name))
        prepare(project, design, 1)
        run = project / "results/cost/runs" / cell_of(design)
        if started(project, design).wait():
            sys.exit((run / "log.txt").read_text())
        epochs = max(2, math.ceil(minutes * 60 / seconds_of(run, "epoch")[0]))
        shutil.rmtree(run)
        prepare(project, design, epochs)
        report(*interrupted(project, design, epochs))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0, sys.argv[2] if len(sys.argv) > 2 else "xresnet1d101")
