"""How the workflow grows with its cells: `python -m tests.benchmarks.scale 100 1000`.

A suite of so many cells (10 designs, 5 folds, the rest seeds) is planned from nothing, run again with nothing to do, and planned
after one design changed. Nothing is trained: outputs are empty files that `snakemake --touch` declares made. Told are the seconds
of a processor, which other work on the machine changes little, those of the wall, and the most memory the process had.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import yaml

from tests.workflow.conftest import BIN, copy_project, jobs
from vitalbench.measure.clock import Stopwatch

DESIGNS, FOLDS = 10, 5
SUITE = ["--config", "suite=scale"]


def make(project: Path, cells: int) -> None:
    """Write a project with a suite of so many cells."""
    copy_project(project)
    design = (project / "configs/designs/xresnet1d101.yaml").read_text()
    names = [f"scale-{number}" for number in range(DESIGNS)]
    for name in names:
        (project / f"configs/designs/{name}.yaml").write_text(design)
    grid = {"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": names}
    grid |= {"folds": list(range(FOLDS)), "seeds": list(range(cells // DESIGNS // FOLDS))}
    suite = {"description": "many cells", "source": "generated", "size": "small", "grids": [grid]}
    (project / "configs/suites/scale.yaml").write_text(yaml.safe_dump(suite))


def run(project: Path, what: str, *arguments: str) -> str:
    """Run snakemake, print what it took, and return what it said."""
    said = project / "said.txt"
    with said.open("w") as out:
        watch = Stopwatch()
        line = [str(BIN / "snakemake"), *arguments]
        environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        started = subprocess.Popen(line, cwd=project, stdout=out, stderr=subprocess.STDOUT, env=environment)
        _, status, used = os.wait4(started.pid, 0)
        wall = watch.lap()
    found = said.read_text()
    if status:
        raise SystemExit(f"{what}: {found[-2000:]}")
    spent = used.ru_utime + used.ru_stime  # processor time: other work makes it little longer
    print(f"  {what:<34}{spent:7.1f} s of a processor {wall:7.1f} s {used.ru_maxrss / 1e3:7.0f} MB")
    return found


def made_up(project: Path) -> int:
    """Every output of the suite as an empty file, all of one time."""
    rows = run(project, "list of all outputs", "--summary", *SUITE).splitlines()
    outputs = [project / row.split("\t")[0] for row in rows if row.startswith("results/")]
    for path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name != "figures":
            path.touch()
        else:
            path.mkdir(exist_ok=True)
    return len(outputs)


def grow(project: Path, cells: int, only_plan: bool) -> None:
    """Measure a suite of so many cells; planning it is all that is done where only that is asked for."""
    make(project, cells)
    print(f"{cells} cells; load {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors")
    planned = jobs(run(project, "dry run from nothing", "--dry-run", *SUITE))
    print(f"  {sum(planned.values())} jobs, {planned['train_cell']} of them trainings")
    if only_plan:
        return
    print(f"  {made_up(project)} outputs")
    run(project, "declared made", "--touch", "--cores", "1", *SUITE)
    if "Nothing to be done" not in run(project, "run with nothing to do", "--cores", "1", *SUITE):
        raise SystemExit("there was something to do")
    design = project / "configs/designs/scale-0.yaml"
    design.write_text(design.read_text().replace("epochs: 6", "epochs: 7"))
    changed = jobs(run(project, "dry run after one design changed", "--dry-run", *SUITE))
    print(f"  {changed['train_cell']} trainings again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="+", type=int, help=f"a multiple of {DESIGNS * FOLDS}")
    parser.add_argument("--only-plan", action="store_true", help="from nothing, and nothing else")
    given = parser.parse_args()
    for cells in given.cells:
        with tempfile.TemporaryDirectory() as folder:
            grow(Path(folder) / "project", cells, given.only_plan)


if __name__ == "__main__":
    main()
