"""A ChestX-ray14 release made of generated images: the release's own files, so that its reader runs on them unchanged.

A patient has each of the fourteen findings independently, by its prevalence. On every image a finding has a *severity*: normal
about 1 where the patient has it and about 0 elsewhere, with standard deviation 1 / separation. It shows as a spot of the finding's
own size at a place drawn within the finding's own region, brighter than what is around it (or darker) by severity x contrast. The
image shows nothing of the labels but the severities, so Bayes' rule on them is the best any classifier can do, and its AUROC is
Phi(separation / sqrt 2) for every finding. Prevalences follow the release's order of magnitude, with a floor. The box of a finding
that is told goes into BBox_List_2017.csv, two standard deviations of the spot each way; the severities stand in TRUTH.

The chests are ellipses, and sizes and places are ours: nothing here supports a clinical claim.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from vitalbench.config.dataset import Image, PlantedImage, StandIn
from vitalbench.data.image_file import write_png
from vitalbench.data.wfdb_record import mark_folder
from vitalbench.files import write_text

TRUTH = "standin_truth.csv"
GRID = 1024  # pixels a side that the release's boxes count in, whatever the images' size
_BOXED = 2.0  # standard deviations of a spot
_TEST_SHARE = 0.23  # of the patients: as many as the official list has
_RGBA_EVERY = 50  # images that have colours and an opacity, all alike, as some of the release's have
_MOST_FOLLOW_UPS = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spot:
    """How a finding shows: who has it, its sign, its standard deviations and its region, in shares of the image's sides.

    Attributes:
        both: the region is of the image's left half, and its mirror image is as likely.
    """

    prevalence: float
    sign: int
    sigma: tuple[float, float]  # across, down
    x: tuple[float, float]
    y: tuple[float, float]
    both: bool = True


FINDINGS: dict[str, Spot] = {
    "Atelectasis": Spot(0.10, 1, (0.09, 0.025), (0.22, 0.36), (0.60, 0.72)),
    "Cardiomegaly": Spot(0.06, 1, (0.10, 0.09), (0.60, 0.66), (0.60, 0.66), both=False),
    "Effusion": Spot(0.12, 1, (0.08, 0.05), (0.20, 0.30), (0.78, 0.84)),
    "Infiltration": Spot(0.18, 1, (0.08, 0.08), (0.24, 0.36), (0.38, 0.60)),
    "Mass": Spot(0.06, 1, (0.05, 0.05), (0.20, 0.38), (0.28, 0.66)),
    "Nodule": Spot(0.06, 1, (0.025, 0.025), (0.20, 0.38), (0.28, 0.66)),
    "Pneumonia": Spot(0.05, 1, (0.06, 0.07), (0.22, 0.34), (0.58, 0.70)),
    "Pneumothorax": Spot(0.06, -1, (0.05, 0.08), (0.22, 0.34), (0.22, 0.32)),
    "Consolidation": Spot(0.05, 1, (0.06, 0.04), (0.22, 0.36), (0.34, 0.50)),
    "Edema": Spot(0.05, 1, (0.04, 0.10), (0.36, 0.42), (0.40, 0.52)),
    "Emphysema": Spot(0.05, -1, (0.10, 0.10), (0.26, 0.34), (0.40, 0.54)),
    "Fibrosis": Spot(0.05, 1, (0.03, 0.06), (0.18, 0.24), (0.66, 0.76)),
    "Pleural_Thickening": Spot(0.05, 1, (0.02, 0.10), (0.13, 0.17), (0.34, 0.60)),
    "Hernia": Spot(0.05, 1, (0.05, 0.05), (0.46, 0.54), (0.76, 0.82), both=False),
}
NAMES = list(FINDINGS)
_PREVALENCE = np.array([spot.prevalence for spot in FINDINGS.values()])


def posterior(severity: Floats, separation: float) -> Floats:
    """The ideal observer: the probability of each finding given an image's severities, (images, findings) both."""
    found: Floats = expit(logit(_PREVALENCE) + separation**2 * (severity - 0.5))
    return found


def attainable_auroc(separation: float) -> float:
    """The ideal observer's AUROC of any one finding: two normal distributions one apart, of deviation 1 / separation.

    >>> round(attainable_auroc(2.0), 4)
    0.9214
    """
    return float(ndtr(separation / np.sqrt(2)))


def _grid(image: Image) -> tuple[Floats, Floats]:
    across, down = (np.arange(size) + 0.5 for size in (image.width, image.height))
    return across[None, :] / image.width, down[:, None] / image.height


