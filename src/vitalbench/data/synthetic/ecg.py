"""Twelve-lead ECG waveforms from morphological severities, many records at once.

A beat is a sum of Gaussian waves, each a cardiac dipole (x left, y down, z back; millivolt) with a centre and a width in seconds
from the R peak, as in McSharry et al. 2003 (doi:10.1109/TBME.2003.808805). The eight independent leads are Dower's linear
projection of the dipole (doi:10.1016/S0022-0736(80)80015-6); III, aVR, aVL and aVF follow from I and II, so Einthoven's and
Goldberger's identities hold exactly. Work is done on whole arrays: beat templates are tabulated once a record and gathered by
every sample's time from its R peak, which costs one lookup a sample instead of one exponential a wave and lead.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitalbench.data.synthetic.ecg_statements import AXES

LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
UNITS_PER_MV = 1000

Floats = NDArray[np.float32]

# I, II, V1..V6 from the dipole (x, y, z).
_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ],
    dtype=np.float32,
)

# Resting waves: centre s, width s, dipole x y z mV.
_WAVES = {
    "P": (-0.160, 0.020, 0.05, 0.10, -0.02),
    "L": (-0.130, 0.018, 0.03, 0.02, 0.04),  # the left atrium's share of the P wave
    "spike": (-0.070, 0.004, 0.0, 0.0, 0.0),  # a pacemaker's
    "delta": (-0.050, 0.018, 0.0, 0.0, 0.0),
    "Q": (-0.028, 0.008, -0.10, -0.05, -0.15),
    "R": (0.000, 0.012, 0.85, 0.75, 0.35),
    "S": (0.032, 0.011, -0.15, -0.20, 0.35),
    "late": (0.062, 0.014, 0.0, 0.0, 0.0),  # a second, late depolarisation: bundle branch block, notch
    "ST": (0.130, 0.040, 0.02, 0.02, -0.03),
    "T": (0.270, 0.045, 0.25, 0.20, -0.15),
}
_ORDER = list(_WAVES)
_FIELD = {"centre": 0, "width": 1, "x": 2, "y": 3, "z": 4}

# What full expression of an axis adds to the waves. Axes that act on rhythm, gain or beats are handled in `waveforms`.
_EFFECTS: dict[str, dict[str, float]] = {
    "pr": {"P.centre": -0.06, "L.centre": -0.06},
    "left_bundle": {
        "R.width": 0.014,
        "R.centre": 0.015,
        "Q.x": 0.10,
        "Q.z": 0.15,
        "late.x": 0.35,
        "T.x": -0.40,
        "T.z": 0.25,
    },
    "right_bundle": {"late.x": -0.55, "late.z": -0.55, "S.width": 0.006},
    "left_axis": {"R.y": -0.90, "S.y": -0.25},
    "right_axis": {"R.x": -0.90, "R.y": 0.30},
    "notch": {"late.x": 0.22, "late.y": 0.30},
    "delta": {"delta.x": 0.35, "delta.y": 0.20, "delta.z": 0.10},
    "lv_mass": {"R.x": 0.90, "R.z": 0.60, "T.x": -0.20},
    "rv_mass": {"R.x": -0.50, "R.z": -0.90},
    "left_atrium": {"L.x": 0.06, "L.z": 0.10, "L.width": 0.006},
    "right_atrium": {"P.y": 0.14},
    "q_inferior": {"Q.y": -0.45, "Q.width": 0.004},
    "q_anterior": {"Q.z": 0.50, "R.z": 0.40, "Q.width": 0.004},
    "q_lateral": {"Q.x": -0.50, "Q.width": 0.004},
    "q_posterior": {"R.z": -0.60, "T.z": -0.20},
    "st_inferior": {"ST.y": 0.22},
    "st_anterior": {"ST.z": -0.25},
    "st_lateral": {"ST.x": 0.22},
    "t_inferior": {"T.y": -0.42},
    "t_anterior": {"T.z": 0.42},
    "t_lateral": {"T.x": -0.45},
    "qt": {"T.centre": 0.08, "T.width": 0.010},
}


def _effect_matrix() -> Floats:
    matrix = np.zeros((len(AXES), len(_WAVES), len(_FIELD)), dtype=np.float32)
    for axis, effects in _EFFECTS.items():
        for name, amount in effects.items():
            wave, field = name.split(".")
            matrix[AXES.index(axis), _ORDER.index(wave), _FIELD[field]] = amount
    return matrix


_EFFECT = _effect_matrix()
_REST = np.array(list(_WAVES.values()), dtype=np.float32)
_BEFORE_S, _AFTER_S, _TABLE_HZ = 0.40, 0.60, 500  # a beat's table: 500 entries around its R peak
_TABLE_TIMES = (np.arange(int((_BEFORE_S + _AFTER_S) * _TABLE_HZ)) / _TABLE_HZ - _BEFORE_S).astype(np.float32)


@dataclass(frozen=True)
class Traits:
    """What a patient keeps from record to record: an offset of every wave and of the heart rate, and how noisy the skin is."""

    waves: Floats  # (patients, waves, fields), relative
    log_rate: Floats  # (patients,)
    log_noise: Floats  # (patients,)

    @classmethod
    def draw(cls, patients: int, rng: np.random.Generator) -> "Traits":
        """Draw the traits of `patients` patients."""
        spread = np.array([0.03, 0.06, 0.12, 0.12, 0.12], dtype=np.float32)
        return cls(
            waves=rng.standard_normal((patients, len(_WAVES), len(_FIELD)), dtype=np.float32) * spread,
            log_rate=rng.standard_normal(patients, dtype=np.float32) * np.float32(0.08),
            log_noise=rng.standard_normal(patients, dtype=np.float32) * np.float32(0.3),
        )

    def of(self, patient: NDArray[np.intp]) -> "Traits":
        """The traits of each record, given its patient's position."""
        return Traits(self.waves[patient], self.log_rate[patient], self.log_noise[patient])


