"""A copy is found whatever was done to it; recordings that only look alike are left alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.plain_alignment import best_correlation
from vitalbench import cli
from vitalbench.data.store import Store
from vitalbench.errors import ConfigError, InputError
from vitalbench.split import neighbours
from vitalbench.split.alignment import MIN_OVERLAP, align, spectra
from vitalbench.split.fingerprint import Projection, describe, prepare
from vitalbench.split.planted import CHANGES, measure, plant, wilson


@pytest.fixture(scope="module")
def signals(small_store) -> np.ndarray:
    return Store(small_store).read(np.arange(40))


def similarity(one: np.ndarray, other: np.ndarray, rate_hz: float = 100, other_rate_hz: float = 100):
    both = np.concatenate([prepare(one[None], rate_hz), prepare(other[None], other_rate_hz)])
    return align(both, spectra(both), np.array([0]), np.array([1]))


def test_offset_and_scale_of_every_lead_are_gone(signals):
    rng = np.random.default_rng(0)
    changed = signals * rng.uniform(0.1, 10, (40, 12, 1)) + rng.normal(size=(40, 12, 1))
    assert np.allclose(prepare(signals, 100), prepare(changed.astype(np.float32), 100), atol=2e-3)


def test_a_flat_lead_is_zero_and_harms_nothing(signals):
    flat = signals[0].copy()
    flat[3] = 0.25
    assert (prepare(flat[None], 100)[0, 3] == 0).all()
    assert similarity(flat, flat).copies.all()
    silent = np.full((2, 12, 1000), 0.1, np.float32)
    assert not similarity(silent[0], silent[1]).copies.any()


@settings(max_examples=20, deadline=None)
@example(shift=245, flip=False, record=13)  # at half an overlap it correlates better three beats away
@given(shift=st.integers(-250, 250), flip=st.booleans(), record=st.integers(0, 39))
def test_the_lag_is_found_to_a_hundredth_of_a_second(signals, shift, flip, record):
    start = 250
    one = signals[record][:, start : start + 500]
    other = signals[record][:, start + shift : start + shift + 500] * (-1 if flip else 1)
    found = similarity(one, other)
    assert found.similarity[0] > 0.85
    assert found.lag[0] * 0.02 == pytest.approx(shift / 100, abs=0.011)


def test_the_same_recording_at_another_rate(signals):
    from scipy.signal import resample_poly

    faster = resample_poly(signals[0], 5, 1, axis=-1).astype(np.float32)
    assert similarity(signals[0], faster, 100, 500).copies.all()


@pytest.mark.parametrize(("a", "b"), [(0, 1), (2, 9), (5, 5)])
def test_the_correlation_is_the_plain_ones(signals, a, b):
    """Held against a loop over lags, at whole samples."""
    prepared = prepare(signals[:10], 100)
    found = align(prepared, spectra(prepared), np.array([a]), np.array([b]))
    plain = best_correlation(prepared[a], prepared[b], MIN_OVERLAP)
    assert found.similarity[0] >= plain - 1e-3  # between two samples it can only be higher
    assert found.similarity[0] <= plain + 0.1


def test_plain_oscillations_of_one_frequency_are_no_copies():
    time = np.arange(1000) / 100
    one, other = (np.sin(2 * np.pi * (1.3 * time + phase))[None].astype(np.float32) for phase in (0.0, 0.3))
    found = similarity(one, other)
    assert found.similarity[0] > 0.9
    assert not found.copies[0]


def test_a_description_moves_little_with_a_shift_and_much_with_another_record(signals):
    features = describe(prepare(signals[:, :, :750], 100))
    moved = describe(prepare(signals[:, :, 250:], 100))
    projection = Projection.fit(features)
    alike = projection(features) @ projection(moved).T
    assert (alike.argmax(axis=1) == np.arange(40)).mean() >= 0.9


def test_every_kind_of_planted_copy_is_found_and_nothing_else(small_store):
    table = measure(small_store, 40, 0, 2).set_index("what")
    recall = table.drop(["false alarms, two patients", "false alarms, one patient"])
    assert list(recall.index) == list(CHANGES)
    assert recall.loc["two leads exchanged", "share"] >= 0.8  # which changes what a record is described by
    share = recall["share"].drop("two leads exchanged")
    assert (share >= 0.95).all(), share[share < 0.95]
    assert table.loc["false alarms, two patients", "found"] == 0
    assert table.loc["false alarms, one patient", "found"] == 0
    assert table.loc["false alarms, one patient", "of"] > 10


def test_a_planted_copy_is_the_same_whenever_it_is_read(small_store):
    _, store = neighbours.of_store(small_store)
    change, source = np.full(5, len(CHANGES) - 1), np.arange(5)
    planted = plant(store, list(CHANGES), change, source, 0)
    one = planted.read(np.array([store.count + 3]))
    assert np.array_equal(one[0], planted.read(np.arange(store.count, store.count + 5))[3])
    assert not np.array_equal(one, planted.read(np.array([3])))


def test_a_share_of_nothing_found_has_an_upper_bound():
    assert wilson(0, 300)[1] == pytest.approx(0.0126, abs=1e-4)
    assert wilson(300, 300)[0] == pytest.approx(1 - 0.0126, abs=1e-4)


def test_the_pairs_do_not_depend_on_the_threads(small_store):
    pd.testing.assert_frame_equal(neighbours.find(small_store, 1), neighbours.find(small_store, 3))


def test_pairs_of_another_content_or_method_are_looked_for_again(small_store, tmp_path, monkeypatch):
    found = neighbours.find(small_store, 2)
    neighbours.write(found, "abc", tmp_path / "n.parquet")
    pd.testing.assert_frame_equal(neighbours.read(tmp_path / "n.parquet", "abc"), found)
    assert neighbours.read(tmp_path / "n.parquet", "abd") is None
    assert neighbours.read(tmp_path / "none.parquet", "abc") is None
    monkeypatch.setattr(neighbours, "METHOD", "0")
    assert neighbours.read(tmp_path / "n.parquet", "abc") is None


def test_a_damaged_file_of_pairs_is_named(tmp_path):
    (tmp_path / "n.parquet").write_text("nonsense")
    with pytest.raises(InputError, match=r"n\.parquet: not readable as parquet"):
        neighbours.read(tmp_path / "n.parquet", "abc")


def test_the_command_needs_a_store(tmp_path):
    with pytest.raises(InputError, match="vitalbench store"):
        cli.run(["neighbours", "--data", str(tmp_path)])


def test_the_commands_tell_what_they_found(small_store, tmp_path, capsys):
    for path in [*small_store.parent.glob("*.*"), small_store.parent / "parts"]:
        (tmp_path / path.name).symlink_to(path)
    cli.run(["neighbours", "--data", str(tmp_path), "--threads", "2"])
    assert "0 pairs of records are copies" in capsys.readouterr().err
    assert neighbours.read(tmp_path / "neighbours.parquet", neighbours.store_content(small_store)) is not None
    cli.run(["planted", "--data", str(tmp_path), "--copies", "8", "--out", str(tmp_path / "planted.csv")])
    assert "| renamed | 8 | 8 | 1.000 |" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "planted.csv")) == len(CHANGES) + 2
    with pytest.raises(ConfigError, match="--copies and --threads must be 1 or more"):
        cli.run(["planted", "--data", str(tmp_path), "--copies", "0"])


def test_a_recording_copied_many_times_is_found_with_all_its_copies(small_store, tmp_path):
    """Its own nearest places are taken by copies of its own kind; those of the other kind must be found too."""
    signals = Store(small_store).read(np.arange(100))
    rng = np.random.default_rng(0)

    def copies(moved: int) -> np.ndarray:
        whole = np.roll(signals[5], moved, axis=-1)[None].repeat(25, axis=0)
        return whole + rng.normal(size=whole.shape) * whole.std(axis=-1, keepdims=True) * 0.02

    every = np.concatenate([signals, copies(0), copies(200)]).astype(np.float32)
    found = neighbours.search(neighbours.Signals(len(every), 100, 10.0, lambda at: every[at]), tmp_path, 2)
    pairs = {(int(a), int(b)) for a, b in found.loc[found["copy"], ["a", "b"]].to_numpy()}
    assert {(a, b) for a in range(100, 125) for b in range(125, 150)} <= pairs
