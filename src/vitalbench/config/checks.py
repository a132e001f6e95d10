"""What no single file shows: whether the files of a project go together. All of it is looked at before any job starts."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

from vitalbench.columns import TABLES
from vitalbench.config.augmentation import OF_IMAGES
from vitalbench.config.claim_facts import PROJECTED, Known, check_facts
from vitalbench.config.dataset import Dataset
from vitalbench.config.design import PRETRAINING, Design
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.knobs import Knobs
from vitalbench.config.model_options import encoder_sizes, model_shape
from vitalbench.config.pretext import Contrastive, Masked, Order
from vitalbench.config.prices import check_price_keys, latest_prices, price_file, read_prices
from vitalbench.config.published import parse_published, published_texts
from vitalbench.config.schema import Size
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
