"""Some of a data set's patients: nested, whole, and asked for of any data set."""

from itertools import pairwise

import pandas as pd
import pytest

from tests.conftest import build
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.data.release import some_patients
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json


@pytest.fixture(scope="module")
def index():
    patients = [f"p{number // 2}" for number in range(200)]
    return pd.DataFrame({"record_id": [f"r{number}" for number in range(200)], "patient_id": patients})


def test_a_larger_subset_holds_every_smaller_one(index, tmp_path):
    kept = [set(some_patients(index, count, tmp_path)["record_id"]) for count in (1, 5, 30, 100)]
    assert [len(records) for records in kept] == [2, 10, 60, 200]
    assert all(small < large for small, large in pairwise(kept))


def test_another_order_of_the_release_chooses_the_same(index, tmp_path):
    turned = index.sample(frac=1, random_state=0)
    assert set(some_patients(turned, 7, tmp_path)["record_id"]) == set(some_patients(index, 7, tmp_path)["record_id"])


def test_more_patients_than_there_are_is_told(index, tmp_path):
    with pytest.raises(InputError, match=r"subset\.patients is 101; the release has 100 patients"):
        some_patients(index, 101, tmp_path)


def test_a_store_of_a_subset_holds_its_patients_and_says_so(configs, small_dataset, tmp_path):
    subset = configs.dataset("ptbxl@20").subset
    store = build("ptbxl@20", small_dataset.model_copy(update={"subset": subset}), "generated", None, tmp_path)
    records = pd.read_parquet(store.with_name("records.parquet"))
    assert records["patient_id"].nunique() == 20
    assert read_json(tmp_path / "release.json")["subset"]["patients"] == 20
    assert read_json(tmp_path / "release.json")["complete"] is False


def test_a_suite_asks_for_a_subset_without_a_file(configs):
    plan = make_plan(configs, configs.knobs({"suite": "ladder"}))
    assert [task.train_patients for task in plan.tasks.values()] == [120, 240, 480, 960, 1920]
    assert list(plan.datasets) == ["ptbxl"]


@pytest.mark.parametrize("name", ["ptbxl@0", "ptbxl@", "ptbxl@some", "@20", "ptb-xl@20"])
def test_a_subset_that_is_none_is_refused(project, name):
    file = project / "configs/suites/ladder.yaml"
    file.write_text(file.read_text().replace("[ptbxl]", f'["{name}"]'))
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError):
        make_plan(folder, folder.knobs({"suite": "ladder"}))


@pytest.mark.parametrize("name", ["superdiagnostic@0", "superdiagnostic@", "superdiagnostic@x"])
def test_a_number_of_training_patients_that_is_none_is_refused(project, name):
    file = project / "configs/suites/ladder.yaml"
    file.write_text(file.read_text().replace("superdiagnostic@120", f'"{name}"'))
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError, match=r"NAME@N for N of its training patients"):
        make_plan(folder, folder.knobs({"suite": "ladder"}))


def test_more_patients_to_train_on_than_a_subset_has_are_told_when_it_is_planned(project):
    file = project / "configs/suites/ladder.yaml"
    file.write_text(file.read_text().replace("[ptbxl]", "[ptbxl@960]"))
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError, match=r"superdiagnostic@960: 960 patients to train on; 'ptbxl@960' has 960"):
        make_plan(folder, folder.knobs({"suite": "ladder"}))
