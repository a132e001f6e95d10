"""ChestX-ray14's reader: what the release's tables and images mean, and what of them is not taken as it stands."""

import io
import struct
import zlib
from contextlib import suppress
from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow
from scipy.stats import rankdata

from tests.conftest import build
from vitalbench.config.dataset import Dataset, Image, PlantedImage
from vitalbench.data.datasets import UnreadableRecord, chestxray14
from vitalbench.data.image_file import read_png, write_png
from vitalbench.data.store import Store, read_records
from vitalbench.data.synthetic import chest
from vitalbench.errors import InputError

TABLE = "Data_Entry_2017_v2020.csv"
SMALL = Image(channels=["grey"], height=16, width=16)


@pytest.fixture(scope="module")
def dataset(configs) -> Dataset:
    """The stand-in of 40 patients, at 32 x 32 pixels."""
    found = configs.dataset("chestxray14-64")
    shape = Image(channels=["grey"], height=32, width=32)
    standin = found.standin.model_copy(update={"patients": 40})
    return found.model_copy(update={"image": shape, "standin": standin, "parts": 2})


@pytest.fixture(scope="module")
def release(dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("release") / "chestxray14"
    chestxray14.write_standin(root, dataset)
    return root


@pytest.fixture(scope="module")
def store(dataset, tmp_path_factory):
    return build("chestxray14-64", dataset, "generated", None, tmp_path_factory.mktemp("chest"))


def altered(release, tmp_path, old: str, new: str, file: str = TABLE):
    """A release whose table reads otherwise, its images left where they are."""
    root = tmp_path / "altered"
    root.mkdir()
    for path in release.iterdir():
        if path.is_file():
            (root / path.name).write_bytes(path.read_bytes())
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))
    return root


def first_row(release) -> str:
    return (release / TABLE).read_text().splitlines()[1]


def test_an_image_comes_back_as_its_file_has_it(store, dataset):
    records, here = read_records(store), Store(store)
    found = here.read(records["row"].to_numpy())
    assert found.shape == (len(records), 1, 32, 32)
    for image, file in zip(found, records["file"], strict=True):
        grey = np.asarray(Pillow.open(store.parent / "release" / file).convert("L"))
        assert np.array_equal(np.rint(image[0] * 255), grey)


