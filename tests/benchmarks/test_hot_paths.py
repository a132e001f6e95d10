"""What must be fast, timed beside its plain version in one run: machines differ, ratios on one machine do not much."""

from statistics import median
from time import perf_counter

import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tests.plain_ecg import waveform
from vitalbench.data.store import Store
from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES
from vitalbench.evaluate.bootstrap import patient_index, resample
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.evaluate.score import score

pytestmark = pytest.mark.slow


def seconds(call, repeats: int = 3) -> float:
    """The median of a few calls after one to warm up."""
    call()
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    return median(taken)


@pytest.fixture(scope="module")
def test_fold(tmp_path_factory):
    """PTB-XL's test fold in size: 2,200 records of 1,900 patients, 71 classes from frequent to rare."""
    rng = np.random.default_rng(0)
    records, classes = 2200, 71
    y = (rng.random((records, classes)) < np.geomspace(0.4, 0.004, classes)).astype(float)
    y[0], y[1] = 1, 0
    p = np.clip(0.7 * rng.random((records, classes)) + 0.3 * y * rng.random((records, classes)), 0, 1)
    names = [f"c{k}" for k in range(classes)]
    ids = {
        "record_id": np.arange(records),
        "patient_id": np.append(np.arange(1900), rng.integers(0, 1900, records - 1900)),
        "split": "test",
    }
    truth = pd.DataFrame(y, columns=[f"y_true:{name}" for name in names])
    found = pd.DataFrame(p, columns=[f"y_prob:{name}" for name in names])
    path = tmp_path_factory.mktemp("fold") / "p.parquet"
    pd.concat([pd.DataFrame(ids), truth, found], axis=1).to_parquet(path)
    return read_predictions(path, "multilabel")


def test_bootstrap_of_every_metric(benchmark, test_fold):
    """1,000 resamples x 71 classes x 2,200 records, all eleven metrics, within two seconds on two cores."""
    benchmark.pedantic(lambda: score(test_fold, "multilabel", 1000, 0), rounds=5, warmup_rounds=1)
    assert benchmark.stats["median"] <= 2.0


def test_bootstrap_against_the_plain_loop(benchmark, test_fold):
    """The plain way: scikit-learn's AUROC, a class and a resample at a time (a few of them, scaled to all)."""
    index, patients = patient_index(test_fold.patient_id)
    weights = resample(index, patients, 3, np.random.default_rng(0))

    def plain() -> None:
        for w in weights:
            for k in range(0, 71, 10):
                roc_auc_score(test_fold.y[:, k], test_fold.p[:, k], sample_weight=w)

    one_call = seconds(plain) / (3 * 8)
    benchmark.pedantic(lambda: score(test_fold, "multilabel", 1000, 0), rounds=3, warmup_rounds=1)
    ratio = one_call * 71 * 1000 / benchmark.stats["median"]
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    assert ratio >= 20


def draw(records: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    severity = rng.standard_normal((records, len(AXES))) / 3
    traits = ecg.Traits.draw(records, rng)
    return lambda: ecg.waveforms(severity, traits, rng, rate_hz=100, seconds=10.0, noise_mv=0.03)


def test_generator(benchmark):
    """At least 2,000 ten-second records of twelve leads at 100 Hz a second."""
    benchmark.pedantic(draw(256), rounds=15, warmup_rounds=3)
    assert 256 / benchmark.stats["median"] >= 2000


def test_generator_against_the_plain_loop(benchmark):
    """The plain way: a record, a sample and a wave at a time, as the tests hold the fast one against."""
    severity = np.zeros(len(AXES))
    traits = ecg.Traits.draw(1, np.random.default_rng(0))
    beats = np.arange(-0.5, 12, 0.8).tolist()
    nothing = np.zeros((8, 1000))

    def plain():
        return waveform(severity, traits, beats, np.zeros(20, bool), nothing, (6.0, 0.0), rate_hz=100, samples=1000)

    one = seconds(plain, repeats=2)
    benchmark.pedantic(draw(256), rounds=5, warmup_rounds=2)
    ratio = one / (benchmark.stats["median"] / 256)
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    assert ratio >= 50


def test_random_batches_against_a_loop_over_hdf5(benchmark, small_store):
    """256 random records as a training batch reads them, against one HDF5 read a record through the virtual dataset."""
    store = Store(small_store)
    rows = np.random.default_rng(0).integers(0, store.records, 256)
    with h5py.File(small_store) as file:
        signals, gain = file["signals"], file["gain"][:]

        def plain():
            return np.stack([signals[row].astype(np.float32) / gain[row][:, None] for row in rows])

        loop = seconds(plain)
    benchmark.pedantic(lambda: store.read(rows), rounds=10, warmup_rounds=2)
    ratio = loop / benchmark.stats["median"]
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    assert ratio >= 2
