"""What tests share: the project's own configuration, a small store, and the folder of real records."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from vitalbench import cli
from vitalbench.config.dataset import Dataset
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import make_plan
from vitalbench.config.slices import slices, write_slices
from vitalbench.data.index import read_part
from vitalbench.data.join import join
from vitalbench.data.release import acquire
from vitalbench.data.standardise import standardise
from vitalbench.files import read_json, write_json

ROOT = Path(__file__).parent.parent
# How long an example takes says more of the machine than of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def configs() -> ConfigFolder:
    return ConfigFolder(ROOT / "configs")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a user edits and runs: Snakefile, rules, configs, profiles."""
    for name in ("rules", "configs", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Snakefile", tmp_path)
    return tmp_path


def resolved(project: Path, **given: Any) -> None:
    """Write the slices of a project's plan, as Snakemake does when it loads."""
    folder = ConfigFolder(project / "configs")
    write_slices(make_plan(folder, folder.knobs(given)), folder, project / "results")


@pytest.fixture(scope="session")
def small_dataset(configs: ConfigFolder) -> Dataset:
    """PTB-XL with a stand-in of 150 patients."""
    dataset = configs.dataset("ptbxl")
    assert dataset.standin
    return dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"patients": 150}), "parts": 3})


def build(name: str, dataset: Dataset, source: str, root: Path | None, folder: Path) -> Path:
    """Acquire, standardise and join a data set in `folder`; returns the store."""
    acquire(name, dataset, source, root, folder / "release.json")
    parts = [folder / "parts" / f"part-{number:04d}.h5" for number in range(dataset.parts)]
    for number, part in enumerate(parts):
        rows = read_part(folder / "index.parquet", number)
        standardise(rows, dataset, source, root or folder / "release", part)
    join(dataset, read_json(folder / "release.json"), parts, folder / "store.h5")
    return folder / "store.h5"


@pytest.fixture(scope="session")
def small_store(small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """store.h5 of the small stand-in; its release lies beside it."""
    return build("ptbxl", small_dataset, "generated", None, tmp_path_factory.mktemp("store"))


def describe(folder: Path, dataset: Dataset, configs: ConfigFolder) -> None:
    """Write the slices of a store's folder and describe it, as the workflow does."""
    plan = make_plan(configs, configs.knobs({}))
    written = slices(replace(plan, datasets={"ptbxl": dataset}), configs, folder / "unused")
    for path, content in written.items():
        if path.name in ("config.json", "describe.json"):
            write_json(folder / path.name, content)
    assert cli.run(["describe", "--data", str(folder)]) == 0


@pytest.fixture(scope="session")
def described_store(small_store: Path, small_dataset: Dataset, configs: ConfigFolder, tmp_path_factory) -> Path:
    """A copy of the small store's folder with its description and receipt."""
    folder = tmp_path_factory.mktemp("described") / "data"
    shutil.copytree(small_store.parent, folder)
    describe(folder, small_dataset, configs)
    return folder


@pytest.fixture
def described(described_store: Path, tmp_path: Path) -> Path:
    """The same, to be altered."""
    return Path(shutil.copytree(described_store, tmp_path / "described"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real records, or a skip that says how to have it."""
    folder = os.environ.get("VITALBENCH_REAL_DATA")
    if not folder:
        pytest.skip("real records: set VITALBENCH_REAL_DATA to a folder that holds ptbxl/ to run these")
    return Path(folder)
