"""What an examination shows on the page: which failures, their pictures, and which records are never shown."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from tests.conftest import resolved
from vitalbench import cli
from vitalbench.config.dataset import Image, Signal
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.pointing import Box, pointing_rows
from vitalbench.evaluate.predictions import Predictions
from vitalbench.files import read_json, write_json
from vitalbench.layout import PICTURES_SLICE, RUN
from vitalbench.privacy.pictures import withheld
from vitalbench.report.examined_section import examined_section
from vitalbench.report.gallery import picture, worst
from vitalbench.report.wording import strip_markup
from vitalbench.results import Results
from vitalbench.tables import write_table

CELL = {"dataset": "ptbxl", "task": "superdiagnostic", "design": "s4d", "target": "cpu", "seed": 0, "fold": 0}
PLACE = "ptbxl/superdiagnostic/s4d/cpu/fold0"


@pytest.mark.parametrize(
    ("source", "changed", "why"),
    [
        ("generated", {"access": "credentialed"}, ""),
        ("local", {}, ""),
        ("download", {}, ""),
        ("local", {"access": "registration"}, "access to the data set is 'registration'"),
        ("local", {"access": "credentialed"}, "access to the data set is 'credentialed'"),
        ("local", {"encrypt": True}, "encrypted"),
    ],
)
def test_only_generated_records_and_those_of_an_open_release_are_shown(configs, source, changed, why):
    found = withheld(configs.dataset("chestxray14").model_copy(update=changed), source)
    assert (why in found) if why else found == ""


def test_of_each_class_the_worst_is_shown_and_the_surest_first():
    y = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=float)
    p = np.array([[0.2, 0.05, 0.6], [0.1, 0.9, 0.5], [0.7, 0.4, 0.3], [0.8, 0.5, 0.1]])
    ids = np.array(["a", "b", "c", "d"], dtype=object)
    test = Predictions(
        ["A", "B", "C"], ids, ids, np.array(["test"] * 4, dtype=object), y, p, pd.DataFrame(index=range(4)), None
    )
    rows = worst(test, 2)
    assert [(row["kind"], row["label"], row["record_id"]) for row in rows] == [
        ("miss", "B", "a"),
        ("miss", "A", "b"),
        ("false-alarm", "B", "b"),
        ("false-alarm", "A", "d"),
    ]
    assert worst(test, 0) == []


def test_a_picture_of_an_image_is_the_image_and_beside_it_the_map_and_the_place():
    shape = Image(channels=["grey"], height=16, width=16)
    record = np.full((1, 16, 16), 0.5, np.float32)
    found = np.zeros((16, 16), np.float32)
    found[12:, :4] = 1.0
    with Pillow.open(io.BytesIO(picture(record, found, [Box("A", 0.5, 0.1, 0.4, 0.3)], shape))) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    left, right = pixels[:, : width // 2], pixels[:, width // 2 :]
    assert not (left.max(axis=2) - left.min(axis=2)).any()  # grey alone
    red = (right[..., 0] - right[..., 2]) > 40
    assert red[int(height * 0.8) :, : width // 8].mean() > 0.8
    assert not red[: height // 2].any()
    assert ((right[..., 2] - right[..., 0]) > 40).any()  # the place's edge
    assert len(picture(record, None, [], shape)) < 20_000


def test_a_picture_of_a_signal_has_its_map_behind_it():
    shape = Signal(leads=["I", "II"], rate_hz=100, seconds=2.0)
    record = np.random.default_rng(0).normal(0, 0.1, (2, 200)).astype(np.float32)
    found = np.zeros(200, np.float32)
    found[:50] = 1.0

    def redness(of) -> np.ndarray:
        with Pillow.open(io.BytesIO(picture(record, of, [], shape))) as opened:
            pixels = np.asarray(opened.convert("RGB")).astype(int)
        return (pixels[..., 0] - pixels[..., 2] > 40).mean(axis=0)

    without, with_it = redness(None), redness(found)
    assert not without.any()
    assert with_it[: len(with_it) // 4].max() > 0.3
    assert not with_it[len(with_it) // 2 :].any()


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("s4", "no grid of the suite has the design 's4'; .*nearest: s4d"),
        ("prevalence", "has no model that answers: its recipe is 'prevalence'"),
    ],
)
def test_what_cannot_be_examined_is_refused_before_anything_runs(project, named, why):
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text() + f"examine: [{named}]\n")
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError, match=rf"quick\.yaml: examine: .*{why}"):
        make_plan(folder, folder.knobs({}))


@pytest.fixture
def suite(project, monkeypatch):
    """The suite quick, which examines s4d, with predictions of one seed of two."""
    path = project / "configs/suites/quick.yaml"
    path.write_text(path.read_text() + "examine: [s4d]\n")
    monkeypatch.chdir(project)
    resolved(project)
    results = project / "results/quick"
    run = results / RUN.format(**CELL)
    write_json(run / "status.json", {"status": "measured", "reason": "", "run_id": "abc"})
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"record_id": [f"r{i}" for i in range(240)], "patient_id": [f"p{i // 2}" for i in range(240)]})
    table["split"] = np.where(np.arange(240) < 120, "val", "test")
    for name in ("NORM", "MI", "STTC", "CD", "HYP"):
        truth = rng.random(240) < 0.4
        table[f"y_true:{name}"] = truth.astype(float)
        table[f"y_prob:{name}"] = np.clip(0.3 * truth + rng.random(240) * 0.7, 0, 1)
    table.to_parquet(run / "predictions.parquet", index=False)
    return results


def test_a_suite_examines_its_places_and_the_page_shows_what_was_found(suite):
    assert cli.run(["examine", "--results", str(suite), "--place", PLACE]) == 0
    results = Results(suite)
    (place,) = results.examined
    assert examined_section(results, place) is None  # its failures were not drawn yet
    folder = results.examination(place)
    (folder / "gallery").mkdir()
    (folder / "gallery/00.png").write_bytes(b"\x89PNG")
    row = {"label": "MI", "kind": "miss", "record_id": "r1", "probability": 0.01, "threshold": 0.4, "run_id": "abc"}
    without = row | {"reason": "no picture: access to the data set is 'credentialed'"}
    write_table("gallery", [row | {"picture": "gallery/00.png"}, without], folder / "gallery.csv")
    write_table("pointing", [], folder / "pointing.csv")
    found = examined_section(results, place)
    assert found is not None
    assert [row[0] for row in found.calibration[1]] == [
        "as it stands",
        "temperature scaling",
        "a slope and a shift a class",
    ]
    assert [len(panel.data) > 0 and panel.svg.startswith("<?xml") for panel in found.panels] == [True, True]
    assert set(found.panels[1].data["design"]) == {row[0] for row in found.calibration[1]}
    assert len(found.operating[1]) == 5
    assert len(found.rules[1]) == 15
    assert len(found.conformal[1]) == 10
    assert [picture.data for picture in found.pictures] == ["iVBORw=="]
    assert found.pictures[0].caption == "MI, missed: probability 0.010, threshold 0.400. r1"
    assert "not pictures of people" in found.gallery_note
    assert "No picture: access to the data set is 'credentialed'." in found.gallery_note
    assert "Red is" not in found.gallery_note  # no map is drawn, and no place is told
    assert "Blue is" not in found.gallery_note
    assert found.ensemble == ""  # one seed of two was measured


def test_the_page_says_which_thresholds_were_not_chosen_and_what_is_covered_by_construction(suite):
    run = suite / RUN.format(**CELL) / "predictions.parquet"
    table = pd.read_parquet(run)
    table.loc[table["split"] == "val", "y_true:CD"] = 0.0
    table["group:sex"] = np.where(np.arange(240) < 236, "male", "female")
    table.loc[230:231, "group:sex"] = "other"
    table.to_parquet(run, index=False)
    assert cli.run(["examine", "--results", str(suite), "--place", PLACE]) == 0
    results = Results(suite)
    (place,) = results.examined
    for name in ("gallery", "pointing"):
        write_table(name, [], results.examination(place) / f"{name}.csv")
    found = examined_section(results, place)
    assert found.operating_note == "Of 1 of 5 classes validation lacks a truth, so the threshold is fixed at 0.5: CD."
    assert found.calibration_note == (
        "With a slope and a shift a class, of 1 of 5 classes validation lacks a truth, so the map leaves it as it stands: CD. "
        "The means hold these too."
    )
    assert found.disparity == (found.disparity[0], [])
    assert found.disparity_note == (
        "Not compared: sex: female, sex: male, sex: other: no class has 5 positive and 5 negative patients on both sides."
    )
    assert {row[0]: row[1] for row in found.operating[1]}["CD"] == "0.500 (fixed)"
    assert [row[:2] for row in found.conformal[1] if row[3] == "all, by construction"] == [["CD", "positive"]]


def test_the_page_says_which_intervals_are_exact_and_where_a_class_has_no_place(suite):
    run = suite / RUN.format(**CELL) / "predictions.parquet"
    table = pd.read_parquet(run)
    table["patient_id"] = table["record_id"]
    table["y_true:CD"] = 0.0
    table.loc[[0, 1, *range(120, 127)], "y_true:CD"] = 1.0
    table.loc[[0, 1], "y_prob:CD"] = 0.99  # high in validation, low in the test records
    table.loc[120:126, "y_prob:CD"] = 0.01
    table.to_parquet(run, index=False)
    assert cli.run(["examine", "--results", str(suite), "--place", PLACE]) == 0
    results = Results(suite)
    (place,) = results.examined
    folder = results.examination(place)
    write_table("gallery", [], folder / "gallery.csv")
    told = pd.DataFrame({"record_id": list("abcdefg"), "patient_id": list("abcdefg"), "label": "CD"})
    rows = pointing_rows(told.assign(hit=0.0, inside=np.arange(7) / 7, area=0.1), 20, 0, ["CD", "MI"])
    write_table("pointing", rows, folder / "pointing.csv")
    found = examined_section(results, place)
    shown = {row[0]: [strip_markup(cell) for cell in row] for row in found.operating[1]}
    assert shown["CD"][6] == "0.000 [0.000, 0.410 exact]"
    assert "exact" not in "".join(shown["MI"])
    pointed = {row[0]: [strip_markup(cell) for cell in row] for row in found.pointing[1]}
    assert pointed["CD"][1:4] == ["0.000 [0.000, 0.410 exact]", "0.100", "-0.100 [-0.100, 0.310 exact]"]
    assert pointed["MI"][1:3] == ["none", ""]
    assert found.pointing_note == "MI: no value: no test record tells its place"


def test_a_mean_that_is_worse_than_its_members_is_told_as_less(suite):
    assert cli.run(["examine", "--results", str(suite), "--place", PLACE]) == 0
    results = Results(suite)
    (place,) = results.examined
    folder = results.examination(place)
    for name in ("gallery", "pointing"):
        write_table(name, [], folder / f"{name}.csv")
    row = {"label": "macro", "members": 2, "auroc": 0.6, "members_auroc": 0.665, "gain": -0.065}
    errors = {"errors_by_entropy": 0.7, "errors_by_disagreement": 0.6}
    write_table("ensemble", [row | {"gain_low": -0.1, "gain_high": -0.03} | errors], folder / "ensemble.csv")
    assert (
        "of 0.600, 0.065 (0.030 to 0.100) less than they have alone. As an" in examined_section(results, place).ensemble
    )
    write_table("ensemble", [row | {"gain": 0.01}], folder / "ensemble.csv")
    assert examined_section(results, place).ensemble.endswith(
        "0.010 more than they have alone. No decision at 0.5 was wrong."
    )


def test_what_may_not_be_shown_any_more_is_not_embedded_though_a_picture_lies_there(suite):
    assert cli.run(["examine", "--results", str(suite), "--place", PLACE]) == 0
    path = suite / "config/suite.json"
    told = read_json(path)
    told["sources"]["ptbxl"] = "local"
    folder = Results(suite).examination(next(iter(Results(suite).examined)))
    (folder / "gallery").mkdir()
    (folder / "gallery/00.png").write_bytes(b"\x89PNG")
    row = {
        "label": "MI",
        "kind": "miss",
        "record_id": "r1",
        "probability": 0.01,
        "threshold": 0.4,
        "run_id": "abc",
        "map": True,
    }
    write_table("gallery", [row | {"picture": "gallery/00.png"}], folder / "gallery.csv")
    write_table("pointing", [], folder / "pointing.csv")
    for access, shown in (("open", 1), ("credentialed", 0), ("registration", 0)):
        told["datasets"]["ptbxl"] |= {"access": access, "download": None}
        write_json(path, told)
        results = Results(suite)
        found = examined_section(results, next(iter(results.examined)))
        assert len(found.pictures) == shown
        assert ("Red is" in found.gallery_note) == bool(shown)
        assert (f"No picture: access to the data set is '{access}'" in found.gallery_note) == (not shown)


@pytest.mark.parametrize("changed", ["access: credentialed", "encrypt: true"])
def test_whether_pictures_may_be_shown_is_a_slice_of_its_own_and_other_words_of_a_data_set_are_not(project, changed):
    path = project / "configs/datasets/chestxray14-64.yaml"
    shown = project / "results/chest" / PICTURES_SLICE.format(dataset="chestxray14-64")
    grid = "{datasets: [chestxray14-64], tasks: [findings], designs: [prevalence]}"
    (project / "configs/suites/chest.yaml").write_text(
        f"description: x\nsource: generated\nsize: small\ngrids: [{grid}]\n"
    )
    resolved(project, suite="chest")
    before = shown.read_text()
    text = path.read_text()
    path.write_text(text.replace("title: ", "title: Another "))
    resolved(project, suite="chest")
    assert shown.read_text() == before
    path.write_text(text.replace("access: open", changed if "access" in changed else f"access: open\n{changed}"))
    resolved(project, suite="chest")
    assert shown.read_text() != before


def test_pictures_go_before_anything_of_the_job_can_fail(suite):
    gallery = suite / "examined" / PLACE / "gallery"
    gallery.mkdir(parents=True)
    (gallery / "00.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError):  # the run has no checkpoint and no store here
        cli.run(["explain", "--results", str(suite), "--place", PLACE])
    assert list(gallery.iterdir()) == []


def test_where_no_run_was_measured_the_tables_are_there_without_rows(suite):
    status = suite / RUN.format(**CELL) / "status.json"
    write_json(status, read_json(status) | {"status": "failed", "reason": "planted"})
    for command in ("examine", "explain"):
        assert cli.run([command, "--results", str(suite), "--place", PLACE]) == 0
    results = Results(suite)
    found = examined_section(results, next(iter(results.examined)))
    assert found is not None
    assert found.operating[1] == found.pictures == found.panels == []
    assert found.gallery_note.startswith("No run left predictions")


@pytest.mark.parametrize("command", ["examine", "explain"])
def test_a_place_that_is_not_examined_is_told_with_the_nearest(suite, command):
    with pytest.raises(InputError, match=f"nothing that is examined is named .*nearest: {PLACE}"):
        cli.run([command, "--results", str(suite), "--place", PLACE.replace("s4d", "s4")])