def waves_of(severity: Floats, traits: Traits) -> Floats:
    """(records, waves, fields): resting waves with the patient's offsets and the severities' effects."""
    waves = _REST * (1 + traits.waves) + np.tensordot(severity, _EFFECT, axes=1)
    at = {axis: severity[:, AXES.index(axis), None] for axis in ("p_wave", "t_low", "pacing")}
    dipole = slice(2, 5)
    for wave in ("P", "L"):
        waves[:, _ORDER.index(wave), dipole] *= 1 - at["p_wave"]
    waves[:, _ORDER.index("T"), dipole] *= 1 - 0.6 * at["t_low"]
    waves[:, _ORDER.index("spike"), dipole] = (
        0.02 * np.exp(3.2 * at["pacing"]) * np.array([0.3, 0.9, 0.3], dtype=np.float32)
    )
    waves[:, :, 1] = np.maximum(waves[:, :, 1], 0.003)
    return waves.astype(np.float32)


def voltage_gain(severity: Floats) -> Floats:
    """(records,) what all amplitudes are multiplied by."""
    gain: Floats = np.exp(0.45 * severity[:, AXES.index("voltage")]).astype(np.float32)
    return gain


def wave(waves: Floats, name: str) -> dict[str, Floats]:
    """One wave of (records, waves, fields) by its fields: centre and width in seconds, x, y and z in mV."""
    return {field: waves[:, _ORDER.index(name), at] for field, at in _FIELD.items()}