def test_findings_subgroups_and_the_official_split_are_those_of_the_tables(release, dataset):
    index = chestxray14.read_index(release, dataset)
    table = pd.read_csv(release / TABLE)
    assert index["labels:findings"].map("|".join).replace("", "No Finding").tolist() == [
        "|".join(sorted(names.split("|"))) for names in table["Finding Labels"]
    ]
    assert set(index["group:view"]) == {"PA", "AP"}
    tested = set((release / "test_list.txt").read_text().split())
    assert ((index["official"] == "test") == table["Image Index"].isin(tested)).all()
    split_of = index.groupby("patient_id")["official"].nunique()
    assert (split_of == 1).all()
    assert set(index["official"]) == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        (1, "Mass|Mass", "names a finding twice"),
        (1, "No Finding|Mass", "beside others"),
        (1, "Masse", "not of the fourteen"),
        (3, "77", "of different patients"),
        (2, "-1", "not a whole number from 0"),
        (4, "old", "not a number of years"),
        (5, "X", "not M, F or empty"),
        (6, "LL", "not PA, AP or empty"),
        (0, "../../etc/passwd.png", "eight digits"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_at_fault(release, dataset, tmp_path, field, value, why):
    row = first_row(release)
    cells = row.split(",")
    cells[field] = value
    index = chestxray14.read_index(altered(release, tmp_path, row, ",".join(cells)), dataset)
    assert why in index["fault"].iloc[0]
    assert (index["fault"].iloc[1:] == "").all()


@pytest.mark.parametrize(
    ("age", "years", "band"),
    [
        ("058Y", 58, "40 to 59"),
        ("018M", 1.5, "under 40"),
        ("411", None, "unknown"),
        ("", None, "unknown"),
        ("0", 0, "under 40"),
    ],
)
def test_an_age_is_in_years_and_none_where_nobody_is_that_old(release, dataset, tmp_path, age, years, band, capsys):
    row = first_row(release)
    cells = row.split(",")
    cells[4] = age
    index = chestxray14.read_index(altered(release, tmp_path, row, ",".join(cells)), dataset)
    assert index["age"].iloc[0] == years or (years is None and np.isnan(index["age"].iloc[0]))
    assert index["group:age_band"].iloc[0] == band
    assert ("1 ages above 120 years" in capsys.readouterr().err) == (age == "411")


def test_a_list_alone_and_an_image_in_both_are_no_official_split(release, dataset, tmp_path):
    name = first_row(release).partition(",")[0]
    other = "test_list.txt" if name in (release / "train_val_list.txt").read_text() else "train_val_list.txt"
    first = (release / other).read_text().split()[0]
    root = altered(release, tmp_path, first, f"{first}\n{name}", other)
    assert chestxray14.read_index(root, dataset)["fault"].iloc[0] == "is in both official lists"
    (root / "test_list.txt").unlink()
    with pytest.raises(InputError, match=r"test_list.txt: no such file; the other list is there"):
        chestxray14.read_index(root, dataset)
    (root / "train_val_list.txt").unlink()
    assert set(chestxray14.read_index(root, dataset)["official"]) == {""}


def test_boxes_are_shares_of_the_image_and_are_held_to_it(release, dataset, tmp_path):
    index = chestxray14.read_index(release, dataset)
    every = [box for boxes in index["boxes:findings"] for box in boxes]
    assert len(every) == index["labels:findings"].map(len).sum()  # the stand-in tells where each finding is
    name, *sizes = every[0].split()
    x, y, width, height = map(float, sizes)
    assert name in chest.NAMES
    assert 0 <= x < x + width <= 1.001
    assert 0 <= y < y + height <= 1.001


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ((None, None, None, None, None, "2000"), "its place lies outside of 1024 pixels"),
        ((None, None, "-1", None, None, None), "its place lies outside of 1024 pixels"),
        ((None, None, None, None, "0", None), "its place has no size"),
        ((None, None, "left", None, None, None), "its place is no four numbers"),
        ((None, "Masse", None, None, None, None), "its finding is not one of the fourteen"),
        (("00099999_000.png", None, None, None, None, None), "its image is in no row of the table of entries"),
    ],
)
def test_a_box_at_fault_is_left_out_and_its_image_stays(release, dataset, tmp_path, cells, why, capsys):
    before = chestxray14.read_index(release, dataset)
    line = (release / "BBox_List_2017.csv").read_text().splitlines()[1]
    told = line.split(",")
    wrong = ",".join(new or old for new, old in zip(cells, told, strict=False))
    index = chestxray14.read_index(altered(release, tmp_path, line, wrong, "BBox_List_2017.csv"), dataset)
    count = {name: index["boxes:findings"].map(len).sum() for name, index in (("before", before), ("after", index))}
    assert count["before"] - count["after"] == 1
    assert (index["fault"] == "").all()
    assert index["labels:findings"].equals(before["labels:findings"])
    assert f"1 of {count['before']} boxes left out: {why}, such as row 1\n" in capsys.readouterr().err


def test_boxes_most_of_which_are_at_fault_are_refused(release, dataset, tmp_path):
    root = altered(release, tmp_path, "", "", "BBox_List_2017.csv")
    boxes = pd.read_csv(root / "BBox_List_2017.csv")
    boxes.iloc[:, 2] = 5000
    boxes.to_csv(root / "BBox_List_2017.csv", index=False)
    with pytest.raises(InputError, match=r"BBox_List_2017\.csv: row 1: its place lies outside of 1024 pixels"):
        chestxray14.read_index(root, dataset)


