"""A second modality through the whole workflow: radiographs of a small stand-in, pre-trained, trained, scored, explained."""

import shutil

import pandas as pd
import pytest
import yaml

from tests.workflow.conftest import copy_project, jobs, snakemake
from vitalbench import cli
from vitalbench.files import read_json, write_json

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("chest"))
    configs = project / "configs"
    dataset = yaml.safe_load((configs / "datasets/chestxray14-64.yaml").read_text())
    dataset |= {"image": {"channels": ["grey"], "height": 32, "width": 32}, "parts": 2}
    dataset["standin"]["patients"] = 150
    (configs / "datasets/chestxray14-64.yaml").write_text(yaml.safe_dump(dataset))
    for name in ("resnet50-contrastive", "resnet50-tuned"):
        design = yaml.safe_load((configs / f"designs/{name}.yaml").read_text())
        design["small"]["train"]["epochs"] = 1
        if "contrastive" in design:
            design["contrastive"]["pixels"] = 8  # both sizes have to go with images of 32 x 32
        (configs / f"designs/{name}.yaml").write_text(yaml.safe_dump(design))
    grid = {
        "datasets": ["chestxray14-64"],
        "tasks": ["findings"],
        "designs": ["resnet50-tuned", "prevalence", "ideal-observer"],
    }
    protocol = {"warmup": 1, "repeats": 3, "seconds": 0.01, "inference_batches": [1], "own_batch": False}
    suite = {"description": "chest", "source": "generated", "size": "small", "grids": [grid], "protocol": protocol}
    suite["examine"] = ["resnet50-tuned"]
    (configs / "suites/chest.yaml").write_text(yaml.safe_dump(suite))
    ended = snakemake(project, "--cores", "2", "--config", "suite=chest")
    assert ended.returncode == 0, ended.stdout[-3000:]
    return project / "results/chest"


def test_every_cell_is_measured_and_the_ideal_observer_is_at_its_ceiling(results):
    matrix = pd.read_csv(results / "tables/matrix.csv")
    assert set(matrix["status"]) == {"measured"}
    assert set(matrix["design"]) == {"resnet50-contrastive", "resnet50-tuned", "prevalence", "ideal-observer"}
    metrics = pd.read_csv(results / "tables/metrics.csv").query(
        "split == 'test' and subgroup == 'all' and metric == 'auroc'"
    )
    macro = metrics[metrics["label"] == "macro"].set_index("design")["value"]
    assert macro["prevalence"] == pytest.approx(0.5)
    assert macro["ideal-observer"] == pytest.approx(0.9214, abs=0.06)
    assert "ChestX-ray14" in (results / "report.html").read_text()


def test_no_image_and_no_patient_crosses_the_official_split(results):
    leakage = pd.read_csv(results / "tables/leakage.csv")
    assert set(leakage["verdict"]) <= {"clean", "noted"}
    assert {"near-duplicate", "identical-samples", "patient-overlap"} <= set(leakage["check"])


