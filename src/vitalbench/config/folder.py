"""The configs/ folder: every file is found by its name, read once and validated."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from vitalbench.config.claims_file import Document, read_documents
from vitalbench.config.dataset import Dataset, Subset
from vitalbench.config.design import Design, DesignFile
from vitalbench.config.knobs import Knobs
from vitalbench.config.model_options import check_dataset_module, with_options
from vitalbench.config.schema import Size, Suite, Task
from vitalbench.config.search_space import check_space
from vitalbench.config.strict import Strict, validated
from vitalbench.config.target import Target
from vitalbench.config.yaml_file import read_yaml
from vitalbench.errors import ConfigError, choices

T = TypeVar("T", bound=Strict)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


class ConfigFolder:
    """Typed access to a project's configs/ folder.

    Raises ConfigError for a missing file, an unknown key or a wrong type, naming the file and what is allowed.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ConfigError(f"{path}: no such folder; run from the project's root, or name it with --configs")
        self.path = path

    def names(self, kind: str) -> list[str]:
        """The names there are of a kind: suites, datasets, tasks, designs, targets."""
        return sorted(file.stem for file in (self.path / kind).glob("*.yaml"))

    def _read(self, kind: str, name: str, model: type[T], asked_by: object) -> T:
        if name not in self.names(kind):
            raise ConfigError(
                f"{asked_by}: no {kind.removesuffix('s')} is named {name!r}; {choices(name, self.names(kind))}"
            )
        file = self.path / kind / f"{name}.yaml"
        return validated(model, read_yaml(file), file)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """configs/config.yaml as it stands; an empty file leaves every knob at its default."""
        data = read_yaml(self.path / "config.yaml")
        data = {} if data is None else data
        validated(Knobs, data, self.path / "config.yaml")
        return dict(data)

    def knobs(self, given: dict[str, Any], origins: Mapping[str, str] | None = None) -> Knobs:
        """The user's settings: the file's, overridden by what was given on the command line.

        Args:
            origins: the option by which a knob was given, where that was not --config.
        """
        said_in = {key: f"{self.path / 'config.yaml'}: {key}" for key in self.defaults}
        said_in |= {key: f"--config {key}" for key in given} | dict(origins or {})
        # The file by itself is valid by now, so what is wrong was given.
        return validated(Knobs, {**self.defaults, **given}, "--config").from_places(said_in)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The claims files, by name."""
        return read_documents(self.path / "claims")

    def suite(self, name: str, asked_by: object = "suite") -> Suite:
        """A suite by its name."""
        return self._read("suites", name, Suite, asked_by)

    def dataset(self, name: str, asked_by: object = "dataset") -> Dataset:
        """A data set by its name; with `@N` behind it, N of its patients."""
        named, _, patients = name.partition("@")
        dataset = self._read("datasets", named, Dataset, asked_by)
        check_dataset_module(dataset.module, self.path / "datasets" / f"{named}.yaml")
        return dataset.model_copy(update={"subset": Subset(patients=int(patients))}) if patients else dataset

    def task(self, name: str, asked_by: object = "task") -> Task:
        """A task by its name; with `@N` behind it, trained on N of its training patients."""
        named, _, patients = name.partition("@")
        task = self._read("tasks", named, Task, asked_by)
        return task.model_copy(update={"train_patients": int(patients)}) if patients else task

    def asked_of(self, dataset: str) -> str | None:
        """The first task that a suite asks of a data set, or of some of its patients; None where no suite asks anything of it."""
        named = dataset.partition("@")[0]
        for name in self.names("suites"):
            for grid in self.suite(name).grids:
                if named in {asked.partition("@")[0] for asked in grid.datasets}:
                    return grid.tasks[0].partition("@")[0]
        return None

    def first_task(self, dataset: str) -> str:
        """The first task that a suite asks of a data set.

        Raises:
            ConfigError: there is none.
        """
        task = self.asked_of(dataset)
        if task is None:
            raise ConfigError(f"--task: no suite asks anything of data set '{dataset}', so name a task")
        return task

    def target(self, name: str, asked_by: object = "target") -> Target:
        """A target by its name."""
        return self._read("targets", name, Target, asked_by)

    def design(self, name: str, size: Size, asked_by: object = "design") -> Design:
        """A design by its name, at one of its two sizes, its model's options checked and filled in."""
        return self.design_sizes(name, asked_by)[size]

    def design_sizes(self, name: str, asked_by: object = "design") -> dict[Size, Design]:
        """A design by its name at both its sizes: what is wrong at either is told, whichever a suite runs."""
        file = self.path / "designs" / f"{name}.yaml"
        written = self._read("designs", name, DesignFile, asked_by)
        full = written.model_dump(exclude={"small"})
        sizes: dict[Size, tuple[dict[str, Any], str]] = {
            "full": (full, str(file)),
            "small": (_merged(full, written.small), f"{file}: small"),
        }
        designs: dict[Size, Design] = {}
        for size, (content, source) in sizes.items():
            designs[size] = with_options(validated(Design, content, source), source)
            check_space(designs[size], source)
        return designs