def _chest(x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    """A chest without findings, from 0 to 1: lungs dark, heart and spine light, ribs across; of a size and place of its own."""
    wide, low, light = 1 + rng.normal(0, 0.04), rng.normal(0, 0.015), rng.normal(0, 0.03)
    side = rng.normal(0, 0.01)
    chest = np.full(np.broadcast_shapes(x.shape, y.shape), 0.55)
    for middle in (0.29, 0.71):
        lung = ((x - middle - side) / (0.17 * wide)) ** 2 + ((y - 0.52 - low) / (0.34 * wide)) ** 2
        chest -= 0.30 / (1 + np.exp(12 * (lung - 1)))
    heart = ((x - 0.56 - side) / (0.13 * wide)) ** 2 + ((y - 0.62 - low) / (0.13 * wide)) ** 2
    chest += 0.18 / (1 + np.exp(8 * (heart - 1)))
    chest += 0.12 * np.exp(-(((x - 0.5 - side) / 0.05) ** 2))
    chest += 0.03 * np.sin(2 * np.pi * (11 * y - 2 * np.abs(x - 0.5) + rng.random()))
    return np.asarray(chest + light)


def _places(rng: np.random.Generator) -> Floats:
    """(findings, 2): where each finding shows on one image, across and down."""
    found = []
    for spot in FINDINGS.values():
        across = rng.uniform(*spot.x)
        mirrored = spot.both and rng.random() < 0.5
        found.append((1 - across if mirrored else across, rng.uniform(*spot.y)))
    return np.array(found)


def draw(
    image: Image, planted: PlantedImage, severity: Floats, places: Floats, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """One image, (height, width), of 8 bits.

    Args:
        severity: (findings,).
        places: (findings, 2), in shares of the sides.
    """
    x, y = _grid(image)
    grey = _chest(x, y, rng)
    for spot, amount, (across, down) in zip(FINDINGS.values(), severity, places, strict=True):
        wide, high = spot.sigma
        shape = np.exp(-0.5 * ((x - across) / wide) ** 2) * np.exp(-0.5 * ((y - down) / high) ** 2)
        grey += spot.sign * amount * planted.contrast * shape
    grey += rng.normal(0, planted.noise, grey.shape)
    whole: NDArray[np.uint8] = np.rint(grey.clip(0, 1) * 255).astype(np.uint8)
    return whole


def _boxes(name: str, has: NDArray[np.bool_], places: Floats, told: NDArray[np.bool_]) -> list[list[object]]:
    """Rows of BBox_List_2017.csv: of the findings that an image has, and that are told."""
    rows: list[list[object]] = []
    for at in np.flatnonzero(has & told):
        finding = NAMES[at]
        half = np.array(FINDINGS[finding].sigma) * _BOXED
        low, high = (places[at] - half).clip(0, 1) * GRID, (places[at] + half).clip(0, 1) * GRID
        rows.append([name, finding, *np.round(low, 2), *np.round(high - low, 2)])
    return rows


_ENTRY = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_BOX = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


def _csv(head: str, rows: list[list[object]]) -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"


def write_release(root: Path, config: StandIn, image: Image, table: str) -> None:
    """Write a whole stand-in release below `root`; the same configuration gives the same bytes.

    Args:
        root: a folder, made if need be.
        config: how many patients, how separable, which seed.
        image: the size that the PNG files have.
        table: the name of the table of entries.
    """
    planted = config.image or PlantedImage()
    folder = root / "images"
    folder.mkdir(parents=True, exist_ok=True)
    mark_folder(root)
    entries: list[list[object]] = []
    boxes: list[list[object]] = []
    truth: list[list[object]] = []
    lists: dict[bool, list[str]] = {True: [], False: []}
    tested = np.random.default_rng([config.seed, 0]).random(config.patients) < _TEST_SHARE
    for patient in range(1, config.patients + 1):
        rng = np.random.default_rng([config.seed, 1, patient])
        has = rng.random(len(NAMES)) < _PREVALENCE
        age, sex = int(np.clip(rng.normal(47, 17), 5, 90)), "FM"[rng.integers(2)]
        for number in range(min(int(rng.geometric(1 - config.repeat_share)), _MOST_FOLLOW_UPS)):
            severity = (has + rng.standard_normal(len(NAMES)) / config.separation).round(4)
            places = _places(rng)
            name = f"{patient:08d}_{number:03d}.png"
            mode = "RGBA" if len(entries) % _RGBA_EVERY == _RGBA_EVERY - 1 else "L"
            write_png(folder / name, draw(image, planted, severity, places, rng), mode)
            labels = "|".join(np.array(NAMES)[has]) or "No Finding"
            view = "PA" if rng.random() < 0.6 else "AP"
            spacing = round(0.143 * 2500 / image.width, 4)
            entries.append([name, labels, number, patient, age, sex, view, image.width, image.height, spacing, spacing])
            boxes += _boxes(name, has, places, rng.random(len(NAMES)) < planted.boxed)
            truth.append([name, *severity])
            lists[bool(tested[patient - 1])].append(name)
    write_text(root / TRUTH, _csv(",".join(["Image Index", *(f"truth:{name}" for name in NAMES)]), truth))
    write_text(root / "BBox_List_2017.csv", _csv(_BOX, boxes))
    write_text(root / "train_val_list.txt", "\n".join(lists[False]) + "\n")
    write_text(root / "test_list.txt", "\n".join(lists[True]) + "\n")
    write_text(root / table, _csv(_ENTRY, entries))  # last: with it the release counts as whole
