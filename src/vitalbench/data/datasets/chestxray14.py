"""ChestX-ray14, Wang et al. 2017 (arXiv 1705.02315): frontal chest radiographs of the NIH Clinical Center with fourteen findings.

Findings were read out of reports by a program, so that "No Finding" says that none of the fourteen was named. The official lists
say which patients are tested on; of the other list's, one in eight is validated on, by a hash of the patient's id, which no later
release can move. Boxes count in pixels of the release's 1024 x 1024 images.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild, StandIn
from vitalbench.config.index_tables import table_at
from vitalbench.data.age_bands import age_bands
from vitalbench.data.datasets import FAULT, Record
from vitalbench.data.image_file import read_png
from vitalbench.data.index_rows import WHOLE, Rows, read_cells
from vitalbench.data.synthetic.chest import GRID, NAMES, TRUTH, attainable_auroc, posterior, write_release
from vitalbench.data.text_table import content_of, text_of
from vitalbench.errors import InputError
from vitalbench.progress import say

_NONE = "No Finding"
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
_SEX = ("Patient Gender", "Patient Sex")  # as it was called before and after 2020
_FOLLOW_UP = "Follow-up #"
_IMAGE = r"\d{8}_\d{3}\.png"
_AGE = r"0*(\d{1,3})([YMD]?)"
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "D": 1 / 365.25}
_OLDEST = 120  # years; the first release has ages up to 414
_LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
_BOXES = "BBox_List_2017.csv"
_PLACE = ("Bbox [x", "y", "w", "h]")
_CALLED = {"Infiltrate": "Infiltration"}  # findings that the boxes call otherwise
_VALIDATED = 8  # of so many patients of the training list one is validated on


def _sexes(rows: Rows) -> pd.Series:
    columns = [name for name in _SEX if name in rows.table.columns]
    if not columns:
        raise InputError(f"{rows.path}: column '{_SEX[0]}' is missing; found: {', '.join(rows.table.columns)}")
    for column in columns:
        rows.refuse(~rows.table[column].isin(["M", "F", ""]), f"{column} is not M, F or empty")
    cells, last = rows.table[columns[0]], rows.table[columns[-1]]
    rows.refuse((cells != last) & (cells != "") & (last != ""), f"{' and '.join(columns)} say otherwise")
    cells = cells.where(cells != "", last)
    return cells.map({"M": "male", "F": "female"}).fillna("unknown")


def _ages(rows: Rows) -> pd.Series:
    """Ages in years; a number beyond any person's, of which the first release has sixteen, is no age."""
    cells = rows.table["Patient Age"]
    parts = cells.str.extract(_AGE)
    rows.refuse((cells != "") & ~cells.str.fullmatch(_AGE), "Patient Age is not a number of years, months or days")
    years = pd.to_numeric(parts[0]).astype(float) * parts[1].map(_YEARS)
    beyond = years > _OLDEST
    if beyond.any():
        say(f"{rows.path}: {int(beyond.sum())} ages above {_OLDEST} years are taken as unknown")
    return years.mask(beyond)


def _follow_ups(rows: Rows) -> pd.Series:
    """Which of its patient's visits an image is of, from 0: their order, without dates; unknown where no column says so."""
    if _FOLLOW_UP not in rows.table.columns:
        return pd.Series(np.nan, index=rows.table.index)
    return rows.number(
        _FOLLOW_UP, lambda value: (value >= 0) & (value == value.round()), "a whole number from 0"
    ).astype(float)


def _findings(rows: Rows) -> list[list[str]]:
    cells = rows.table["Finding Labels"]
    split = cells.map(lambda names: [name.strip() for name in names.split("|")])
    rows.refuse(cells == "", "has no Finding Labels")
    rows.refuse(split.map(lambda names: len(set(names)) < len(names)), "Finding Labels names a finding twice")
    rows.refuse(split.map(lambda names: _NONE in names and len(names) > 1), f"Finding Labels has {_NONE} beside others")
    known = {*NAMES, _NONE}
    rows.refuse(
        split.map(lambda names: not known.issuperset(names)), "Finding Labels has one that is not of the fourteen"
    )
    return [sorted(set(names) - {_NONE}) if not fault else [] for names, fault in zip(split, rows.fault, strict=True)]


def _where(root: Path) -> dict[str, str]:
    """Where each image lies below `root`: in images/, or in a folder an archive, images_001/images/ and on."""
    folders = [root / "images", *sorted(root.glob("images_[0-9][0-9][0-9]/images"))]
    found: dict[str, str] = {}
    for folder in folders:
        if folder.is_dir():
            with os.scandir(folder) as entries:
                found |= {entry.name: f"{folder.relative_to(root)}/{entry.name}" for entry in entries}
    return found


def _hash(patient: str) -> int:
    return int.from_bytes(hashlib.sha256(f"chestxray14/{patient}".encode()).digest()[:8], "big")


def _official(root: Path, rows: Rows, patients: pd.Series) -> pd.Series:
    """The split of each image by the official lists; empty where they are not there."""
    paths = {table_at(root, name): split for name, split in _LISTS.items()}
    there = [path for path in paths if path.is_file()]
    none = pd.Series("", index=rows.table.index)
    if not there:
        return none
    if len(there) < len(paths):
        raise InputError(f"{next(path for path in paths if path not in there)}: no such file; the other list is there")
    listed = {split: set(text_of(content_of(path), path).split()) for path, split in paths.items()}
    images = rows.table["Image Index"]
    held = {split: images.isin(names) for split, names in listed.items()}
    rows.refuse(held["train"] & held["test"], "is in both official lists")
    rows.refuse(~held["train"] & ~held["test"], "is in neither official list")
    strangers = set().union(*listed.values()) - set(images)
    if strangers:
        told = f"{len(strangers)} images that are in no row of {rows.path.name}, such as {min(strangers)[:60]}"
        say(f"{root}: the official lists name {told}")
    validated = patients.map({patient: _hash(patient) % _VALIDATED == 0 for patient in patients.unique()})
    return none.mask(held["train"], "train").mask(held["train"] & validated, "val").mask(held["test"], "test")


