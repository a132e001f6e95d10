"""Time a design on generated batches of a data set's shape, without training it.

Phases: import, build, features, train_step (and compile, of a target that compiles), load_batch, loaded_step, inference; and, where
they are named, those a run goes through once, repeated here: process, load, rebuild, epoch, checkpoint, evaluation.
Exit 1 where the device found is not the one the target declares.
"""

import argparse
import sys
from pathlib import Path

from vitalbench.config.checks import check_pairs
from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import SearchPlace
from vitalbench.config.prices import check_price_keys, price_file, read_prices
from vitalbench.config.schema import Protocol, TaskData
from vitalbench.config.strict import validated
from vitalbench.config.target import Target
from vitalbench.data.build import DataFolder
from vitalbench.errors import ConfigError, GateError, InputError, choices, refuse_beside
from vitalbench.files import read_json, write_json
from vitalbench.layout import MEASURE_SLICE, TARGET_SLICE, TASK_SLICE
from vitalbench.measure.against import PHASES as AGAINST
from vitalbench.measure.against import against, sentence
from vitalbench.measure.device import cpu_count, device_here, mismatch
from vitalbench.measure.phases import PHASES, Phase
from vitalbench.measure.steps import measure
from vitalbench.progress import say
from vitalbench.provenance import provenance
from vitalbench.results import Results
from vitalbench.tables import write_table
from vitalbench.train.chosen import read_chosen
from vitalbench.train.launch import launch, ranks_folder
from vitalbench.train.ranks import is_rank, speaks


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--design", metavar="NAME")
    parser.add_argument("--against", metavar="NAME", help="another design: both in turn, and a verdict on their ratio")
    parser.add_argument("--dataset", metavar="NAME")
    parser.add_argument("--target", metavar="NAME", help="default: cpu")
    parser.add_argument("--task", metavar="NAME", help="default: the first task a suite asks of the data set")
    parser.add_argument("--size", choices=["small", "full"], help="which size of the design (default full)")
    parser.add_argument(
        "--phase",
        metavar="P,...",
        help=f"default: those of {','.join(PHASES)} that there are; with --against train_step",
    )
    parser.add_argument(
        "--out", type=Path, help="timing.csv; with --measurement a JSON file in the place of the suite's own"
    )
    parser.add_argument("--configs", type=Path, metavar="FOLDER", help="default: configs")
    parser.add_argument("--results", type=Path, help="instead of names: results/<suite>, with --measurement")
    parser.add_argument(
        "--measurement",
        metavar="DATASET/TASK/DESIGN/TARGET[/foldF]",
        help="which measurement of the suite; of a searched design with /foldF",
    )
    parser.add_argument("--store", type=Path, metavar="store.h5", help="of the data set: its loading is timed too")
    parser.add_argument(
        "--repeats", type=int, metavar="N", help=f"of each phase at least (default {Protocol().repeats})"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help=f"and as long at least (default {Protocol().seconds})"
    )
    parser.add_argument("--exclusive", action="store_true", help="the caller keeps the machine free of other work")


def _with_model(design: Design, name: str) -> Design:
    if design.model is None:
        raise ConfigError(f"design '{name}' has no model to time: its recipe is '{design.recipe}'")
    return design


def _wrong_device(target: Target) -> str | None:
    return mismatch(target.device, target.match, target.processes)


def _measured(
    design: Design,
    dataset: DatasetBuild,
    task: TaskData,
    target: Target,
    protocol: Protocol,
    phases: list[str] | None,
    exclusive: bool,
    store: Path | None,
) -> list[Phase]:
    """Time here, or as the processes that the target declares, of which the first writes what they found."""
    if not target.launched or is_rank():
        return measure(design, dataset, task, target, protocol, phases, exclusive, store)
    with ranks_folder() as folder:
        if launch(sys.argv[1:], target, folder):
            raise GateError(
                f"the {target.processes} processes of the measurement did not end well; what they said stands above"
            )
    return []  # the first of them has written it


def _search_place(results: Results, measurement: str) -> SearchPlace:
    """The search that a measurement waits for."""
    places = {place.path: place for place in results.searches}
    if measurement not in places:
        raise ConfigError(f"--measurement: the suite has no search {measurement!r}; {choices(measurement, places)}")
    return places[measurement]


