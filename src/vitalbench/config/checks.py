"""What no single file shows: whether the files of a project go together. All of it is looked at before any job starts."""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from pathlib import Path

from vitalbench.columns import TABLES
from vitalbench.config.augmentation import OF_IMAGES
from vitalbench.config.claim_facts import PROJECTED, Known, check_facts
from vitalbench.config.dataset import Dataset, Gives, Source
from vitalbench.config.design import PRETRAINING, Design
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.knobs import Knobs
from vitalbench.config.model_options import encoder_sizes, model_shape
from vitalbench.config.pretext import Contrastive, Masked, Order
from vitalbench.config.prices import check_price_keys, latest_prices, price_file, read_prices
from vitalbench.config.published import parse_published, published_texts
from vitalbench.config.schema import EXAMINED, Size, Suite, Task
from vitalbench.config.search_space import corners
from vitalbench.config.target import Target
from vitalbench.errors import ConfigError, choices

_OF_SIGNALS = ("temporal-order",)  # recipes that ask about time


Sizes = dict[str, dict[Size, Design]]


def _each(
    folder: ConfigFolder, sizes: Sizes, datasets: dict[str, Dataset]
) -> Iterator[tuple[Path, str, Design, str, Dataset]]:
    """Every design at either size with every data set: its file, what stands before its keys there, and each by name."""
    for (item, dataset), (name, designs) in product(datasets.items(), sizes.items()):
        for size, design in designs.items():
            yield folder.path / "designs" / f"{name}.yaml", "small." if size == "small" else "", design, item, dataset


def check_windows(folder: ConfigFolder, sizes: Sizes, datasets: dict[str, Dataset]) -> None:
    """Refuse a window that is longer than a data set's records, or shorter than one of their samples, at either size."""
    for file, prefix, named, item, dataset in _each(folder, sizes, datasets):
        for design in corners(named, file):
            window, rate = design.window, dataset.shape.rate_hz
            if window is None:
                continue
            if window.seconds > dataset.signal.seconds:
                raise ConfigError(
                    f"{file}: {prefix}window.seconds is {window.seconds:g}, "
                    f"but a record of '{item}' has {dataset.signal.seconds:g} s"
                )
            for key, seconds in (("seconds", window.seconds), ("stride_seconds", window.stride_seconds)):
                if round(seconds * rate) < 1:
                    raise ConfigError(
                        f"{file}: {prefix}window.{key} is {seconds:g}, less than one sample of '{item}', {1 / rate:g} s"
                    )


def _about(design: Design) -> Iterator[tuple[str, str]]:
    """The keys of a design that are about one shape of records, each with that shape."""
    if design.model is not None:
        yield "model.name", model_shape(design.model.name)
    if design.window is not None:
        yield "window", "signal"
    if design.recipe in _OF_SIGNALS:
        yield "recipe", "signal"
    steps = design.train.augment.model_dump(exclude_none=True) if design.train and design.train.augment else {}
    for step in steps:
        yield f"train.augment.{step}", "image" if step in OF_IMAGES else "signal"


def check_shapes(folder: ConfigFolder, sizes: Sizes, datasets: dict[str, Dataset]) -> None:
    """Refuse a design that is about signals for a data set of images, and the other way round, at either size."""
    for file, prefix, design, item, dataset in _each(folder, sizes, datasets):
        for key, needs in _about(design):
            if needs != dataset.shape_key:
                raise ConfigError(
                    f"{file}: {prefix}{key} is about records of the shape '{needs}'; those of '{item}' are of '{dataset.shape_key}'"
                )


def check_leads(folder: ConfigFolder, sizes: Sizes, datasets: dict[str, Dataset]) -> None:
    """Refuse a lead that a data set's records do not have, at either size."""
    for file, prefix, design, item, dataset in _each(folder, sizes, datasets):
        strangers = [lead for lead in design.leads or [] if lead not in dataset.shape.names]
        if strangers:
            raise ConfigError(
                f"{file}: {prefix}leads: '{item}' has no lead {strangers[0]!r}; {choices(strangers[0], dataset.shape.names)}"
            )


def check_pretexts(folder: ConfigFolder, sizes: Sizes, datasets: dict[str, Dataset]) -> None:
    """Refuse what an encoder is asked where it blanks all that it could answer from, or not one sample."""
    for file, prefix, design, item, dataset in _each(folder, sizes, datasets):
        if design.recipe not in PRETRAINING:
            continue
        key, span, most, unit = _blank(design, dataset)
        least = 1 / dataset.shape.rate_hz if unit == "s" else 1
        if not least <= span <= most:
            raise ConfigError(
                f"{file}: {prefix}{key} is {span:g}: what is left of a record of '{item}' would tell nothing; "
                f"allowed: {least:g} to {most:g} {unit}"
            )