def test_what_is_examined_stands_on_the_page_with_pictures_of_failures(results):
    folder = results / "examined/chestxray14-64/findings/resnet50-tuned/cpu/fold0"
    assert len(pd.read_csv(folder / "operating.csv")) == 4 * 14
    assert pd.read_csv(folder / "pointing.csv")["label"].iloc[-1] == "macro"
    gallery = pd.read_csv(folder / "gallery.csv")
    assert set(gallery["kind"]) == {"miss", "false-alarm"}
    assert gallery["map"].all()
    assert (gallery["told"][gallery["kind"] == "miss"] > 0).all()  # the stand-in tells where each finding is
    assert sorted(gallery["picture"]) == sorted(f"gallery/{path.name}" for path in (folder / "gallery").glob("*.png"))
    page = (results / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(gallery)
    assert "The records are generated: these are not pictures of people." in page


def test_records_that_are_not_open_are_not_drawn(results, tmp_path):
    copy = tmp_path / "results/chest"
    shutil.copytree(results, copy, symlinks=True)
    (tmp_path / "results/data/chestxray14-64").mkdir(parents=True)
    (tmp_path / "results/data/chestxray14-64/local").symlink_to(results.parent / "data/chestxray14-64/generated")
    suite = read_json(copy / "config/suite.json")
    suite["datasets"]["chestxray14-64"]["access"] = "credentialed"
    suite["sources"]["chestxray14-64"] = "local"
    write_json(copy / "config/suite.json", suite)
    place = "chestxray14-64/findings/resnet50-tuned/cpu/fold0"
    assert cli.run(["report", "--results", str(copy)]) == 0
    assert "data:image/png" not in (copy / "report.html").read_text()  # though the pictures lie there still
    assert cli.run(["explain", "--results", str(copy), "--place", place]) == 0
    gallery = pd.read_csv(copy / "examined" / place / "gallery.csv")
    assert len(gallery) > 0
    assert gallery["picture"].isna().all()
    assert gallery["reason"].str.contains("access to the data set is 'credentialed'").all()
    assert list((copy / "examined" / place / "gallery").glob("*.png")) == []
    assert cli.run(["report", "--results", str(copy)]) == 0
    assert "data:image/png" not in (copy / "report.html").read_text()


def test_a_changed_access_draws_again_and_trains_nothing(results, tmp_path):
    """`access` decides what is drawn, so it is a reason to draw again, which takes away what may no longer be shown."""
    shutil.copytree(results.parents[1], tmp_path / "project", symlinks=True)
    path = tmp_path / "project/configs/datasets/chestxray14-64.yaml"
    path.write_text(path.read_text().replace("access: open", "access: credentialed"))
    asked = jobs(snakemake(tmp_path / "project", "-n", "--config", "suite=chest").stdout)
    assert asked["explain_place"] == 1
    assert not {"train", "examine_place", "standardise"} & set(asked)


def test_a_trained_run_is_explained_passed_examined_and_put_to_use(results, tmp_path, capsys):
    run = next((results / "runs").glob("chestxray14-64/findings/resnet50-tuned/cpu/seed0-fold0"))
    assert cli.run(["explain", str(run), "--bootstrap", "20", "--out", str(tmp_path / "a")]) == 0
    pointing = pd.read_csv(tmp_path / "a/pointing.csv")
    assert pointing["label"].iloc[-1] == "macro"
    assert (tmp_path / "a/overlays.png").is_file()
    assert len(pd.read_csv(tmp_path / "a/gallery.csv")) == len(list((tmp_path / "a/gallery").iterdir())) > 0
    assert cli.run(["passes", str(run), "--passes", "2", "--out", str(tmp_path / "b")]) == 0
    files = sorted(map(str, (tmp_path / "b").glob("pass-*.parquet")))
    assert cli.run(["examine", *files, "--task", "multilabel", "--bootstrap", "20", "--out", str(tmp_path / "c")]) == 0
    assert set(pd.read_csv(tmp_path / "c/ensemble.csv")["members"]) == {2}
    assert cli.run(["passes", str(run), "--passes", "1", "--out", str(tmp_path / "b")]) == 0
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["pass-00.parquet"]
    scored = pd.read_parquet(run / "predictions.parquet")
    store = results.parent / "data/chestxray14-64/generated"
    records = pd.read_parquet(store / "records.parquet").set_index("record_id")
    file = store / "release" / records.loc[scored["record_id"].iloc[0], "file"]
    out = ["--out", str(tmp_path / "f.png"), "--csv", str(tmp_path / "p.csv")]
    assert cli.run(["predict", str(run), str(file), *out]) == 0
    found = pd.read_csv(tmp_path / "p.csv").set_index("class")["probability"]
    stated = {name: scored[f"y_prob:{name}"].iloc[0] for name in found.index}
    assert found.to_dict() == pytest.approx(stated, abs=1e-5)
    assert read_json(store / "manifest.json")["config"]["image"]["height"] == 32