def _of_suite(args: argparse.Namespace) -> None:
    results = Results(args.results)
    parts = args.measurement.split("/")
    if len(parts) not in (4, 5):
        raise ConfigError(
            f"--measurement {args.measurement!r}: write DATASET/TASK/DESIGN/TARGET, of a searched design /foldF"
        )
    dataset, task, design, target = parts[:4]
    for kind, name in (("datasets", dataset), ("tasks", task), ("designs", design), ("targets", target)):
        if name not in results.suite[kind]:
            raise ConfigError(
                f"--measurement: the suite has no {kind[:-1]} named {name!r}; {choices(name, results.suite[kind])}"
            )
    timed = read_json(args.results / MEASURE_SLICE.format(design=design))
    silicon = validated(Target, read_json(args.results / TARGET_SLICE.format(target=target))["config"], target)
    question = validated(TaskData, read_json(args.results / TASK_SLICE.format(task=task))["config"], task)
    settings = _with_model(validated(Design, timed["config"], design), design)
    if len(parts) == 5 and not results.design(design).search:
        raise ConfigError(f"--measurement {args.measurement!r}: '{design}' is not searched; leave out /{parts[4]}")
    path = args.out or args.results / "measure" / f"{args.measurement}.json"
    if results.design(design).search:
        chosen = read_chosen(results, _search_place(results, args.measurement))
        if chosen.hindrance:  # no cell of it has anything to be timed for
            write_json(path, {"device_name": "", "phases": []})
            return
        settings = chosen.applied_to(settings, design)
    wrong = _wrong_device(silicon)
    if wrong:  # told of each cell by its training job; the tables are made all the same, and `check` says no
        say(f"{args.measurement}: refused: {wrong}")
        write_json(path, {"device_name": device_here(silicon.device) or "", "phases": [], "refused": wrong})
        return
    phases = _measured(
        settings,
        DataFolder(results.store_folder(dataset)).config,
        question,
        silicon,
        validated(Protocol, timed["protocol"], design),
        None,
        args.exclusive,
        results.store(dataset),
    )
    if speaks(silicon.launched):
        told = {"phases": [phase.to_json() for phase in phases], "provenance": provenance()}
        write_json(path, {"device_name": device_here(silicon.device), **told})


_NAMES = ("design", "against", "dataset", "task", "target", "size", "phase", "configs", "store", "repeats", "seconds")


def _check_together(args: argparse.Namespace) -> None:
    """Refuse what would go unheard beside something else, and what is not enough."""
    asked = {f"--{name}": getattr(args, name) for name in _NAMES}
    if args.results or args.measurement:
        said = "--results" if args.results else "--measurement"
        refuse_beside(f"vitalbench measure: {said} (a suite's measurement, which its configuration lays down)", asked)
        if not (args.results and args.measurement):
            raise ConfigError(
                "vitalbench measure: --results results/<suite> and --measurement DATASET/TASK/DESIGN/TARGET need one another"
            )
    elif not (args.design and args.dataset and args.out):
        raise ConfigError(
            "vitalbench measure: needs --design NAME, --dataset NAME and --out timing.csv, or --results and --measurement"
        )
    if args.against:
        refuse_beside(
            f"vitalbench measure: --against (which times {', '.join(AGAINST)} in turn, whatever else the machine does)",
            {"--store": args.store, "--exclusive": args.exclusive},
        )


def _check_target(folder: ConfigFolder, name: str, target: Target) -> None:
    """Refuse a target whose times would be of threads in one another's way, or could not be priced."""
    path = folder.path / "targets" / f"{name}.yaml"
    prices = price_file(folder.knobs({}), folder.path)
    check_price_keys(f"{path}: prices", target.prices, read_prices(prices), prices)
    if target.device == "cpu" and target.cores > cpu_count():
        raise ConfigError(
            f"{path}: key 'threads' is {target.threads}, of {target.processes} process(es); "
            f"allowed: {cpu_count()} in all, the cores that this process may use"
        )


def run(args: argparse.Namespace) -> None:
    """Measure."""
    _check_together(args)
    if args.results:
        _of_suite(args)
        return
    args.target, args.size = args.target or "cpu", args.size or "full"
    folder = ConfigFolder(args.configs or Path("configs"))
    design = _with_model(folder.design(args.design, args.size, "--design"), args.design)
    target = folder.target(args.target, "--target")
    dataset = folder.dataset(args.dataset, "--dataset")
    task_name = args.task or folder.first_task(args.dataset)
    task = folder.task(task_name, "--task")
    check_pairs(folder, {args.design: {args.size: design}}, {args.dataset: dataset})
    _check_target(folder, args.target, target)
    wrong = _wrong_device(target)
    if wrong:
        raise GateError(f"refused: {wrong}")
    if args.store and not args.store.is_file():
        raise InputError(f"--store {args.store}: no such file")
    asked = {name: getattr(args, name) for name in ("repeats", "seconds") if getattr(args, name) is not None}
    protocol = validated(Protocol, asked, "vitalbench measure")
    phases = args.phase.split(",") if args.phase is not None else None
    if args.against:
        other = _with_model(folder.design(args.against, args.size, "--against"), args.against)
        check_pairs(folder, {args.against: {args.size: other}}, {args.dataset: dataset})
        rows = against((design, other), dataset, task, target, protocol, phases or ["train_step"])
        for row in rows:
            say(sentence(row, args.design, args.against))
        names = {"dataset": args.dataset, "task": task_name, "target": args.target}
        pair = {"design_a": args.design, "design_b": args.against, "device_name": device_here(target.device)}
        write_table("against", [{**names, **pair, **row} for row in rows], args.out)
        return
    timed = _measured(design, dataset, task, target, protocol, phases, args.exclusive, args.store)
    keys = {"dataset": args.dataset, "task": task_name, "design": args.design, "target": args.target}
    if not speaks(target.launched):
        return
    machine = {"device_name": device_here(target.device), "threads": target.threads, "world_size": target.processes}
    write_table("timing", [{**keys, **machine, **phase.row()} for phase in timed], args.out)