def _blank(design: Design, dataset: Dataset) -> tuple[str, float, float, str]:
    """What a design blanks at a time: its key, how much, the most that leaves something beside it, and the unit."""
    unit, most = "pixels", float(min(dataset.shape.space) // 2)
    if not dataset.image:
        unit, most = "s", (design.window.seconds if design.window else dataset.signal.seconds) / 2
    if design.recipe == "temporal-order":
        return "order.gap_seconds", (design.order or Order()).gap_seconds, most, unit
    masked = design.recipe == "masked-modelling"
    asked = (design.masked or Masked()) if masked else (design.contrastive or Contrastive())
    key, span = ("pixels", asked.pixels) if dataset.image else ("seconds", asked.seconds)
    return f"{'masked' if masked else 'contrastive'}.{key}", span, most, unit


def check_pairs(folder: ConfigFolder, sizes: Sizes, datasets: dict[str, Dataset]) -> None:
    """Refuse a design that does not go with the records of a data set that it is asked for."""
    for check in (check_shapes, check_windows, check_leads, check_pretexts):
        check(folder, sizes, datasets)


def check_starts(folder: ConfigFolder, sizes: dict[str, dict[Size, Design]]) -> dict[str, dict[Size, Design]]:
    """The designs that others start from; refused where one trains no encoder, or another one than is started with."""
    found: dict[str, dict[Size, Design]] = {}
    for name, designs in sizes.items():
        for size, design in designs.items():
            if design.pretrained is None:
                continue
            file = f"{folder.path / 'designs' / name}.yaml: {'small.' if size == 'small' else ''}pretrained"
            start = folder.design(design.pretrained, size, file)
            if start.recipe not in PRETRAINING:
                raise ConfigError(
                    f"{file}: '{design.pretrained}' has the recipe '{start.recipe}', which trains no encoder for others; "
                    f"{choices(start.recipe, PRETRAINING)}"
                )
            for key in ("leads", "window"):
                if getattr(start, key) != getattr(design, key):
                    raise ConfigError(f"{file}: '{design.pretrained}' has other '{key}', so its encoder is another one")
            if start.model is None or design.model is None or start.model.name != design.model.name:
                raise ConfigError(f"{file}: '{design.pretrained}' has another model, so its encoder is another one")
            ours, theirs = (encoder_sizes(one.name, one.options) for one in (design.model, start.model))
            other = next((key for key in ours if ours[key] != theirs[key]), None)
            if other:
                raise ConfigError(
                    f"{file}: '{design.pretrained}' has {theirs[other]} for 'model.options.{other}', here {ours[other]}, "
                    "so its encoder is another one"
                )
            found.setdefault(design.pretrained, {})[size] = start
    return {name: folder.design_sizes(name) for name in found}


def check_subsets(datasets: dict[str, Dataset], sources: dict[str, Source | None], where: str) -> None:
    """Refuse more patients of a data set than its stand-in or its whole release has; of a part of one its index tells."""
    for name, dataset in datasets.items():
        if dataset.subset is None:
            continue
        of_standin = sources[name] == "generated"
        whole = dataset.standin if of_standin else dataset.expected
        if whole is not None and dataset.subset.patients > whole.patients:
            has = "its stand-in is made of (standin.patients)" if of_standin else "the whole release has"
            raise ConfigError(f"{where}: {name}: {dataset.subset.patients:,} patients; {has} {whole.patients:,}")


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
    where: str, tasks: dict[str, Task], datasets: dict[str, Dataset], pairs: Iterable[tuple[str, str]]
) -> None:
    """Refuse a task of more training patients than some of a data set's patients are: one at least is tested on."""
    for item, name in pairs:
        subset, trained = datasets[item].subset, tasks[name].train_patients
        if subset is not None and trained is not None and trained >= subset.patients:
            raise ConfigError(
                f"{where}: {name}: {trained:,} patients to train on; '{item}' has {subset.patients:,}, and some are tested on"
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
    if split.method == "external" and split.column == "group:origin":
        for key, origins in (("train_on", [str(split.train_on)]), ("test_on", split.test_on)):
            for origin in origins:
                if origin not in gives.origins:
                    raise ConfigError(
                        f"{file}: split.{key}: '{item}' has no records of {origin!r}; {choices(origin, gives.origins)}"
                    )
        official = gives.folds.get(str(split.train_on))
        if split.folds_column != official:
            told = f"of '{split.train_on}' in '{item}' there are none, so leave it out"
            if official:
                told = f"'{split.train_on}' in '{item}' has official folds in '{official}'; allowed: {official}"
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


def check_prices(folder: ConfigFolder, knobs: Knobs, targets: dict[str, Target]) -> None:
    """Refuse a price file that is damaged, and a target that names a price it does not have."""
    path = price_file(knobs, folder.path)
    prices = read_prices(path)
    for name, target in targets.items():
        check_price_keys(f"{folder.path / 'targets' / name}.yaml: prices", target.prices, prices, path)


def check_budget(folder: ConfigFolder, knobs: Knobs, targets: dict[str, Target]) -> None:
    """Refuse a budget in USD where a target's hours have no price."""
    asked = next((key for key in ("budget_usd", "budget_suite_usd") if getattr(knobs, key) is not None), None)
    without = next((name for name, target in targets.items() if not target.prices), None)
    if asked and without:
        raise ConfigError(
            f"{knobs.said_in(asked)}: target '{without}' names no price, so its hours cannot be held against USD; "
            f"name one in {folder.path / 'targets' / without}.yaml: prices, or give budget_hours instead"
        )


def check_published(folder: ConfigFolder) -> None:
    """Refuse published times that are damaged: what is not here is projected by them."""
    parse_published(published_texts(folder.path), folder.path)


def check_claims(folder: ConfigFolder) -> None:
    """Refuse a claims file that is damaged, and a claim that rests on a data set or a number there is not."""
    check_facts(folder.path / "claims", folder.documents, known_facts(folder))


def known_facts(folder: ConfigFolder) -> Known:
    """What claims of a project may name."""
    numbers = [column.name for column in TABLES["efficiency"][1] if column.unit]
    renamed = ("batch_times", "batch_times_low", "batch_times_high", "training_times")
    columns = [name for name in numbers if name not in (*PROJECTED[1:], *renamed)]
    datasets, tasks, designs, targets = (folder.names(kind) for kind in ("datasets", "tasks", "designs", "targets"))
    return Known(
        datasets,
        tasks,
        designs,
        targets,
        columns,
        folder.dataset,
        cache(folder.task),
        cache(folder.target),
        cache(lambda: latest_prices(folder.path)),
    )
