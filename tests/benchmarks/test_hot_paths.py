"""What must be fast, timed beside its plain version in one run: machines differ, ratios on one machine do not much."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import wfdb
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from tests.plain_ecg import waveform
from vitalbench.config.design import Window
from vitalbench.data import unpack as unpack_module
from vitalbench.data.store import Store
from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES
from vitalbench.data.wfdb_record import read_recording
from vitalbench.evaluate.bootstrap import patient_index, resample
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.evaluate.score import score
from vitalbench.measure.clock import Stopwatch
from vitalbench.models import build as build_model
from vitalbench.models.state_space.in_lanes import in_lanes
from vitalbench.train.ahead import Ahead
from vitalbench.train.batches import Batches, Scale

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def seconds(call, repeats: int = 3) -> float:
    """The median of a few calls after one to warm up."""
    call()
    taken = []
    for _ in range(repeats):
        watch = Stopwatch()
        call()
        taken.append(watch.lap())
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


def test_bootstrap_of_every_metric(benchmark, beside, test_fold):
    """1,000 resamples x 71 classes x 2,200 records, all eleven metrics, within two seconds on two cores."""
    beside(lambda: score(test_fold, "multilabel", 1000, 0))
    assert benchmark.stats["median"] <= 2.0


def test_bootstrap_against_the_plain_loop(benchmark, beside, test_fold):
    """The plain way: scikit-learn's AUROC, a class and a resample at a time (a few of them, scaled to all)."""
    index, patients = patient_index(test_fold.patient_id)
    weights = resample(index, patients, 3, np.random.default_rng(0)).weights(0, 3)

    def plain() -> None:
        for w in weights:
            for k in range(0, 71, 10):
                roc_auc_score(test_fold.y[:, k], test_fold.p[:, k], sample_weight=w)

    one_call = seconds(plain) / (3 * 8)
    beside(lambda: score(test_fold, "multilabel", 1000, 0))
    ratio = one_call * 71 * 1000 / benchmark.stats["median"]
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    assert ratio >= 20


