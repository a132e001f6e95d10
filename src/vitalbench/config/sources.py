"""Where a suite's records come from: generated, a local folder, the publisher, or nowhere yet."""

from pathlib import Path

from vitalbench.config.dataset import Dataset, Source
from vitalbench.config.header_files import has_headers
from vitalbench.config.index_tables import table_at
from vitalbench.config.knobs import Knobs
from vitalbench.config.schema import Suite
from vitalbench.errors import ConfigError


def _is_release(folder: Path, dataset: Dataset) -> bool:
    if dataset.header_folders:
        return has_headers(folder, dataset.header_folders)
    return all(table_at(folder, index).is_file() for index in dataset.index_files)


def local_release(dataset: Dataset, data_root: Path, said: str) -> Path | None:
    """The folder of a data set's release below `data_root`, or of those it is made of `data_root` itself; None where there is none.

    Raises:
        ConfigError: there is one that lacks a table which lists its records.
    """
    folder = data_root if dataset.made_of else data_root / dataset.release
    if not folder.is_dir() or _missing(data_root, dataset):
        return None
    for index in dataset.index_files:
        if not table_at(folder, index).is_file():
            raise ConfigError(f"{said}: {folder}: {index} is not there, so this is no release of {dataset.title}")
    if dataset.header_folders and not _is_release(folder, dataset):
        return None  # a release of several data sets, of which this one is not here
    return folder.resolve()


def _missing(data_root: Path, dataset: Dataset) -> list[str]:
    """The releases a data set is made of that are not there."""
    return [name for name in dataset.made_of if not (data_root / name).is_dir()]


def _not_in(data_root: Path, dataset: Dataset) -> str:
    """Why a folder gives no records of a data set; the usual slip is to name the release instead of what holds it."""
    if dataset.made_of:
        return f"{data_root} holds no {'/ and no '.join(_missing(data_root, dataset) or dataset.made_of)}/"
    if not _is_release(data_root, dataset):
        return f"{data_root} holds no {dataset.release}/"
    itself = f"{data_root} holds no {dataset.release}/ but is itself a release of {dataset.title}"
    parent = data_root.resolve().parent
    if data_root.resolve().name == dataset.release:
        return f"{itself}: name its parent, data_root={parent}"
    return f"{itself}: name it {dataset.release}, or link to it by that name, and give the folder above, data_root={parent}"


def _fetched_apart(dataset: Dataset, releases: dict[str, Dataset]) -> str:
    """What is to be downloaded for a data set that is made of several releases; empty where none of them can be."""
    named = [(name, releases[name]) for name in dataset.made_of if name in releases]
    each = " and ".join(f"{name} ({of.download.url})" for name, of in named if of.download)
    return f"; download=true fetches one release at a time, so download {each} first" if each else ""


def no_records(dataset: Dataset, knobs: Knobs, releases: dict[str, Dataset] | None = None) -> str:
    """Why the records of a data set are not here, and how one comes by them.

    Args:
        releases: the data sets that it may be made of, by their names.
    """
    what = f"{dataset.title} {dataset.version}"
    folder = f"data_root=FOLDER that holds {'/ and '.join(dataset.made_of or [dataset.release])}/"
    why = "no records here: " + (f"{_not_in(Path(knobs.data_root).expanduser(), dataset)}; " if knobs.data_root else "")
    if dataset.access != "open":
        needs = {"registration": "registration", "credentialed": "credentialed access"}[dataset.access]
        return f"{why}{what} needs {needs}; get it at {dataset.homepage}, then pass {folder}"
    told = f"{why}pass {folder} ({what}, {dataset.homepage})"
    return told + (", or download=true" if dataset.download else _fetched_apart(dataset, releases or {}))


def find_sources(
    datasets: dict[str, Dataset], suite: Suite, knobs: Knobs
) -> dict[str, tuple[Source | None, Path | None]]:
    """The source of each data set, and its folder where it is local.

    Raises:
        ConfigError: the suite runs on stand-ins that a data set does not define; `data_root` is no folder, holds what is no
            release, or holds none of the data sets that are to come from it.
    """
    if suite.source == "generated":
        for name, dataset in datasets.items():
            if dataset.standin is None:
                raise ConfigError(
                    f"data set '{name}': this suite runs on generated records, but the data set defines no 'standin'"
                )
        return dict.fromkeys(datasets, ("generated", None))
    elsewhere: dict[str, Source | None] = {
        name: "download" if knobs.download and dataset.download else None for name, dataset in datasets.items()
    }
    if knobs.data_root is None:
        return {name: (source, None) for name, source in elsewhere.items()}
    data_root, said = Path(knobs.data_root).expanduser(), knobs.said_in("data_root")
    if not data_root.is_dir():
        raise ConfigError(f"{said}: {data_root}: no such folder")
    local = {name: local_release(dataset, data_root, said) for name, dataset in datasets.items()}
    if not any(local.values()):
        # Better told now than after a download that the folder was meant to spare.
        meant = [dataset for dataset in datasets.values() if _is_release(data_root, dataset)]
        missing = [dataset for name, dataset in datasets.items() if elsewhere[name] is None]
        if meant or missing:
            raise ConfigError(f"{said}: {_not_in(data_root, (meant or missing)[0])}")
    return {name: ("local", folder) if folder else (elsewhere[name], None) for name, folder in local.items()}
