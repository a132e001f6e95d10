"""The stand-in's waveforms: physiology's identities hold, severities do what they say, and the fast code equals the plain."""

import numpy as np
import pytest

from tests.plain_ecg import waveform
from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES, CODES

RATE, SECONDS = 100, 10.0


def records(severity: np.ndarray, seed: int = 0, noise_mv: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    traits = ecg.Traits.draw(len(severity), rng)
    return ecg.waveforms(severity, traits, rng, rate_hz=RATE, seconds=SECONDS, noise_mv=noise_mv) / ecg.UNITS_PER_MV


def with_codes(*codes: str, count: int = 20, seed: int = 0) -> np.ndarray:
    severity = np.zeros((count, len(AXES)))
    for code in codes:
        for axis, amount in CODES[code].items():
            severity[:, AXES.index(axis)] += amount
    return records(severity, seed)


def lead(name: str) -> int:
    return ecg.LEADS.index(name)


def test_shape_and_type():
    severity = np.zeros((3, len(AXES)))
    rng = np.random.default_rng(0)
    found = ecg.waveforms(severity, ecg.Traits.draw(3, rng), rng, rate_hz=500, seconds=4.0, noise_mv=0.02)
    assert found.shape == (3, 12, 2000)
    assert found.dtype == np.int16


def test_einthoven_and_goldberger_hold_to_one_unit():
    found = records(np.random.default_rng(1).standard_normal((30, len(AXES))), noise_mv=0.05)
    one, two = found[:, lead("I")], found[:, lead("II")]
    unit = 1.01 / ecg.UNITS_PER_MV
    assert np.abs(found[:, lead("III")] - (two - one)).max() < unit
    assert np.abs(found[:, lead("AVR")] + (one + two) / 2).max() < unit
    assert np.abs(found[:, lead("AVL")] - (one - two / 2)).max() < unit
    assert np.abs(found[:, lead("AVF")] - (two - one / 2)).max() < unit


def test_the_same_seed_gives_the_same_samples():
    severity = np.random.default_rng(1).standard_normal((5, len(AXES)))
    assert np.array_equal(records(severity, 3, 0.03), records(severity, 3, 0.03))
    assert not np.array_equal(records(severity, 3, 0.03), records(severity, 4, 0.03))


def beats_a_minute(found: np.ndarray) -> float:
    """From the spacing of lead II's strong upstrokes."""
    rates = []
    for signal in found[:, lead("II")]:
        high = signal > 0.6 * signal.max()
        starts = np.flatnonzero(high[1:] & ~high[:-1])
        if len(starts) > 2:
            rates.append(60 * RATE / np.median(np.diff(starts)))
    return float(np.median(rates))


def test_rhythm_statements_set_the_rate():
    slow, normal, fast = (beats_a_minute(with_codes(code)) for code in ("SBRAD", "SR", "STACH"))
    assert slow < 55 < normal < 90 < fast


def test_bundle_branch_block_turns_v1_and_widens_v6():
    normal, right, left = (with_codes(code) for code in ("NORM", "CRBBB", "CLBBB"))
    assert right[:, lead("V1")].max(axis=1).mean() > 2 * normal[:, lead("V1")].max(axis=1).mean() + 0.2

    def width(found: np.ndarray) -> float:
        signal = found[:, lead("V6")]
        return float((signal > 0.5 * signal.max(axis=1, keepdims=True)).mean())

    assert width(left) > 1.5 * width(normal)


def test_hypertrophy_raises_the_left_precordial_voltage():
    assert with_codes("LVH")[:, lead("V5")].max() > 1.4 * with_codes("NORM")[:, lead("V5")].max()


def test_fast_equals_plain(monkeypatch):
    """The plain generator gets the same beats and the same phases, and must draw the same curve to a microvolt."""
    caught: dict = {}
    drawn = ecg.beats

    def catch(severity, traits, seconds, rng):
        caught["beats"], caught["ectopic"] = drawn(severity, traits, seconds, rng)
        caught["rng"] = rng.bit_generator.state
        return caught["beats"], caught["ectopic"]

    monkeypatch.setattr(ecg, "beats", catch)
    severity = np.random.default_rng(5).standard_normal((4, len(AXES))) / 3
    severity[0, AXES.index("ectopic")] = 1.2
    rng = np.random.default_rng(6)
    traits = ecg.Traits.draw(4, rng)
    found = ecg.waveforms(severity, traits, rng, rate_hz=RATE, seconds=4.0, noise_mv=0.0) / ecg.UNITS_PER_MV
    assert caught["ectopic"][0].any()
    after = np.random.default_rng()
    after.bit_generator.state = caught["rng"]
    frequency = 6 + after.standard_normal((4, 1), dtype=np.float32) * 0.4
    phase = after.random((4, 1), dtype=np.float32) * np.float32(2 * np.pi)
    for at in range(4):
        plain = waveform(
            severity[at], traits.of(np.array([at])), caught["beats"][at].astype(float).tolist(), caught["ectopic"][at],
            np.zeros((8, 400)), (float(frequency[at, 0]), float(phase[at, 0])), rate_hz=RATE, samples=400,
        )  # fmt: skip
        # A sample on the edge of a table entry may fall to either side in 32 bits: allow a few.
        assert (np.abs(found[at] - plain) > 0.003).mean() < 0.01


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_statement_but_the_normal_ones_shows(code):
    if code in ("NORM", "SR"):
        assert not CODES[code]
        return
    plain, shown = with_codes("NORM", count=8), with_codes(code, count=8)
    assert np.abs(plain - shown).max() > 0.05