def _tables(waves: Floats, stretch: Floats) -> Floats:
    """Tabulate a normal and an ectopic beat for every record: (records, 2, table, 3) mV.

    Args:
        stretch: (records,) factor on the T wave's timing, the square root of the RR interval (Bazett).
    """
    centre, width = waves[:, :, 0].copy(), waves[:, :, 1]
    centre[:, _ORDER.index("T")] *= stretch
    shape = np.exp(-0.5 * ((_TABLE_TIMES - centre[:, :, None]) / width[:, :, None]) ** 2)
    # An ectopic beat starts in a ventricle: no P wave, a broad QRS turned left and up, and an opposite T wave.
    late = np.exp(-0.5 * ((_TABLE_TIMES - 0.02) / 0.045) ** 2) - 0.5 * np.exp(
        -0.5 * ((_TABLE_TIMES - 0.30) / 0.07) ** 2
    )
    ectopic = late[:, None] * np.array([-0.9, -0.7, 0.9], dtype=np.float32)
    tables = np.empty((len(waves), 2, len(_TABLE_TIMES), 3), dtype=np.float32)
    np.matmul(shape.transpose(0, 2, 1), waves[:, :, 2:], out=tables[:, 0])
    tables[:, 1] = ectopic * np.abs(waves[:, _ORDER.index("R"), 2:3, None])
    return tables


def intervals(severity: Floats, traits: Traits) -> Floats:
    """(records,) seconds from beat to beat of a regular heart."""
    interval = 60 / (72 * np.exp(0.45 * severity[:, AXES.index("rate")] + traits.log_rate))
    clipped: Floats = np.clip(interval, 0.28, 2.0)
    return clipped