@pytest.mark.parametrize(
    ("other", "fault"), [("", ""), ("same", ""), ("other", "Patient Gender and Patient Sex say otherwise")]
)
def test_of_two_columns_of_sex_neither_wins_silently(release, dataset, tmp_path, other, fault):
    root = altered(release, tmp_path, "", "", TABLE)
    table = pd.read_csv(root / TABLE, dtype=str)
    mine = next(name for name in ("Patient Gender", "Patient Sex") if name in table)
    told = table[mine].to_numpy(copy=True)
    told[0] = {"": "", "same": told[0], "other": "F" if told[0] == "M" else "M"}[other]
    table["Patient Sex" if mine == "Patient Gender" else "Patient Gender"] = told
    table.to_csv(root / TABLE, index=False)
    index = chestxray14.read_index(root, dataset)
    assert index["fault"].iloc[0] == fault
    assert (index["fault"].iloc[1:] == "").all()


def test_spaces_around_a_finding_are_none(release, dataset, tmp_path):
    row = first_row(release)
    cells = row.split(",")
    cells[1] = " Mass | Nodule"
    index = chestxray14.read_index(altered(release, tmp_path, row, ",".join(cells)), dataset)
    assert index["fault"].iloc[0] == ""
    assert index["labels:findings"].iloc[0] == ["Mass", "Nodule"]


def test_the_file_of_a_row_at_fault_is_no_stray_and_one_without_a_row_is(release, dataset, tmp_path, capsys):
    root = tmp_path / "plain"
    (root / "images").mkdir(parents=True)
    for path in (release / "images").iterdir():
        Pillow.fromarray(np.asarray(Pillow.open(path).convert("L"))).save(root / "images" / path.name)
    name, findings = first_row(release).split(",")[:2]
    table = (release / TABLE).read_text().replace(f"{name},{findings}", f"{name},Efusion", 1)
    (root / TABLE).write_text(table)
    (root / "images/00000999_000.png").write_bytes((root / "images" / name).read_bytes())
    records = read_records(build("chestxray14-64", dataset, "local", root, tmp_path / "store"))
    assert name.removesuffix(".png") not in {record.partition("/")[2] for record in records["record_id"]}
    told = capsys.readouterr().err
    assert "1 x Finding Labels has one that is not of the fourteen" in told
    assert "1 sample files are in no row of the index and are left alone: images/00000999_000.png\n" in told
    assert records["follow_up"].tolist() == [float(record[-3:]) for record in records["record_id"]]


def test_lists_that_name_other_images_say_so_and_a_table_without_rows_is_refused(release, dataset, tmp_path, capsys):
    first = (release / "test_list.txt").read_text().split()[0]
    root = altered(release, tmp_path, first, f"{first}\n99999999_000.png", "test_list.txt")
    chestxray14.read_index(root, dataset)
    assert "the official lists name 1 images that are in no row" in capsys.readouterr().err
    (root / TABLE).write_text((root / TABLE).read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match="lists no image"):
        chestxray14.read_index(root, dataset)


def test_images_whose_archive_is_not_here_are_left_out_and_told(release, dataset, tmp_path, capsys):
    root = tmp_path / "some"
    (root / "images_003" / "images").mkdir(parents=True)
    images = sorted((release / "images").iterdir())
    for path in images[:5]:
        grey = np.asarray(Pillow.open(path).convert("L"))
        Pillow.fromarray(grey).save(root / "images_003" / "images" / path.name)  # without the watermark
    (root / TABLE).write_bytes((release / TABLE).read_bytes())
    stored = read_records(build("chestxray14-64", dataset, "local", root, tmp_path / "store"))
    assert sorted(stored["file"]) == [f"images_003/images/{path.name}" for path in images[:5]]
    assert f"the files of 5 of {len(images)} records are here" in capsys.readouterr().err


