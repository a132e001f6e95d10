"""The generator's waveforms written the plain way, a record, a sample and a wave at a time: what the fast one must equal."""

import math

import numpy as np

from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES


def beat_dipole(waves: np.ndarray, offset: float, stretch: float) -> list[float]:
    dipole = [0.0, 0.0, 0.0]
    for name, (centre, width, *amplitude) in zip(ecg._ORDER, waves.tolist(), strict=True):
        middle = centre * stretch if name == "T" else centre
        height = math.exp(-0.5 * ((offset - middle) / width) ** 2)
        for axis in range(3):
            dipole[axis] += height * amplitude[axis]
    return dipole


def ectopic_dipole(waves: np.ndarray, offset: float) -> list[float]:
    height = math.exp(-0.5 * ((offset - 0.02) / 0.045) ** 2) - 0.5 * math.exp(-0.5 * ((offset - 0.30) / 0.07) ** 2)
    size = abs(float(waves[ecg._ORDER.index("R"), 2]))
    return [height * direction * size for direction in (-0.9, -0.7, 0.9)]


def waveform(severity, traits, beats, ectopic, wander, atrial_phase, *, rate_hz, samples):
    """One record, (12, samples) in millivolt, without the rounding to microvolts."""
    waves = ecg.waves_of(severity[None].astype(np.float32), traits)[0]
    stretch = math.sqrt(float(np.diff(beats).mean()))
    gain = math.exp(0.45 * severity[AXES.index("voltage")])
    frequency, phase = atrial_phase
    leads = np.zeros((12, samples))
    for sample in range(samples):
        time = sample / rate_hz
        last = max(index for index, beat in enumerate(beats) if math.ceil(beat * rate_hz) <= sample)
        since, interval = time - beats[last], beats[last + 1] - beats[last]
        beat, offset = (last + 1, since - interval) if since > max(interval - 0.26, 0.55 * interval) else (last, since)
        entry = min(max(int((offset + 0.40) * 500), 0), 499)
        tabulated = entry / 500 - 0.40
        dipole = ectopic_dipole(waves, tabulated) if ectopic[beat] else beat_dipole(waves, tabulated, stretch)
        turn = 2 * math.pi * frequency * time + 1.5 * math.sin(2 * math.pi * 0.4 * time)
        saw = math.fmod((4.6 + 0.1 * frequency) * time + phase, 1.0) - 0.5
        size = 0.02 * math.exp(1.2 * severity[AXES.index("f_wave")]) * math.sin(turn + phase)
        size += 0.015 * math.exp(2.0 * severity[AXES.index("flutter")]) * 2 * saw
        dipole = [value + size * way for value, way in zip(dipole, (0.3, 0.8, -0.5), strict=True)]
        eight = []
        for lead in range(8):
            value = gain * sum(w * d for w, d in zip(ecg._DOWER[lead].tolist(), dipole, strict=True))
            eight.append(value + float(wander[lead, sample]))
        one, two = eight[0], eight[1]
        leads[:, sample] = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, *eight[2:]]
    return leads