def beats(
    severity: Floats, traits: Traits, seconds: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """R-peak times in seconds, (records, beats), and which beats are ectopic. The first beat lies before the record starts."""

    def axis(name: str) -> Floats:
        return severity[:, AXES.index(name), None]

    records = len(severity)
    interval = intervals(severity, traits)[:, None]
    count = int(seconds / 0.2) + 4
    jitter = rng.standard_normal((records, count), dtype=np.float32) * np.minimum(
        0.03 * np.exp(1.6 * axis("irregular")), 0.3
    )
    chance = rng.random((2, records, count), dtype=np.float32)
    ectopic = chance[0] < np.minimum(0.01 * np.exp(2.6 * axis("ectopic")), 0.9)
    # Of a run of ectopic beats every other one stays, so that at high rates they alternate: bigeminy.
    beat = np.arange(count)
    ectopic &= (beat - np.maximum.accumulate(np.where(ectopic, -1, beat), axis=1)) % 2 == 1
    premature = chance[1] < np.minimum(0.01 * np.exp(2.6 * axis("premature")), 0.6)
    steps = interval * np.maximum(1 + jitter, 0.5)
    early = np.where(ectopic, 0.62, np.where(premature, 0.70, 1.0)).astype(np.float32)
    steps = steps * early
    steps[:, 1:] += np.where(ectopic, (1 - 0.62) * interval, 0)[:, :-1]  # the compensatory pause
    steps = np.maximum(steps, 0.2)
    start = -rng.random((records, 1), dtype=np.float32) * interval
    return (np.cumsum(steps, axis=1) - steps[:, :1] + start).astype(np.float32), ectopic


def waveforms(
    severity: NDArray[np.float64],
    traits: Traits,
    rng: np.random.Generator,
    *,
    rate_hz: int,
    seconds: float,
    noise_mv: float,
) -> NDArray[np.int16]:
    """Draw one 12-lead record for every row of severities.

    Args:
        severity: (records, axes), 0 at rest and 1 at an axis's full expression.
        traits: of the record's patient, a row a record.
        rng: the source of beat times and noise.
        rate_hz, seconds: sampling.
        noise_mv: standard deviation of the white noise; wander and mains hum scale with it.

    Returns:
        (records, 12, rate_hz * seconds) samples of 1 microvolt, in the order of LEADS.
    """
    level = severity.astype(np.float32)
    records, samples = len(level), round(rate_hz * seconds)
    beat_times, ectopic = beats(level, traits, seconds, rng)
    mean_interval = np.diff(beat_times, axis=1).mean(axis=1)
    tables = _tables(waves_of(level, traits), np.sqrt(mean_interval).astype(np.float32))

    # Which beat is the last before each sample: count the R peaks passed.
    first_sample = np.clip(np.ceil(beat_times * rate_hz).astype(np.int32), 0, samples)
    passed = np.zeros((records, samples + 1), dtype=np.int16)
    np.add.at(passed, (np.arange(records)[:, None], first_sample), 1)
    last = np.cumsum(passed[:, :samples], axis=1, dtype=np.int16).astype(np.intp) - 1
    row = np.arange(records)[:, None]
    time = (np.arange(samples) / rate_hz).astype(np.float32)
    since = time - beat_times[row, last]
    interval = beat_times[row, last + 1] - beat_times[row, last]
    # A sample belongs to the beat before it until the next one's P wave is due.
    belongs_to_next = since > np.maximum(interval - 0.26, 0.55 * interval)
    beat = last + belongs_to_next
    offset = np.where(belongs_to_next, since - interval, since)
    entry = np.clip((offset + _BEFORE_S) * _TABLE_HZ, 0, len(_TABLE_TIMES) - 1).astype(np.intp)
    kind = ectopic[row, beat]
    flat = tables.reshape(-1, 3)
    dipole = flat[(row * 2 + kind) * len(_TABLE_TIMES) + entry]  # (records, samples, 3)

    fibrillation = 0.02 * np.exp(1.2 * level[:, AXES.index("f_wave"), None])
    flutter = 0.015 * np.exp(2.0 * level[:, AXES.index("flutter"), None])
    frequency = 6 + rng.standard_normal((records, 1), dtype=np.float32) * 0.4
    drift = np.float32(2 * np.pi) * frequency * time + 1.5 * np.sin(np.float32(2 * np.pi) * 0.4 * time)
    phase = rng.random((records, 1), dtype=np.float32) * np.float32(2 * np.pi)
    saw = np.mod((4.6 + 0.1 * frequency) * time + phase, 1.0) - 0.5
    atrial = fibrillation * np.sin(drift + phase) + flutter * 2 * saw
    dipole += atrial[:, :, None] * np.array([0.3, 0.8, -0.5], dtype=np.float32)

    eight = np.matmul(_DOWER, dipole.transpose(0, 2, 1))
    gain = voltage_gain(level)
    eight *= gain[:, None, None]
    eight += _noise(records, time, traits, noise_mv, rng)
    eight *= UNITS_PER_MV
    return _twelve(np.rint(np.clip(eight, -10_000, 10_000)).astype(np.int16))


def _twelve(eight: NDArray[np.int16]) -> NDArray[np.int16]:
    """All twelve leads from I, II, V1..V6; within 10 mV the doubled sums still fit 16 bits."""
    digital = np.empty((len(eight), 12, eight.shape[2]), dtype=np.int16)
    one, two = eight[:, 0], eight[:, 1]
    digital[:, 0], digital[:, 1], digital[:, 6:] = one, two, eight[:, 2:]
    digital[:, 2], digital[:, 5] = two - one, (2 * two - one) // 2  # III, aVF
    digital[:, 3], digital[:, 4] = -(one + two) // 2, (2 * one - two) // 2  # aVR, aVL
    return digital


def _noise(records: int, time: Floats, traits: Traits, noise_mv: float, rng: np.random.Generator) -> Floats:
    """White noise, baseline wander and mains hum on the eight independent leads, in mV."""
    scale = (noise_mv * np.exp(traits.log_noise)).astype(np.float32)[:, None, None]
    turns = np.float32(2 * np.pi) * np.array([0.15, 0.33, 50.0], dtype=np.float32)[:, None] * time
    basis = np.concatenate([np.sin(turns), np.cos(turns)])
    amount = rng.standard_normal((records, 8, 6), dtype=np.float32)
    amount *= np.array([2.0, 1.2, 0.3, 2.0, 1.2, 0.3], dtype=np.float32)
    noise = rng.standard_normal((records, 8, len(time)), dtype=np.float32)
    noise += np.matmul(amount, basis)
    noise *= scale
    return noise
