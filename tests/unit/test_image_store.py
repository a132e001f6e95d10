"""Parts and stores of images: the same integers back, in every codec and sealed; and what a configuration may say of a shape."""

import base64

import h5py
import numpy as np
import pytest

from tests.conftest import build
from vitalbench.config.dataset import Dataset, DatasetBuild, Image
from vitalbench.config.strict import validated
from vitalbench.data.datasets import Record
from vitalbench.data.part import HDF5_FORMAT, PartSignals, PartWriter
from vitalbench.data.store import Store
from vitalbench.errors import ConfigError
from vitalbench.privacy.key import VARIABLE

SHAPE = (2, 5, 7)


@pytest.mark.parametrize("codec", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("dtype", ["|u1", "<u2", "<i2"])
def test_integers_come_back_in_every_codec(tmp_path, codec, dtype):
    limits = np.iinfo(np.dtype(dtype))
    rng = np.random.default_rng(0)
    stored = rng.integers(limits.min, limits.max, (5, *SHAPE), endpoint=True).astype(dtype)
    with h5py.File(tmp_path / "p.h5", "w", libver=HDF5_FORMAT) as file:
        writer = PartWriter(file, 6, SHAPE, codec, None, dtype, "images")
        for digital in stored:
            writer.add(Record(digital, np.ones(2, np.float32), np.zeros(2, np.float32)))
        writer.close()
    part = PartSignals(tmp_path / "p.h5")
    assert all(np.array_equal(part.record(row), digital) for row, digital in enumerate(stored))
    if codec != "zstd":  # a reader without the filter has no zstd
        with h5py.File(tmp_path / "p.h5") as file:
            assert np.array_equal(file["images"][:5], stored)


@pytest.mark.parametrize("encrypt", [False, True])
def test_a_store_of_images_is_read_by_row_channel_and_place(configs, tmp_path, monkeypatch, encrypt):
    monkeypatch.setenv(VARIABLE, base64.b64encode(bytes(32)).decode())
    found = configs.dataset("chestxray14-64")
    small = found.model_copy(
        update={
            "image": Image(channels=["grey"], height=12, width=12),
            "standin": found.standin.model_copy(update={"patients": 8}),
            "parts": 2,
            "encrypt": encrypt,
        }
    )
    store = Store(build("chestxray14-64", small, "generated", None, tmp_path))
    assert (store.leads, store.space, store.rate_hz) == (["grey"], (12, 12), 0)
    whole = store.read(np.arange(store.records))
    assert whole.dtype == np.float32
    assert 0 <= whole.min() < whole.max() <= 1
    assert np.array_equal(store.read(np.array([3, 0]), 2, 5), whole[[3, 0], :, :, 2:7])


def _build(config: Dataset, **update) -> DatasetBuild:
    told = {**config.model_dump(include=set(DatasetBuild.model_fields)), **update}
    return validated(DatasetBuild, told, "d.yaml")


def test_a_data_set_has_one_shape(configs):
    signals, images = configs.dataset("ptbxl"), configs.dataset("chestxray14-64")
    assert _build(signals).shape.space == (1000,)
    assert _build(images).shape.space == (64, 64)
    for config, update in ((signals, {"image": images.image.model_dump()}), (images, {"image": None})):
        with pytest.raises(ConfigError, match="either 'signal' or 'image'"):
            _build(config, **update)
    with pytest.raises(ConfigError, match="'harmonise' is about signals"):
        _build(images, harmonise={})


def test_a_data_set_of_signals_is_stored_as_before(small_store):
    """What readers outside rely on: the arrays' names and types, and the attributes."""
    with h5py.File(small_store) as file:
        assert sorted(file) == ["baseline", "gain", "signals"]
        assert file["signals"].dtype == np.dtype("<i2")
        assert sorted(file.attrs) == ["leads", "rate_hz", "samples", "unit"]
