"""On real ChestX-ray14 records: the whole table of entries as published, and the images that are here at 64 x 64 pixels."""

import numpy as np
import pytest

from tests.conftest import build
from vitalbench.data.datasets import chestxray14
from vitalbench.data.store import Store, read_records
from vitalbench.split.assign import assign
from vitalbench.split.image_copies import search

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(real_data):
    return real_data / "chestxray14"


@pytest.fixture(scope="module")
def dataset(configs):
    return configs.dataset("chestxray14-64")


@pytest.fixture(scope="module")
def index(root, dataset):
    return chestxray14.read_index(root, dataset)


def test_the_whole_table_has_the_counts_that_the_configuration_expects(index, dataset):
    expected = dataset.expected
    assert len(index) == expected.records
    assert index["patient_id"].nunique() == expected.patients
    assert index["labels:findings"].explode().dropna().value_counts().to_dict() == expected.labels["findings"]
    assert (index["labels:findings"].map(len) == 0).sum() == expected.unlabelled["findings"]
    assert (index["fault"] == "").all()
    assert index["group:sex"].value_counts().to_dict() == {"male": 63340, "female": 48780}
    assert index["group:view"].value_counts().to_dict() == {"PA": 67310, "AP": 44810}
    assert index["boxes:findings"].map(len).sum() == 984


def test_the_images_that_are_here_are_stored_and_no_other(root, dataset, tmp_path):
    store = build("chestxray14-64", dataset, "local", root, tmp_path)
    records = read_records(store)
    assert len(records) == 1000
    assert records["patient_id"].nunique() == 264
    assert records["labels:findings"].explode().value_counts()["Effusion"] == 170
    images = Store(store).read(records["row"].to_numpy(dtype=np.intp))
    assert images.shape == (1000, 1, 64, 64)
    assert 0.4 < images.mean() < 0.6
    assert (tmp_path / "quality.csv").read_text().count("\n") == 1  # nothing found


def test_patients_are_drawn_where_the_official_lists_are_not_here(index, configs):
    assigned = assign(index.iloc[:5000], configs.task("findings-drawn"), 0)
    assert set(assigned["split"]) == {"train", "val", "test"}
    assert (assigned.groupby("patient_id")["split"].nunique() == 1).all()


def test_real_images_are_copies_of_none_and_planted_ones_are_found(root, dataset, tmp_path):
    """Of the 499,500 pairs none is a copy, follow-ups of one patient among them; all 100 copies of other light and noise are."""
    store = build("chestxray14-64", dataset, "local", root, tmp_path)
    images = Store(store).read(read_records(store)["row"].to_numpy(dtype=np.intp))
    assert not search(len(images), lambda at: images[at], 2)["copy"].any()
    rng = np.random.default_rng(0)
    source = rng.permutation(len(images))[:100]
    noise = 0.1 * images[source].std(axis=(1, 2, 3), keepdims=True) * rng.standard_normal(images[source].shape)
    both = np.concatenate([images, (0.6 * (images[source] + noise) + 0.2).astype(np.float32)])
    found = search(len(both), lambda at: both[at], 2)
    copies = found[found["copy"]]
    assert sorted(zip(copies["a"], copies["b"], strict=True)) == sorted(
        (int(at), len(images) + k) for k, at in enumerate(source)
    )
