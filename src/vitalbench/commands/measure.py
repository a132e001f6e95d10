"""Time a design on generated batches of a data set's shape, without training it.

Phases: import, build, train_step, inference. Exit 1 where the device found is not the one the target declares.
"""

import argparse
from pathlib import Path

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.schema import Design, Protocol, Target, TaskData
from vitalbench.config.strict import validated
from vitalbench.data.build import DataFolder
from vitalbench.errors import ConfigError, GateError, choices
from vitalbench.files import read_json, write_json
from vitalbench.layout import MEASURE_SLICE, TARGET_SLICE, TASK_SLICE
from vitalbench.measure.device import device_here, mismatch
from vitalbench.measure.phases import Phase
from vitalbench.measure.steps import PHASES, measure
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--design", metavar="NAME")
    parser.add_argument("--dataset", metavar="NAME")
    parser.add_argument("--target", default="cpu", metavar="NAME", help="default: cpu")
    parser.add_argument("--task", metavar="NAME", help="default: the first task a suite asks of the data set")
    parser.add_argument(
        "--size", default="full", choices=["small", "full"], help="which size of the design (default full)"
    )
    parser.add_argument("--phase", default=",".join(PHASES), metavar="P,...", help=f"default: {','.join(PHASES)}")
    parser.add_argument("--out", type=Path, help="timing.csv")
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--results", type=Path, help="instead of names: results/<suite>, with --measurement")
    parser.add_argument("--measurement", metavar="DATASET/TASK/DESIGN/TARGET", help="which measurement of the suite")
    parser.add_argument("--exclusive", action="store_true", help="the caller keeps the machine free of other work")


def _first_task(folder: ConfigFolder, dataset: str) -> str:
    for name in folder.names("suites"):
        for grid in folder.suite(name).grids:
            if dataset in grid.datasets:
                return grid.tasks[0]
    raise ConfigError(f"--task: no suite asks anything of data set '{dataset}', so name a task")


def _with_model(design: Design, name: str) -> Design:
    if design.model is None:
        raise ConfigError(f"design '{name}' has no model to time: its recipe is '{design.recipe}'")
    return design


def _measured(
    design: Design,
    dataset: DatasetBuild,
    task: TaskData,
    target: Target,
    protocol: Protocol,
    phases: list[str],
    exclusive: bool,
) -> list[Phase]:
    wrong = mismatch(target.device, target.match)
    if wrong:
        raise GateError(f"refused: {wrong}")
    return measure(design, dataset, task, target, protocol, phases, exclusive)


def _of_suite(args: argparse.Namespace) -> None:
    results = Results(args.results)
    parts = args.measurement.split("/")
    if len(parts) != 4:
        raise ConfigError(f"--measurement {args.measurement!r}: write DATASET/TASK/DESIGN/TARGET")
    dataset, task, design, target = parts
    for kind, name in (("datasets", dataset), ("tasks", task), ("designs", design), ("targets", target)):
        if name not in results.suite[kind]:
            raise ConfigError(
                f"--measurement: the suite has no {kind[:-1]} named {name!r}; {choices(name, results.suite[kind])}"
            )
    timed = read_json(args.results / MEASURE_SLICE.format(design=design))
    silicon = validated(Target, read_json(args.results / TARGET_SLICE.format(target=target))["config"], target)
    question = validated(TaskData, read_json(args.results / TASK_SLICE.format(task=task))["config"], task)
    phases = _measured(
        _with_model(validated(Design, timed["config"], design), design),
        DataFolder(results.store_folder(dataset)).config,
        question,
        silicon,
        validated(Protocol, timed["protocol"], design),
        list(PHASES),
        args.exclusive,
    )
    left = {"device_name": device_here(silicon.device), "phases": [phase.to_json() for phase in phases]}
    write_json(args.results / "measure" / f"{args.measurement}.json", left)


def run(args: argparse.Namespace) -> None:
    """Measure."""
    if args.results and args.measurement:
        _of_suite(args)
        return
    if not (args.design and args.dataset and args.out):
        raise ConfigError("vitalbench measure: needs --design NAME, --dataset NAME and --out timing.csv")
    folder = ConfigFolder(args.configs)
    design = _with_model(folder.design(args.design, args.size, "--design"), args.design)
    target = folder.target(args.target, "--target")
    dataset = folder.dataset(args.dataset, "--dataset")
    task_name = args.task or _first_task(folder, args.dataset)
    task = folder.task(task_name, "--task")
    phases = _measured(design, dataset, task, target, Protocol(), args.phase.split(","), args.exclusive)
    keys = {"dataset": args.dataset, "task": task_name, "design": args.design, "target": args.target}
    machine = {"device_name": device_here(target.device), "threads": target.threads, "world_size": 1}
    write_table("timing", [{**keys, **machine, **phase.row()} for phase in phases], args.out)
