"""Who has which ECG statement, and what each statement does to the morphology: the known truth behind generated records.

A record draws three sets of SCP-ECG codes independently: diagnoses, a rhythm, a form statement. Every code pulls the record's
*severity* along one or more morphological axes (AXES) by a known amount (CODES); around that mean, severity is normal with
standard deviation 1 / separation. The waveform shows nothing of the codes but the severities (ecg.py), so the posterior of
the codes given the severities is the best any classifier can do. It has a closed form, and `posterior` computes it.

The amounts are ours, chosen to resemble what the statements mean; the prevalences follow PTB-XL's order of magnitude, with a
floor so that no code is absent. Nothing here supports a clinical claim.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

AXES = [
    "rate",
    "irregular",
    "p_wave",
    "f_wave",
    "flutter",
    "pr",
    "premature",
    "ectopic",
    "pacing",
    "left_bundle",
    "right_bundle",
    "left_axis",
    "right_axis",
    "notch",
    "delta",
    "lv_mass",
    "rv_mass",
    "left_atrium",
    "right_atrium",
    "voltage",
    "q_inferior",
    "q_anterior",
    "q_lateral",
    "q_posterior",
    "st_inferior",
    "st_anterior",
    "st_lateral",
    "t_inferior",
    "t_anterior",
    "t_lateral",
    "t_low",
    "qt",
]

# Amount 1 is the axis's full expression, as ecg.py draws it.
DIAGNOSES: dict[str, dict[str, float]] = {
    "NORM": {},
    "NDT": {"t_low": 0.5, "t_lateral": 0.3},
    "NST_": {"st_lateral": -0.5},
    "DIG": {"st_lateral": -0.6, "qt": -0.7, "t_lateral": 0.4},
    "LNGQT": {"qt": 1.0},
    "EL": {"t_low": -0.8, "qt": 0.5},
    "ANEUR": {"st_anterior": 0.7, "q_anterior": 0.7, "t_anterior": 0.3},
    "IMI": {"q_inferior": 1.0, "t_inferior": 0.5},
    "ASMI": {"q_anterior": 1.0, "t_anterior": 0.4},
    "AMI": {"q_anterior": 1.0, "st_anterior": 0.4},
    "ALMI": {"q_anterior": 0.8, "q_lateral": 0.8},
    "LMI": {"q_lateral": 1.0, "t_lateral": 0.4},
    "ILMI": {"q_inferior": 0.9, "q_lateral": 0.7},
    "IPMI": {"q_inferior": 0.9, "q_posterior": 0.8},
    "IPLMI": {"q_inferior": 0.8, "q_posterior": 0.7, "q_lateral": 0.6},
    "PMI": {"q_posterior": 1.0},
    "INJAS": {"st_anterior": 1.0},
    "INJAL": {"st_anterior": 0.8, "st_lateral": 0.7},
    "INJIN": {"st_inferior": 1.0},
    "INJIL": {"st_inferior": 0.8, "st_lateral": 0.7},
    "INJLA": {"st_lateral": 1.0},
    "ISC_": {"t_lateral": 0.8, "st_lateral": -0.5},
    "ISCAL": {"t_anterior": 0.6, "t_lateral": 0.8},
    "ISCIN": {"t_inferior": 0.8, "st_inferior": -0.4},
    "ISCIL": {"t_inferior": 0.7, "t_lateral": 0.6},
    "ISCAS": {"t_anterior": 0.9},
    "ISCLA": {"t_lateral": 0.9},
    "ISCAN": {"t_anterior": 0.8, "st_anterior": -0.4},
    "LVH": {"lv_mass": 1.0, "t_lateral": 0.3},
    "RVH": {"rv_mass": 1.0, "right_axis": 0.5},
    "SEHYP": {"lv_mass": 0.5, "q_lateral": 0.5},
    "LAO/LAE": {"left_atrium": 1.0},
    "RAO/RAE": {"right_atrium": 1.0},
    "LAFB": {"left_axis": 1.0},
    "LPFB": {"right_axis": 1.0},
    "IRBBB": {"right_bundle": 0.6},
    "CRBBB": {"right_bundle": 1.3},
    "ILBBB": {"left_bundle": 0.7},
    "CLBBB": {"left_bundle": 1.3},
    "IVCD": {"left_bundle": 0.5, "notch": 0.7},
    "1AVB": {"pr": 1.0},
    "2AVB": {"pr": 1.2, "rate": -0.6, "irregular": 0.5},
    "3AVB": {"pr": 1.6, "rate": -1.2},
    "WPW": {"delta": 1.0, "pr": -0.8},
}
FORMS: dict[str, dict[str, float]] = {
    "ABQRS": {"notch": 1.0},
    "PVC": {"ectopic": 1.0},
    "STD_": {"st_lateral": -0.8, "st_inferior": -0.4},
    "VCLVH": {"lv_mass": 0.6, "voltage": 0.5},
    "QWAVE": {"q_inferior": 0.6, "q_lateral": 0.4},
    "LOWT": {"t_low": 1.0},
    "NT_": {"t_low": 0.6},
    "PAC": {"premature": 1.0},
    "LPR": {"pr": 0.9},
    "INVT": {"t_anterior": 0.6, "t_lateral": 0.6},
    "LVOLT": {"voltage": -1.0},
    "HVOLT": {"voltage": 1.0},
    "TAB_": {"t_low": 0.4, "t_anterior": 0.4},
    "STE_": {"st_anterior": 0.7},
    "PRC(S)": {"premature": 0.7, "irregular": 0.3},
}
RHYTHMS: dict[str, dict[str, float]] = {
    "SR": {},
    "AFIB": {"irregular": 1.0, "p_wave": 1.0, "f_wave": 1.0},
    "AFLT": {"flutter": 1.0, "p_wave": 0.8, "rate": 0.5},
    "STACH": {"rate": 1.0},
    "SBRAD": {"rate": -1.0},
    "SARRH": {"irregular": 0.7},
    "SVARR": {"premature": 1.1, "rate": 0.3},
    "SVTAC": {"rate": 1.6, "p_wave": 0.7},
    "PSVT": {"rate": 1.8, "p_wave": 0.6},
    "PACE": {"pacing": 1.0, "p_wave": 0.4, "left_bundle": 0.8},
    "BIGU": {"ectopic": 1.6},
    "TRIGU": {"ectopic": 1.3},
}
CODES = {**DIAGNOSES, **FORMS, **RHYTHMS}

# Relative weights; every code not named here stands alone with weight FLOOR.
FLOOR = 3.0
_DIAGNOSIS_WEIGHTS: dict[tuple[str, ...], float] = {
    ("NORM",): 420,
    (): 20,
    ("IMI",): 55,
    ("ASMI",): 50,
    ("IMI", "LAFB"): 18,
    ("IMI", "ISC_"): 12,
    ("IMI", "1AVB"): 6,
    ("ASMI", "LAFB"): 14,
    ("ASMI", "LVH"): 12,
    ("ASMI", "IRBBB"): 6,
    ("ASMI", "ISCAL"): 10,
    ("AMI", "CRBBB"): 6,
    ("IMI", "ASMI"): 12,
    ("AMI",): 12,
    ("ALMI",): 10,
    ("ILMI",): 18,
    ("LMI",): 8,
    ("INJAS",): 7,
    ("NDT",): 45,
    ("NST_",): 25,
    ("ISC_",): 25,
    ("ISCAL",): 14,
    ("ISCIN",): 8,
    ("DIG",): 6,
    ("LNGQT",): 5,
    ("LVH",): 34,
    ("LVH", "ISC_"): 18,
    ("LVH", "LAO/LAE"): 8,
    ("LVH", "NDT"): 10,
    ("LVH", "LAFB"): 8,
    ("LAFB",): 28,
    ("IRBBB",): 30,
    ("CRBBB",): 14,
    ("CRBBB", "LAFB"): 8,
    ("CLBBB",): 18,
    ("IVCD",): 22,
    ("IVCD", "LVH"): 6,
    ("1AVB",): 18,
    ("1AVB", "LAFB"): 6,
    ("LAO/LAE",): 7,
    ("RVH",): 4,
}
_FORM_WEIGHTS: dict[tuple[str, ...], float] = {
    (): 640, ("ABQRS",): 120, ("PVC",): 45, ("STD_",): 40, ("VCLVH",): 35, ("QWAVE",): 22, ("LOWT",): 18, ("NT_",): 17,
    ("PAC",): 16, ("LPR",): 14, ("INVT",): 12, ("LVOLT",): 8,
}  # fmt: skip
_RHYTHM_WEIGHTS: dict[tuple[str, ...], float] = {
    ("SR",): 780, ("AFIB",): 70, ("STACH",): 38, ("SARRH",): 35, ("SBRAD",): 30, ("PACE",): 14, ("SVARR",): 8, ("AFLT",): 4,
    ("BIGU",): 4, (): 14,
}  # fmt: skip


@dataclass(frozen=True)
class Prior:
    """All statement sets a record can have: their codes, probabilities and mean severities (sets x axes)."""

    sets: tuple[tuple[str, ...], ...]
    probability: NDArray[np.float64]
    mean: NDArray[np.float64]


def _factor(weights: dict[tuple[str, ...], float], codes: dict[str, dict[str, float]], evenness: float) -> Prior:
    full: dict[tuple[str, ...], float] = dict(weights)
    for code in codes:
        full.setdefault((code,), FLOOR)
    mean = np.zeros((len(full), len(AXES)))
    for row, members in enumerate(full):
        for code in members:
            for axis, amount in CODES[code].items():
                mean[row, AXES.index(axis)] += amount
    probability = np.array(list(full.values())) ** (1 - evenness)
    return Prior(tuple(full), probability / probability.sum(), mean)


@cache
def factors(evenness: float = 0.0) -> tuple[Prior, Prior, Prior]:
    """The three independent draws of a record: diagnoses, rhythm, form.

    Args:
        evenness: 0: as common as in PTB-XL; 1: every set alike, what is rare as common as what is not.
    """
    drawn = (_DIAGNOSIS_WEIGHTS, DIAGNOSES), (_RHYTHM_WEIGHTS, RHYTHMS), (_FORM_WEIGHTS, FORMS)
    first, second, third = (_factor(weights, codes, evenness) for weights, codes in drawn)
    return first, second, third


@cache
def joint(evenness: float = 0.0) -> Prior:
    """Every combination of the three draws."""
    parts = factors(evenness)
    rows = list(product(*(range(len(part.sets)) for part in parts)))
    index = np.array(rows).T
    sets = tuple(tuple(code for part, at in zip(parts, row, strict=True) for code in part.sets[at]) for row in rows)
    probability = np.prod([part.probability[at] for part, at in zip(parts, index, strict=True)], axis=0)
    mean = np.sum([part.mean[at] for part, at in zip(parts, index, strict=True)], axis=0)
    return Prior(sets, probability, mean)


def posterior(
    severity: NDArray[np.float64], separation: float, member: NDArray[np.bool_], evenness: float = 0.0
) -> NDArray[np.float64]:
    """The ideal observer: the probability of each class given a record's severities, by Bayes' rule over all statement sets.

    Args:
        severity: (records, axes).
        separation: the generator's; severity has standard deviation 1 / separation around its mean.
        member: (sets, classes): whether a set of `joint()` carries a class.
        evenness: the generator's (`factors`).

    Returns:
        (records, classes) probabilities. No classifier of the waveforms has a higher expected AUROC.
    """
    prior = joint(evenness)
    mean = prior.mean * separation
    constant = np.log(prior.probability) - 0.5 * (mean**2).sum(axis=1)
    out = np.empty((len(severity), member.shape[1]))
    for start in range(0, len(severity), 256):  # records x sets would not fit for a large data set
        score = severity[start : start + 256] * separation @ mean.T + constant
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        out[start : start + 256] = weight @ member / weight.sum(axis=1, keepdims=True)
    return out


def attainable_auroc(
    separation: float, member: NDArray[np.bool_], draws: int = 20_000, seed: int = 0, evenness: float = 0.0
) -> list[float | None]:
    """The ideal observer's AUROC by class, from the parameters alone: Monte Carlo over `draws` records (error about 0.002).

    For one class on one axis it is Phi(separation * amount / sqrt 2), which a test holds it against.
    """
    rng = np.random.default_rng(seed)
    prior = joint(evenness)
    chosen = rng.choice(len(prior.sets), size=draws, p=prior.probability)
    severity = prior.mean[chosen] + rng.standard_normal((draws, len(AXES))) / separation
    rank = pd.DataFrame(posterior(severity, separation, member, evenness)).rank().to_numpy()
    positives = member[chosen]
    found: list[float | None] = []
    for ranks, positive in zip(rank.T, positives.T, strict=True):
        count = int(positive.sum())
        above = ranks[positive].sum() - count * (count + 1) / 2
        found.append(float(above / (count * (draws - count))) if 0 < count < draws else None)
    return found