def read_boxes(path: Path, images: pd.Series) -> dict[str, list[str]]:
    """By image, "<finding> <x> <y> <width> <height>" in shares of the image's sides.

    A row at fault tells no place, and how many there are is told; the image and its findings stay.

    Args:
        images: those of the table of entries.

    Raises:
        InputError: a column is missing, or most rows are at fault.
    """
    rows = Rows(read_cells(path, ("Image Index", "Finding Label", *_PLACE)), path)
    cells = rows.table
    names = cells["Finding Label"].replace(_CALLED)
    sizes = cells[[*_PLACE]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float) / GRID
    inside = (sizes >= 0).all(axis=1) & (sizes[:, :2] + sizes[:, 2:] <= 1.001).all(axis=1)
    rows.refuse(~names.isin(NAMES), "its finding is not one of the fourteen")
    rows.refuse(pd.Series(~np.isfinite(sizes).all(axis=1)), "its place is no four numbers")
    rows.refuse(pd.Series(~inside), f"its place lies outside of {GRID} pixels")
    rows.refuse(pd.Series(~(sizes[:, 2:] > 0).all(axis=1)), "its place has no size")
    rows.hold()
    rows.refuse(~cells["Image Index"].isin(images), "its image is in no row of the table of entries")
    for why, number in rows.fault[rows.fault != ""].value_counts().items():
        first = int((rows.fault == why).to_numpy().argmax()) + 1
        say(f"{path}: {number} of {len(cells)} boxes left out: {why}, such as row {first}")
    found: dict[str, list[str]] = {}
    for image, name, box, fault in zip(cells["Image Index"], names, sizes, rows.fault, strict=True):
        if not fault:
            found.setdefault(image, []).append(f"{name} " + " ".join(f"{size:.4f}" for size in box))
    return found


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row an image of the table of entries, with findings, subgroups and boxes, and what is wrong with the row, if anything.

    Raises:
        InputError: a table is missing, lacks a column, or most of its rows are at fault; one of the two lists is there alone.
    """
    path = table_at(root, config.index_files[0])
    rows = Rows(read_cells(path, _COLUMNS), path)
    if rows.table.empty:
        raise InputError(f"{path}: lists no image")
    images = rows.table["Image Index"]
    rows.refuse(~images.str.fullmatch(_IMAGE), "Image Index is not a patient's eight digits, three more and .png")
    patients = rows.whole("Patient ID")
    of_image = images.str[:8].str.lstrip("0")
    rows.refuse(of_image != patients, "Image Index and Patient ID are of different patients")
    views = rows.table["View Position"]
    rows.refuse(~views.isin(["PA", "AP", ""]), "View Position is not PA, AP or empty")
    follow_ups = _follow_ups(rows)
    sexes, ages, official = _sexes(rows), _ages(rows), _official(root, rows, patients)
    findings = _findings(rows)
    rows.hold()
    where = _where(root)
    sound = rows.fault == ""
    boxes = table_at(root, _BOXES)
    boxed = read_boxes(boxes, images) if boxes.is_file() else {}
    row = pd.Series([f"row-{number}" for number in range(1, len(images) + 1)], index=images.index)
    index = pd.DataFrame(
        {
            "record_id": images.str.removesuffix(".png").where(images.str.fullmatch(_IMAGE), row),
            "patient_id": patients.where(rows.table["Patient ID"].str.fullmatch(WHOLE), "unknown"),
            "file": [where.get(name, f"images/{name}") for name in images.where(images.str.fullmatch(_IMAGE), "")],
            FAULT: rows.fault,
            "age": ages.where(sound),
            "follow_up": follow_ups.where(sound),
            "official": official,
            "labels:findings": findings,
            "group:sex": sexes.where(sound, "unknown"),
            "group:age_band": age_bands(ages.where(sound)),
            "group:view": views.where(sound & (views != ""), "unknown"),
            "boxes:findings": [boxed.get(name, []) for name in images],
        }
    )
    truth = root / TRUTH
    if truth.is_file():
        severities = read_cells(truth, ("Image Index",)).set_index("Image Index").astype(float)
        index = pd.concat([index, severities.reindex(images).reset_index(drop=True)], axis=1)
    return index


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """One image at the data set's size."""
    assert config.image is not None  # the configuration of a data set of images
    return read_png(root / str(row["file"]), root, config.image)


def write_standin(root: Path, config: DatasetBuild) -> None:
    """Generated images in the release's layout."""
    if config.standin is None or config.image is None:
        raise InputError("the data set's configuration needs the sections 'image' and 'standin'")
    write_release(root, config.standin, config.image, config.index_files[0])


def ideal_scores(index: pd.DataFrame, labels: str, classes: list[str], standin: StandIn) -> NDArray[np.float64]:  # noqa: ARG001
    """The ideal observer's probabilities for generated images, (images, classes): data/synthetic/chest.py."""
    severity = index[[f"truth:{name}" for name in NAMES]].to_numpy(dtype=float)
    return posterior(severity, standin.separation)[:, [NAMES.index(name) for name in classes]]


def ideal_auroc(labels: str, classes: list[str], standin: StandIn) -> list[float | None]:  # noqa: ARG001
    """The AUROC of the ideal observer, a class each."""
    return [attainable_auroc(standin.separation)] * len(classes)
