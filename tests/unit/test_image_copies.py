"""Copies of images are found whatever their light, contrast and noise; other images, and other images of a person, are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from tests.conftest import build
from vitalbench.config.dataset import Image
from vitalbench.data.store import read_records
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.split import neighbours
from vitalbench.split.audit import audit
from vitalbench.split.fingerprint import prepare as prepare_signals
from vitalbench.split.image_copies import prepare, search


def textures(count: int, size: int = 64, seed: int = 0) -> np.ndarray:
    """Images alike in their outline and different in their structure."""
    rng = np.random.default_rng(seed)
    outline = gaussian_filter(np.random.default_rng(1).random((size, size)), 12)
    return np.stack([outline * 4 + gaussian_filter(rng.random((size, size)), 1.5) for _ in range(count)])[:, None]


def pairs(images: np.ndarray) -> list[tuple[int, int]]:
    found = search(len(images), lambda at: images[at].astype(np.float32), 2)
    return found.loc[found["copy"], ["a", "b"]].to_records(index=False).tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda x, rng: x,
        lambda x, rng: 0.5 * x + 0.3,
        lambda x, rng: x**1.4,
        lambda x, rng: x + rng.normal(0, 0.1 * x.std(), x.shape),
        lambda x, rng: np.round(x * 40) / 40,
    ],
    ids=["renamed", "contrast", "gamma", "noise at 20 dB", "few levels"],
)
def test_a_copy_is_found_and_nothing_else(change):
    images = textures(60)
    images /= images.max()
    copied = np.concatenate([images, change(images[[7, 31]], np.random.default_rng(5))])
    assert sorted(pairs(copied)) == [(7, 60), (31, 61)]


def test_blank_images_are_no_copies_of_one_another():
    images = np.concatenate([textures(4), np.full((2, 1, 64, 64), 0.3), np.zeros((2, 1, 64, 64))])
    assert pairs(images) == []


def test_a_picture_at_half_the_size_is_still_similar():
    large = textures(3, 128)
    small = large.reshape(3, 1, 64, 2, 64, 2).mean(axis=(3, 5))
    alike = (prepare(large) * prepare(small)).sum(axis=1)
    assert (alike > 0.95).all()
    assert prepare(textures(2, 24)).shape == (2, 24 * 24)


def test_the_audit_refuses_a_copy_that_crosses_the_split(configs, tmp_path):
    found = configs.dataset("chestxray14-64")
    shape = Image(channels=["grey"], height=40, width=40)
    dataset = found.model_copy(
        update={"image": shape, "standin": found.standin.model_copy(update={"patients": 25}), "parts": 1}
    )
    store = build("chestxray14-64", dataset, "generated", None, tmp_path)
    clean = neighbours.find(store, 1)
    assert list(clean.columns) == neighbours.COLUMNS
    assert not clean["copy"].any()
    neighbours.write(clean, neighbours.store_content(store), tmp_path / "n.parquet")
    assert neighbours.read(tmp_path / "n.parquet", read_json(store.with_name("manifest.json"))["content"]) is not None
    records = read_records(store)
    a, b = records["record_id"].iloc[[0, -1]]
    split = records[["record_id", "patient_id"]].assign(split="train")
    split.loc[split["record_id"] == b, "split"] = "test"
    planted = pd.DataFrame({"record_a": [a], "record_b": [b]})
    checks, _ = audit(split, records.set_index("record_id")["digest"], None, planted)
    assert "leak" in {check.verdict for check in checks if check.check == "near-duplicate"}


def test_images_have_no_course_in_time():
    with pytest.raises(InputError, match="no course in time"):
        prepare_signals(np.zeros((2, 1, 8, 8), np.float32), 0)