def draw(records: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    severity = rng.standard_normal((records, len(AXES))) / 3
    traits = ecg.Traits.draw(records, rng)
    return lambda: ecg.waveforms(severity, traits, rng, rate_hz=100, seconds=10.0, noise_mv=0.03)


def test_generator(benchmark, beside):
    """At least 2,000 ten-second records of twelve leads at 100 Hz a second."""
    beside(draw(256))
    assert 256 / benchmark.stats["median"] >= 2000


def test_generator_against_the_plain_loop(benchmark, beside):
    """The plain way: a record, a sample and a wave at a time, as the tests hold the fast one against."""
    severity = np.zeros(len(AXES))
    traits = ecg.Traits.draw(1, np.random.default_rng(0))
    beats = np.arange(-0.5, 12, 0.8).tolist()
    nothing = np.zeros((8, 1000))

    def plain():
        return waveform(severity, traits, beats, np.zeros(20, bool), nothing, (6.0, 0.0), rate_hz=100, samples=1000)

    one = seconds(plain, repeats=2)
    beside(draw(256))
    ratio = one / (benchmark.stats["median"] / 256)
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    assert ratio >= 50


def test_random_batches_against_a_loop_over_hdf5(benchmark, beside, small_store):
    """256 random records as a training batch reads them, against the plain loop: what a record needs, read from the file.

    The loop that holds all gains and baselines in memory beforehand is told beside it.
    """
    store = Store(small_store)
    rows = np.random.default_rng(0).integers(0, store.records, 256)
    with h5py.File(small_store) as file:
        signals, gain, baseline = file["signals"], file["gain"], file["baseline"]

        def plain():
            return np.stack(
                [(signals[row].astype(np.float32) - baseline[row][:, None]) / gain[row][:, None] for row in rows]
            )

        ratio = paired_ratio(plain, lambda: store.read(rows))
        gain, baseline = gain[:], baseline[:]
        with_gains_in_memory = paired_ratio(plain, lambda: store.read(rows))
        assert np.array_equal(plain(), store.read(rows))
    beside(lambda: store.read(rows))
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    benchmark.extra_info["gains in memory / fast"] = round(with_gains_in_memory, 1)
    assert ratio >= 5


def paired_ratio(plain, fast, pairs: int = 25) -> float:
    """The median over interleaved pairs of plain time over fast time."""
    plain(), fast()
    found = []
    for _ in range(pairs):
        watch = Stopwatch()
        plain()
        of_plain = watch.lap()
        fast()
        found.append(of_plain / watch.lap())
    return median(found)


def written(folder: Path, records: int, leads: int, samples: int, form: str, suffix: str = "dat") -> list[Path]:
    """Records in a WFDB format, by the library's own writer."""
    rng = np.random.default_rng(0)
    for number in range(records):
        values = rng.integers(-2000, 2000, (samples, leads))
        name = f"r{number}"
        names = [f"L{k}" for k in range(leads)]
        fixed = {"adc_gain": [1000.0] * leads, "baseline": [0] * leads, "fmt": [form] * leads}
        wfdb.wrsamp(name, fs=500, units=["mV"] * leads, sig_name=names, d_signal=values, write_dir=str(folder), **fixed)
        if suffix == "mat":
            header = folder / f"{name}.hea"
            header.write_text(header.read_text().replace(f"{name}.dat 16", f"{name}.mat 16+24"))
            (folder / f"{name}.mat").write_bytes(bytes(24) + (folder / f"{name}.dat").read_bytes())
    return [folder / f"r{number}" for number in range(records)]


@pytest.mark.parametrize("threads", [1, os.cpu_count() or 1])
@pytest.mark.parametrize(
    ("form", "leads", "samples", "suffix"),
    [("16", 12, 1000, "dat"), ("16", 12, 5000, "mat"), ("212", 2, 2500, "dat")],
    ids=["16", "mat", "212"],
)
def test_reading_records_against_the_library(benchmark, beside, tmp_path, form, leads, samples, suffix, threads):
    """Ten-second records: at least ten times the records a second of a loop over the field's library, and the same samples."""
    paths = written(tmp_path, 60, leads, samples, form, suffix)
    shares = [paths[len(paths) * k // threads : len(paths) * (k + 1) // threads] for k in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def looped(read):  # a loop a thread: handing over one record at a time would cost as much as reading it
            return [
                found for share in pool.map(lambda share: [read(path) for path in share], shares) for found in share
            ]

        def plain():
            return looped(lambda path: wfdb.rdrecord(str(path), physical=False).d_signal)

        def fast():
            return looped(lambda path: read_recording(path).digital)

        assert all(np.array_equal(ours.T, theirs) for ours, theirs in zip(fast(), plain(), strict=True))
        ratio = paired_ratio(plain, fast)
        benchmark.extra_info["plain / fast"] = round(ratio, 1)
        beside(fast)
    assert ratio >= 10


@pytest.mark.parametrize("leads", [1, 2])
def test_reading_half_hours_of_212_against_the_library(benchmark, beside, tmp_path, leads):
    """Half an hour, where unpacking is all and the library's is vectorised too; each record is let go of before the next."""
    paths = written(tmp_path, 3, leads, 650_000, "212")

    def plain():
        for path in paths:
            wfdb.rdrecord(str(path), physical=False)

    def fast():
        for path in paths:
            read_recording(path)

    ratio = paired_ratio(plain, fast)
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    beside(fast)
    assert ratio >= (10 if unpack_module._IN_C else 2)


def test_convolution_in_lanes_against_a_feature_at_a_time(benchmark, beside):
    """A layer of a frozen S4 on a record, on one thread: at least twice as fast as by torch, with a spectrum that is kept."""
    samples, features, size = 1000, 256, 2048
    circles, u = torch.randn(features, size), torch.randn(1, samples, features)
    fast = in_lanes(circles, samples)
    if fast is None:
        pytest.skip("without a compiler there are no lanes")
    spectrum, turned = torch.fft.rfft(circles), u.transpose(1, 2).contiguous()

    def plain():
        return torch.fft.irfft(torch.fft.rfft(turned, n=size).mul_(spectrum), n=size)[..., :samples]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        ratio = paired_ratio(plain, lambda: fast(u, torch.float32), pairs=200)
        benchmark.extra_info["plain / fast"] = round(ratio, 1)
        beside(lambda: fast(u, torch.float32))
    torch.set_num_threads(threads)
    assert ratio >= 2


def test_training_does_not_wait_for_data(benchmark, beside, small_store, configs):
    """The share of an epoch of the smallest configured model that its loop stands still for a batch: under two per cent."""
    store = Store(small_store)
    options = configs.design("s4d", "small", "").model.options
    rows = np.arange(store.records)
    labels = np.eye(len(rows), 5, dtype=np.float32)
    model = build_model("s4d", options, leads=12, samples=250, classes=5)
    batches = Batches(store, Scale(0.0, 1.0), Window(seconds=2.5, stride_seconds=1.25, aggregate="max"), 32)
    shares = []

    def epoch():
        watch, made = Stopwatch(), Ahead(batches.epoch(rows, labels, 0, 1, True))
        for x, y, _ in made:
            functional.binary_cross_entropy_with_logits(model(x), y).backward()
        shares.append(made.waited / watch.lap())

    beside(epoch)
    benchmark.extra_info["share waited"] = round(median(shares), 4)
    assert median(shares) < 0.02