def test_generated_images_given_as_a_release_are_refused(release, dataset, tmp_path):
    with pytest.raises(InputError, match="this is a stand-in"):
        build("chestxray14-64", dataset, "local", release, tmp_path / "a")
    inside = tmp_path / "inside"
    (inside / "images").mkdir(parents=True)
    (inside / TABLE).write_bytes((release / TABLE).read_bytes())
    name = sorted((release / "images").iterdir())[0].name
    (inside / "images" / name).write_bytes((release / "images" / name).read_bytes())
    with pytest.raises(InputError, match="a generated record"):
        build("chestxray14-64", dataset, "local", inside, tmp_path / "b")


def test_a_pixel_is_the_mean_of_those_it_stands_for(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    Pillow.fromarray(grey).save(tmp_path / "a.png")
    found = read_png(tmp_path / "a.png", tmp_path, SMALL).digital[0].astype(float)
    assert np.abs(found - grey.reshape(16, 4, 16, 4).mean(axis=(1, 3))).max() < 1  # rounded across, then down


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_grey_images_are_read_in_every_mode_they_come_in(tmp_path, mode):
    grey = np.random.default_rng(1).integers(0, 256, (16, 16)).astype(np.uint8)
    Pillow.fromarray(grey).convert(mode).save(tmp_path / "a.png")
    record = read_png(tmp_path / "a.png", tmp_path, SMALL)
    assert np.array_equal(record.digital[0], grey)
    assert not record.generated
    write_png(tmp_path / "b.png", grey, mode)
    assert read_png(tmp_path / "b.png", tmp_path, SMALL).generated


def test_what_is_no_grey_image_of_the_shape_is_refused(tmp_path):
    def check(name: str) -> str:
        with pytest.raises(UnreadableRecord) as refused:
            read_png(tmp_path / name, tmp_path, SMALL)
        return refused.value.check

    rng = np.random.default_rng(2)
    Pillow.fromarray(rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)).save(tmp_path / "coloured.png")
    Pillow.fromarray(np.zeros((16, 32), np.uint8)).save(tmp_path / "wide.png")
    Pillow.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "tiny.png")
    Pillow.fromarray(np.zeros((16, 16), np.uint8)).convert("P").save(tmp_path / "palette.png")
    whole = tmp_path / "whole.png"
    Pillow.fromarray(rng.integers(0, 256, (64, 64)).astype(np.uint8)).save(whole)
    (tmp_path / "short.png").write_bytes(whole.read_bytes()[:900])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link.png").symlink_to(whole)
    assert [check(name) for name in ("coloured.png", "wide.png", "tiny.png", "palette.png")] == [
        "coloured-image", "wrong-shape", "wrong-size", "wrong-mode",
    ]  # fmt: skip
    assert [check(name) for name in ("short.png", "text.png", "none.png")] == [
        "damaged-image", "damaged-image", "missing-file",
    ]  # fmt: skip
    with pytest.raises(UnreadableRecord, match=r"^text\.png is no PNG file$"):  # the same words in every build
        read_png(tmp_path / "text.png", tmp_path, SMALL)
    with pytest.raises(UnreadableRecord, match="link out of the release"):
        read_png(tmp_path / "out" / "link.png", tmp_path / "out", SMALL)


def with_chunk(path, before: bytes, name: bytes, content: bytes):
    """A grey PNG file with a chunk more in front of another."""
    whole = io.BytesIO()
    Pillow.fromarray(np.zeros((16, 16), np.uint8)).save(whole, "png")
    data, at = whole.getvalue(), whole.getvalue().index(before) - 4
    odd = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data[:at] + odd + data[at:])


def test_no_chunk_of_a_file_ends_more_than_the_reading_of_that_file(tmp_path):
    names = (b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"tRNS", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"fcTL", b"acTL", b"eXIf")
    for before, name, content in product((b"IDAT", b"IEND"), names, (b"", b"\0", b"a\0", b"a\0\0", b"a\0\1x")):
        with_chunk(tmp_path / "odd.png", before, name, content)
        with suppress(UnreadableRecord):
            assert read_png(tmp_path / "odd.png", tmp_path, SMALL).digital.shape == (1, 16, 16)


