"""What encryption at rest costs, timed beside the plain way in one run."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.test_hot_paths import seconds
from tests.conftest import build
from vitalbench.data.store import Store
from vitalbench.privacy.key import Key
from vitalbench.privacy.sealed_folder import seal_folder, unseal_folder

pytestmark = [pytest.mark.slow, pytest.mark.alone]

SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def stores(small_dataset, tmp_path_factory):
    """The small stand-in at 100 Hz, encrypted and plain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITALBENCH_KEY", SECRET.hex())
        encrypted = small_dataset.model_copy(update={"encrypt": True})
        folder = tmp_path_factory.mktemp("encrypted")
        yield (
            Store(build("ptbxl", encrypted, "generated", None, folder / "a")),
            Store(build("ptbxl", small_dataset, "generated", None, folder / "b")),
        )


@pytest.mark.parametrize("samples", [1000, 250])
def test_batches_of_an_encrypted_store_against_the_plain_one(benchmark, beside, stores, samples):
    """256 random records as a training batch reads them, whole and as crops of 2.5 s; a crop opens its whole record."""
    sealed, plain = stores
    rng = np.random.default_rng(0)
    rows, starts = rng.integers(0, plain.records, 256), rng.integers(0, 1001 - samples, 256)
    assert np.array_equal(sealed.read(rows, starts, samples), plain.read(rows, starts, samples))
    base = seconds(lambda: plain.read(rows, starts, samples), repeats=30)
    beside(lambda: sealed.read(rows, starts, samples))
    ratio = benchmark.stats["median"] / base
    benchmark.extra_info |= {
        "samples": samples,
        "encrypted / plain": round(ratio, 2),
        "microseconds a record, encrypted": round(1e6 * benchmark.stats["median"] / 256, 1),
        "microseconds a record, plain": round(1e6 * base / 256, 1),
    }
    assert ratio <= 8


def test_sealing_and_opening_a_folder(benchmark, beside, tmp_path_factory):
    """64 MB of raw files, both ways, memory flat; at least 100 MB a second on one core."""
    folder = tmp_path_factory.mktemp("raw")
    for number in range(4):
        (folder / f"{number}.dat").write_bytes(np.random.default_rng(number).bytes(16_000_000))
    key = Key(SECRET)

    def both(out) -> None:
        seal_folder(folder, out / "sealed", key)
        unseal_folder(out / "sealed", out / "back", key)

    out = tmp_path_factory.mktemp("out")

    def emptied() -> tuple[Path]:
        shutil.rmtree(out)
        out.mkdir()
        return (out,)

    beside(both, emptied)
    rate = 64 / (benchmark.stats["median"] / 2)
    benchmark.extra_info["megabytes a second"] = round(rate)
    assert rate >= 100
