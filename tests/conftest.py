"""What tests share: the project's own configuration, a small store, and the folder of real records."""

import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from vitalbench import cli
from vitalbench.config.dataset import Dataset
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import slices, write_slices
from vitalbench.data.index import read_part
from vitalbench.data.join import join
from vitalbench.data.release import acquire
from vitalbench.data.standardise import standardise
from vitalbench.files import read_json, write_json
from vitalbench.measure import device

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


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Put a program of our own, a script of the shell's, in front of the path; what a driver's tool said is forgotten each time."""

    def forget() -> None:
        device._cards.cache_clear()
        device.cuda_names.cache_clear()

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def make(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
        forget()

    yield make
    forget()


def write_sif(path: Path, data: bytes = b"data") -> Path:
    """A file with the header of an image and no system in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    start = struct.pack(
        "<32s10s3s3s16s8q",
        b"#!/usr/bin/env run-singularity\n",
        b"SIF_MAGIC",
        b"01",
        b"02",
        b"",
        *[0] * 6,
        128,
        len(data),
    )
    path.write_bytes(start + data)
    return path


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
    written = slices(replace(plan, datasets=plan.datasets | {"ptbxl": dataset}), configs, folder / "unused")
    for path, content in written.items():
        if "ptbxl" in path.parts and path.name in ("config.json", "describe.json"):
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