def test_a_profile_without_content_behind_the_pixels_is_a_damaged_image(tmp_path):
    with_chunk(tmp_path / "odd.png", b"IEND", b"iCCP", b"")
    with pytest.raises(UnreadableRecord, match=r"^odd\.png: ") as refused:
        read_png(tmp_path / "odd.png", tmp_path, SMALL)
    assert refused.value.check == "damaged-image"


def test_blank_images_are_kept_out_and_saturated_ones_flagged(dataset, tmp_path, release):
    root = tmp_path / "blank"
    (root / "images").mkdir(parents=True)
    (root / TABLE).write_bytes((release / TABLE).read_bytes())
    names = sorted(path.name for path in (release / "images").iterdir())[:40]
    rng = np.random.default_rng(3)
    for number, name in enumerate(names):
        grey = rng.integers(50, 200, (32, 32))
        if number == 0:
            grey[:] = 90
        if number == 1:
            grey[:20] = 255
        Pillow.fromarray(grey.astype(np.uint8)).save(root / "images" / name)
    found = build("chestxray14-64", dataset, "local", root, tmp_path / "store").with_name("quality.csv")
    told = pd.read_csv(found).set_index("check")["action"].to_dict()
    assert told == {"blank-image": "quarantined", "saturated": "flagged"}


def test_the_ceiling_is_what_the_ideal_observer_reaches():
    """AUROC of the posterior on drawn severities, against its closed form; four standard errors."""
    rng, separation, images = np.random.default_rng(0), 2.0, 40_000
    has = rng.random((images, 14)) < [spot.prevalence for spot in chest.FINDINGS.values()]
    scores = chest.posterior(has + rng.standard_normal(has.shape) / separation, separation)
    for y, p in zip(has.T, scores.T, strict=True):
        positives = int(y.sum())
        above = rankdata(p)[y].sum() - positives * (positives + 1) / 2
        assert above / (positives * (images - positives)) == pytest.approx(chest.attainable_auroc(separation), abs=0.02)
    predicted = scores.mean(axis=0)
    assert predicted == pytest.approx(has.mean(axis=0), abs=0.01)  # the posterior is calibrated


@pytest.mark.parametrize("finding", chest.NAMES)
def test_a_planted_finding_stands_in_its_box_with_its_contrast(finding):
    at, spot = chest.NAMES.index(finding), chest.FINDINGS[finding]
    shape = Image(channels=["grey"], height=128, width=128)
    places = np.array(
        [((found.x[0] + found.x[1]) / 2, (found.y[0] + found.y[1]) / 2) for found in chest.FINDINGS.values()]
    )
    severity = np.zeros(14)
    without = chest.draw(shape, PlantedImage(noise=0.0), severity, places, np.random.default_rng(5)).astype(float)
    severity[at] = 1.0
    with_it = chest.draw(shape, PlantedImage(noise=0.0), severity, places, np.random.default_rng(5)).astype(float)
    difference = (with_it - without) / 255 * spot.sign
    peak = np.unravel_index(difference.argmax(), difference.shape)
    assert difference.max() == pytest.approx(0.25, abs=0.02)
    has = np.arange(14) == at
    ((_, name, x, y, width, height),) = chest._boxes("i.png", has, places, np.ones(14, bool))
    assert name == finding
    assert x <= (peak[1] + 0.5) / 128 * 1024 <= x + width
    assert y <= (peak[0] + 0.5) / 128 * 1024 <= y + height
    down, across = np.mgrid[:128, :128] / 128 * 1024
    inside = (across >= x) & (across <= x + width) & (down >= y) & (down <= y + height)
    assert difference[inside].sum() / difference.sum() > 0.85


def test_the_same_configuration_gives_the_same_bytes(release, dataset, tmp_path):
    chestxray14.write_standin(tmp_path, dataset)
    files = sorted(path.relative_to(release) for path in release.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((release / file).read_bytes() == (tmp_path / file).read_bytes() for file in files)
