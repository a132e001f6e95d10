"""Whether what tasks ask and what data sets can be asked go together, as far as configuration alone decides it."""

import math
from collections.abc import Iterable
from pathlib import Path

from vitalbench.config.dataset import Dataset, Source
from vitalbench.config.design import PRETRAINING, Design
from vitalbench.config.label_sets import Gives
from vitalbench.config.schema import EXAMINED, Suite, Task
from vitalbench.errors import ConfigError, choices


def check_subsets(datasets: dict[str, Dataset], sources: dict[str, Source | None], where: str) -> None:
    """Refuse more patients of a data set than its stand-in or its whole release has; of a part of one its index tells."""
    for name, dataset in datasets.items():
        if dataset.subset is None:
            continue
        most = _whole(dataset, sources[name])
        if most is not None and dataset.subset.patients > most:
            has = "the whole release has"
            if sources[name] == "generated" and dataset.standin:
                has = "its stand-in is made of (standin.patients)"
                if most < dataset.standin.patients:
                    has = "its stand-in has records that can be used of (gives.standin_patients)"
            raise ConfigError(f"{where}: {name}: {dataset.subset.patients:,} patients; {has} {most:,}")


def _whole(dataset: Dataset, source: Source | None) -> int | None:
    """How many patients a data set has at most, without its subset; None where nothing says so."""
    if source == "generated":
        usable = dataset.gives.standin_patients if dataset.gives else None
        return min(dataset.standin.patients, usable or dataset.standin.patients) if dataset.standin else None
    return dataset.expected.patients if dataset.expected else None


def _most(dataset: Dataset, source: Source | None) -> int | None:
    """The same with its subset."""
    return dataset.subset.patients if dataset.subset else _whole(dataset, source)


def check_asked(
    where: str, tasks: dict[str, Task], datasets: dict[str, Dataset], files: Path, pairs: Iterable[tuple[str, str]]
) -> None:
    """Refuse what a task names and a data set that it is asked of can never have, and a split of fewer patients than it needs.

    Args:
        where: the suite's file and key, for what only the two together get wrong.
        files: the folder of the tasks' files.
        pairs: data set and task, each by name, as the grids have them.
    """
    for item, name in pairs:
        dataset, task, file = datasets[item], tasks[name], files / f"{name.partition('@')[0]}.yaml"
        if dataset.gives is not None:
            _check_given(file, task, item, dataset, dataset.gives)
        split = task.split
        dealt, patients = split.method == "patient-dealt", dataset.subset.patients if dataset.subset else None
        least = split.folds if dealt else 2  # one to train on and one to test
        if patients is not None and patients < least:
            raise ConfigError(
                f"{where}: {item}: {patients} patients cannot be split as task '{name}' asks, by method '{split.method}'"
                f"{f' into {split.folds} folds' if dealt else ''}; allowed: {least} or more"
            )


def check_training(
    where: str,
    tasks: dict[str, Task],
    datasets: dict[str, Dataset],
    sources: dict[str, Source | None],
    pairs: Iterable[tuple[str, str]],
) -> None:
    """Refuse a task of more training patients than a data set can have, or of too few for any class to be as rare as it asks.

    One patient at least is tested on, so all but one may be trained on; how many are, the split tells.
    """
    for item, name in pairs:
        most, task = _most(datasets[item], sources[item]), tasks[name]
        if most is None:
            continue
        trained = task.train_patients
        if trained is not None and trained >= most:
            raise ConfigError(
                f"{where}: {name}: {trained:,} patients to train on; '{item}' has {most:,}, and some are tested on"
            )
        of = max(min(most - 1, trained or most - 1), 1)
        if task.rare_below is not None and 1 / of >= task.rare_below:
            least = math.floor(1 / task.rare_below) + 1
            raise ConfigError(
                f"{where}: {name}: asks of '{item}' what fewer than {task.rare_below:.1%} of the training patients carry, and one "
                f"at least; one of the {of:,} there can be is {1 / of:.1%}; allowed: {least:,} training patients or more"
            )


def _check_given(file: Path, task: Task, item: str, dataset: Dataset, gives: Gives) -> None:
    sets = gives.label_sets
    if task.labels not in sets:
        raise ConfigError(f"{file}: labels: '{item}' has no label set {task.labels!r}; {choices(task.labels, sets)}")
    for of in task.classes:
        if of not in sets[task.labels]:
            raise ConfigError(
                f"{file}: classes: label set '{task.labels}' of '{item}' has no class {of!r}; {choices(of, sets[task.labels])}"
            )
    missing = [of for of in sets[task.labels] if of not in task.classes]
    if missing:
        raise ConfigError(
            f"{file}: classes: label set '{task.labels}' of '{item}' has {missing[0]!r} too"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}, which the task does not name; "
            f"allowed: all {len(sets[task.labels])} of it"
        )
    for group in task.subgroups:
        if group not in gives.subgroups:
            raise ConfigError(
                f"{file}: subgroups: '{item}' has none named {group!r}; {choices(group, gives.subgroups)}"
            )
    split = task.split
    columns = [*dataset.carry, *(f"group:{name}" for name in gives.subgroups)]
    if split.column is not None and not split.method.startswith("patient-") and split.column not in columns:
        raise ConfigError(
            f"{file}: split.column: '{item}' carries no column {split.column!r}; {choices(split.column, columns)}"
        )
    official = gives.official_columns
    if split.method == "patient-hash" and official and split.folds_column not in (None, *official):
        raise ConfigError(
            f"{file}: split.folds_column: '{item}' has official folds in {' and '.join(map(repr, official))}; "
            f"{choices(str(split.folds_column), official)}"
        )
    if split.method == "external" and split.column == "group:origin":
        for key, origins in (("train_on", [str(split.train_on)]), ("test_on", split.test_on)):
            for origin in origins:
                if origin not in gives.origins:
                    raise ConfigError(
                        f"{file}: split.{key}: '{item}' has no records of {origin!r}; {choices(origin, gives.origins)}"
                    )
        folds = gives.folds.get(str(split.train_on))
        if split.folds_column != folds:
            told = f"of '{split.train_on}' in '{item}' there are none, so leave it out"
            if folds:
                told = f"'{split.train_on}' in '{item}' has official folds in '{folds}'; allowed: {folds}"
            raise ConfigError(f"{file}: split.folds_column: {told}")


def check_examined(where: str, suite: Suite, designs: dict[str, Design], tasks: dict[str, Task]) -> None:
    """Refuse to examine a design that no grid asks for, one without a model or answers, or answers of another kind."""
    for name in suite.examine:
        grids = [grid for grid in suite.grids if name in grid.designs]
        if not grids:
            asked = dict.fromkeys(design for grid in suite.grids for design in grid.designs)
            raise ConfigError(f"{where}: no grid of the suite has the design {name!r}; {choices(name, asked)}")
        if designs[name].model is None or designs[name].recipe in PRETRAINING:
            raise ConfigError(
                f"{where}: design '{name}' has no model that answers: its recipe is '{designs[name].recipe}'"
            )
        for task in (task for grid in grids for task in grid.tasks):
            if tasks[task].kind not in EXAMINED:
                raise ConfigError(
                    f"{where}: task '{task}' of design '{name}' is of the kind {tasks[task].kind}; allowed: {', '.join(EXAMINED)}"
                )
